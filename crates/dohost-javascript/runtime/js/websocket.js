// WebSockets: pairs, those that an object accepts, and those to elsewhere.
//
// The host holds connections; each has a number there. The ends of a pair are only here at first. One that an object accepts to
// hibernate gets its number at once; one that is accepted otherwise when the other end leaves with a response. An end that leaves, or comes with
// a response of another object, is a ticket: whoever has it connects to the other end, once.

import native from "dohost:native";
import { viewOf } from "dohost:encoding";
import { DOMException, inWords, logUncaught } from "dohost:errors";
import { CloseEvent, ErrorEvent, Event, EventTarget, MessageEvent } from "dohost:event";
import { Blob } from "dohost:blob";
import { URL } from "dohost:url";

const PRIVATE = Symbol("private");
const TAGS_MAX = 10, TAG_BYTES_MAX = 256, ATTACHMENT_BYTES_MAX = 16_384, REASON_BYTES_MAX = 123, TEXT_BYTES_MAX = 2048;
const TIMEOUT_MAX = 604_800_000;
const CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3;

// How an end is held.
const UNUSED = "unused", ACCEPTED = "accepted", HIBERNATABLE = "hibernatable", USED = "used";

// By the host's numbers: those that are open and known to this life of the object.
const byNumber = new Map();

let endOf;

// Whether this instance is an object; a Worker otherwise.
let isObject = false;

export function beObject() {
  isObject = true;
}

// What is known of an end, apart from what programs see of it.
class End {
  held = UNUSED;
  // The host's number, as soon as it has one.
  number = null;
  // With which somebody can connect to the other end, if this one is to leave or has come.
  ticket = null;
  // The other end of a pair, while it is here.
  other = null;
  // What has come and was not taken, or is to be sent and has nowhere to go yet.
  incoming = [];
  waiting = [];
  isConnecting = false;
  isOfConstructor = false;
  // Closed before it was connected.
  isGivenUp = false;
  hasSentClose = false;
  hasReceivedClose = false;
  // Without a close frame.
  isLost = false;
  attachment = null;
  // Once the host knows nothing of it any more.
  tags = [];
  url = null;
  protocol = "";
  socket = new WebSocket(PRIVATE, this);

  get state() {
    if (this.hasSentClose && this.hasReceivedClose) return CLOSED;
    if (this.isConnecting) return CONNECTING;
    return this.hasSentClose || this.hasReceivedClose ? CLOSING : OPEN;
  }

  get isTaken() {
    return this.held === ACCEPTED || this.held === HIBERNATABLE;
  }

  // From now on the host has it.
  bind(number) {
    this.number = number;
    byNumber.set(number, this);
    if (this.attachment !== null) native.wsSetAttachment(number, this.attachment);
    for (const what of this.waiting.splice(0)) this.transmit(what);
  }

  // Sends a message (text or bytes) or a close (an array of code and reason).
  transmit(what) {
    if (this.number !== null) {
      if (Array.isArray(what)) return native.wsClose(this.number, what[0] === 1005 ? undefined : what[0], what[1]);
      // Should it have to wait for room, what is sent after it waits behind it; that the other side has gone is no error.
      const sent = native.wsSend(this.number, what);
      sent?.catch?.((error) => logUncaught(error, "Uncaught (in WebSocket)"));
    } else if (this.other?.held === ACCEPTED) {
      this.other.receive(what);
    } else {
      this.waiting.push(what);
    }
  }

  // What the other end has sent.
  receive(what) {
    if (this.held === ACCEPTED) queueMicrotask(() => this.dispatch(what));
    else this.incoming.push(what);
  }

  dispatch(what) {
    if (what instanceof Error) {
      this.hasSentClose = this.hasReceivedClose = this.isLost = true;
      emit(this.socket, new ErrorEvent("error", { message: what.message, error: what }));
    } else if (!Array.isArray(what)) {
      const data = typeof what === "string" || this.socket.binaryType === "arraybuffer" ? what : new Blob([what]);
      if (!this.hasReceivedClose) emit(this.socket, new MessageEvent("message", { data: data instanceof Uint8Array ? data.buffer : data }));
    } else if (!this.hasReceivedClose) {
      const [code, reason, wasClean = true] = what;
      this.hasReceivedClose = true;
      this.isLost = !wasClean;
      if (!this.hasSentClose) {
        this.hasSentClose = true;
        if (this.number === null) this.transmit([code, reason]);
      }
      emit(this.socket, new CloseEvent("close", { code, reason, wasClean }));
    }
  }

  // Takes what has come, and what the other end has waiting.
  take() {
    this.held = ACCEPTED;
    for (const what of this.incoming.splice(0)) this.receive(what);
    if (this.other !== null && this.number === null) for (const what of this.other.waiting.splice(0)) this.receive(what);
  }
}

// Whether a close frame may have this code (RFC 6455, 7.4). Clients take one with another for a wrong frame.
function maySend(code) {
  return (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code < 5000);
}

function emit(socket, event) {
  const handler = socket[`on${event.type}`];
  if (typeof handler === "function") {
    try {
      handler.call(socket, event);
    } catch (error) {
      logUncaught(error, "Uncaught (in an event listener)");
    }
  }
  socket.dispatchEvent(event);
}

export function requireObject() {
  native.wsRequireEvent();
  if (!isObject) {
    throw new Error("A Worker of dohost hands WebSockets on, and has none itself: accept() it in a Durable Object.");
  }
}

export class WebSocket extends EventTarget {
  #end;
  #binaryType = "blob";

  static {
    endOf = (socket) => socket.#end;
    const constants = { CONNECTING, OPEN, CLOSING, CLOSED };
    for (const [name, value] of Object.entries(constants)) {
      for (const where of [this, this.prototype]) {
        Object.defineProperty(where, name, { value, enumerable: true });
        Object.defineProperty(where, `READY_STATE_${name}`, { value, enumerable: true });
      }
    }
  }

  constructor(url, protocols) {
    super();
    if (url === PRIVATE) {
      this.#end = protocols;
      return;
    }
    if (arguments.length === 0) throw new TypeError("WebSocket takes a URL.");
    const target = checkedUrl(String(url));
    const named = protocols === undefined ? [] : typeof protocols === "object" ? [...protocols].map(String) : [String(protocols)];
    checkProtocols(named);
    const end = new End();
    end.socket = this;
    end.held = ACCEPTED;
    end.isOfConstructor = end.isConnecting = true;
    end.url = target.replace(/^http/, "ws");
    this.#end = end;
    requireObject();
    open(end, target, named);
  }

  accept(_options) {
    const end = this.#end;
    if (end.isOfConstructor) throw new TypeError("Websockets obtained from the 'new WebSocket()' constructor cannot call accept");
    if (end.held === HIBERNATABLE) throw new TypeError("Can't accept() WebSocket after enabling hibernation.");
    if (end.held === USED) throw new TypeError("Can't accept() WebSocket that was already used in a response.");
    if (end.state === CLOSED) throw new TypeError("Can't accept() WebSocket that has ended.");
    if (end.held === ACCEPTED) return;
    if (end.ticket !== null) {
      requireObject();
      const { ticket } = end;
      end.ticket = null;
      end.bind(native.wsConnectClient(ticket));
    }
    end.take();
  }

  send(message) {
    if (arguments.length === 0) throw new TypeError("send() takes a message.");
    const end = this.#end;
    if (end.isConnecting) throw new DOMException("The WebSocket is not connected yet.", "InvalidStateError");
    if (end.hasSentClose && !end.isLost) throw new TypeError("Can't call WebSocket send() after close().");
    // What comes after the end goes nowhere.
    if (end.isLost || end.held === USED) return;
    if (!end.isTaken) {
      throw new TypeError("You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.");
    }
    const isBytes = message instanceof ArrayBuffer || ArrayBuffer.isView(message);
    end.transmit(isBytes ? viewOf(message).slice() : String(message).toWellFormed());
  }

  close(code, reason) {
    const end = this.#end;
    if (code !== undefined) {
      code = Number(code) | 0;
      if (!maySend(code)) throw new DOMException(`Invalid WebSocket close code: ${code}.`, "InvalidAccessError");
    }
    if (reason !== undefined) {
      if (code === undefined) throw new DOMException("If you specify a WebSocket close reason, you must also specify a code.", "InvalidAccessError");
      reason = String(reason).toWellFormed();
      if (native.utf8Encode(reason).length > REASON_BYTES_MAX) {
        throw new DOMException("WebSocket close reason must not be longer than 123 bytes when UTF-8 encoded.", "SyntaxError");
      }
    }
    if (end.hasSentClose || end.held === USED) return;
    if (!end.isTaken) {
      throw new TypeError("You must call one of accept() or state.acceptWebSocket() on this WebSocket before sending messages.");
    }
    end.hasSentClose = true;
    if (end.isConnecting) end.isGivenUp = true;
    else end.transmit([code ?? 1005, reason ?? ""]);
  }

  serializeAttachment(value) {
    const end = this.#end;
    const bytes = native.wsEncode(value);
    if (bytes.length > ATTACHMENT_BYTES_MAX) {
      throw new Error(`A WebSocket 'attachment' cannot be larger than ${ATTACHMENT_BYTES_MAX} bytes.'attachment' was ${bytes.length} bytes.`);
    }
    if (end.number === null || end.state === CLOSED) end.attachment = bytes;
    else native.wsSetAttachment(end.number, bytes);
  }

  deserializeAttachment() {
    const end = this.#end;
    const bytes = end.attachment ?? (end.number === null ? null : native.wsAttachment(end.number));
    return bytes === null || bytes === undefined ? null : native.decode(bytes);
  }

  get readyState() {
    return this.#end.state;
  }
  get url() {
    return this.#end.url;
  }
  get protocol() {
    return this.#end.protocol;
  }
  get extensions() {
    return "";
  }
  get bufferedAmount() {
    const { number } = this.#end;
    return number === null || this.#end.state === CLOSED ? 0 : native.wsDescribe(number)?.buffered ?? 0;
  }
  get binaryType() {
    return this.#binaryType;
  }
  set binaryType(type) {
    if (type === "blob" || type === "arraybuffer") this.#binaryType = type;
  }
  get [Symbol.toStringTag]() {
    return "WebSocket";
  }
}

export class WebSocketPair {
  constructor() {
    const [one, other] = [new End(), new End()];
    [one.other, other.other] = [other, one];
    this[0] = one.socket;
    this[1] = other.socket;
  }
  [Symbol.iterator]() {
    return [this[0], this[1]][Symbol.iterator]();
  }
  get [Symbol.toStringTag]() {
    return "WebSocketPair";
  }
}

export class WebSocketRequestResponsePair {
  #request;
  #response;
  constructor(request, response) {
    if (arguments.length < 2) throw new TypeError("WebSocketRequestResponsePair takes a request and a response.");
    this.#request = String(request).toWellFormed();
    this.#response = String(response).toWellFormed();
  }
  get request() {
    return this.#request;
  }
  get response() {
    return this.#response;
  }
  get [Symbol.toStringTag]() {
    return "WebSocketRequestResponsePair";
  }
}

// Outgoing ones.

function checkedUrl(text) {
  const wrong = (why) => new DOMException(`WebSocket Constructor: ${why}`, "SyntaxError");
  let parts;
  try {
    parts = new URL(text);
  } catch {
    throw wrong("The url is invalid.");
  }
  if (!["ws:", "wss:", "http:", "https:"].includes(parts.protocol)) throw wrong("The url scheme must be ws or wss.");
  if (parts.hash !== "") throw wrong("The url fragment must be empty.");
  return parts.href.replace(/^ws/, "http");
}

function checkProtocols(named) {
  const wrong = (why) => new DOMException(`WebSocket Constructor: ${why}`, "SyntaxError");
  if (new Set(named.map((name) => name.toLowerCase())).size < named.length) throw wrong("The protocols header cannot have repeating values.");
  const isToken = (name) => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name);
  if (!named.every(isToken)) {
    throw wrong(named.length === 1 ? "The protocol header token is invalid." : "One of the protocol header tokens is invalid.");
  }
}

async function open(end, url, named) {
  const headers = named.length === 0 ? "" : `sec-websocket-protocol\n${named.join(", ")}\n`;
  try {
    const [status, , , number] = await native.wsConnect("GET", url, headers);
    end.isConnecting = false;
    if (typeof number !== "number") {
      throw new TypeError(`Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 (switching protocols), but received ${status} instead.`);
    }
    end.protocol = native.wsDescribe(number)?.protocol ?? "";
    end.bind(number);
    if (end.isGivenUp) return native.wsClose(number, 1000, "");
    emit(end.socket, new Event("open"));
  } catch (error) {
    end.isConnecting = false;
    end.hasSentClose = end.hasReceivedClose = end.isLost = true;
    emit(end.socket, new ErrorEvent("error", { message: inWords(error), error }));
    emit(end.socket, new CloseEvent("close", { code: 1006, reason: "Failed to establish websocket connection", wasClean: false }));
  }
}

// What came with a response: of a server, by the host's number, or of another object, as a ticket.
export function arrived(number, ticket) {
  const end = new End();
  if (ticket === null) {
    end.bind(number);
    end.protocol = native.wsDescribe(number)?.protocol ?? "";
  } else {
    end.ticket = ticket;
  }
  return end.socket;
}

// The end of a response that leaves, as a ticket.
export function leave(socket) {
  const end = endOf(socket);
  if (end.isOfConstructor) throw new TypeError("Can't return WebSocket in a Response if it was created with `new WebSocket()`");
  if (end.held === HIBERNATABLE) throw new TypeError("Can't return WebSocket in a Response after calling acceptWebSocket().");
  if (end.held === ACCEPTED) throw new TypeError("Can't return WebSocket in a Response after calling accept().");
  if (end.held === USED) throw new TypeError("Can't return WebSocket that was already used in a response.");
  if (end.ticket === null) requireObject();
  if (end.ticket === null && end.number !== null) return leave(relay(end));
  end.held = USED;
  if (end.ticket !== null) return end.ticket;
  const [number, ticket] = native.wsAccept([], false);
  end.other.bind(number);
  return ticket;
}

// An end whose other side is handed everything that comes to this one, and the other way round.
function relay(end) {
  const { 0: client, 1: server } = new WebSocketPair();
  for (const [from, to] of [[end.socket, server], [server, end.socket]]) {
    from.binaryType = "arraybuffer";
    from.addEventListener("message", ({ data }) => to.send(data));
    from.addEventListener("error", () => to.close(1011, ""));
    from.addEventListener("close", ({ code, reason }) => {
      if (code === 1005) to.close();
      else to.close(maySend(code) ? code : 1011, reason);
    });
  }
  server.accept();
  end.socket.accept();
  return client;
}

// Of ctx.

export function acceptWebSocket(socket, tags = []) {
  if (!(socket instanceof WebSocket)) throw new TypeError("Failed to execute 'acceptWebSocket' on 'DurableObjectState': parameter 1 is not of type 'WebSocket'.");
  const end = endOf(socket);
  const named = Array.from(tags, (tag) => String(tag).toWellFormed());
  if (end.isTaken) throw new Error("Cannot call `acceptWebSocket()` if the WebSocket was already accepted via `accept()`");
  if (end.held !== UNUSED) throw new Error("Tried to make an api::WebSocket hibernatable when it was in an incompatible state.");
  if (end.other !== null && end.other.held !== UNUSED) {
    throw new Error("Cannot call `acceptWebSocket()` on this WebSocket because its pair has already been accepted or used in a Response.");
  }
  if (named.length > TAGS_MAX) throw new Error(`a Hibernatable WebSocket cannot have more than ${TAGS_MAX} tags`);
  for (const tag of named) {
    if (native.utf8Encode(tag).length > TAG_BYTES_MAX) throw new Error(`"${tag}" is longer than the max tag length (${TAG_BYTES_MAX} characters).`);
  }
  if (end.ticket !== null) {
    const { ticket } = end;
    end.ticket = null;
    end.bind(native.wsConnectClient(ticket));
  }
  if (end.number !== null) {
    native.wsSetOptions(end.number, named, true);
  } else {
    const [number, ticket] = native.wsAccept(named, true);
    end.bind(number);
    end.other.ticket = ticket;
  }
  end.held = HIBERNATABLE;
}

export function getWebSockets(tag) {
  const sockets = [];
  for (const number of native.wsSockets(tag === undefined ? undefined : String(tag))) {
    const end = woken(number);
    if (end.held === HIBERNATABLE) sockets.push(end.socket);
  }
  return sockets;
}

// The end of a number. One that this life does not know yet has hibernated.
function woken(number) {
  let end = byNumber.get(number);
  if (end === undefined) {
    end = new End();
    end.number = number;
    end.held = HIBERNATABLE;
    const described = native.wsDescribe(number);
    if (described !== null) {
      end.protocol = described.protocol;
      end.url = described.url === "" ? null : described.url;
      end.hasSentClose = described.state >= CLOSING;
      end.hasReceivedClose = described.state === CLOSED;
    }
    byNumber.set(number, end);
  }
  return end;
}

export function getTags(socket) {
  const end = endOf(socket);
  if (end.held !== HIBERNATABLE) throw new Error("only hibernatable websockets can have tags.");
  return native.wsDescribe(end.number)?.tags ?? end.tags;
}

export function setAutoResponse(pair) {
  if (pair === undefined || pair === null) return native.wsSetAutoResponse(undefined, undefined);
  if (!(pair instanceof WebSocketRequestResponsePair)) {
    throw new TypeError("Failed to execute 'setWebSocketAutoResponse' on 'DurableObjectState': parameter 1 is not of type 'WebSocketRequestResponsePair'.");
  }
  const check = (what, text) => {
    const { length } = native.utf8Encode(text);
    if (length <= TEXT_BYTES_MAX) return;
    throw new RangeError(`${what} cannot be larger than ${TEXT_BYTES_MAX} bytes. A ${what.toLowerCase()} of size ${length} was provided.`);
  };
  check("Request", pair.request);
  check("Response", pair.response);
  native.wsSetAutoResponse(pair.request, pair.response);
}

export function getAutoResponse() {
  const pair = native.wsAutoResponse();
  return pair === null ? null : new WebSocketRequestResponsePair(pair[0], pair[1]);
}

export function autoResponseTimestamp(socket) {
  const { number } = endOf(socket);
  const time = number === null ? undefined : native.wsDescribe(number)?.autoResponseTime;
  return time === undefined || time === null ? null : new Date(time);
}

export function setEventTimeout(milliseconds) {
  if (milliseconds === undefined || milliseconds === null) return native.wsSetEventTimeout(undefined);
  milliseconds = Number(milliseconds) >>> 0;
  if (milliseconds > TIMEOUT_MAX) throw new Error("Event timeout should not exceed 604800000 ms.");
  native.wsSetEventTimeout(milliseconds);
}

export function getEventTimeout() {
  return native.wsEventTimeout() ?? null;
}

// What the host calls.

// A message, text or bytes. Calls the handler of the object, or those of the WebSocket.
export function message(instance, number, data) {
  const end = woken(number);
  if (end.held !== HIBERNATABLE) return void end.receive(data);
  if (typeof instance.webSocketMessage !== "function") return void warnOfMissingHandler(instance);
  return instance.webSocketMessage(end.socket, data instanceof Uint8Array ? data.buffer : data);
}

let hasWarnedOfMissingHandler = false;

// Said once in a life: nobody else would hear of what is dropped.
function warnOfMissingHandler(instance) {
  if (hasWarnedOfMissingHandler) return;
  hasWarnedOfMissingHandler = true;
  native.print(`${instance.constructor.name} accepted a WebSocket with acceptWebSocket() and has no method webSocketMessage(): its messages are dropped`);
}

export function closed(instance, number, code, reason, wasClean) {
  const end = woken(number);
  if (end.held !== HIBERNATABLE) {
    byNumber.delete(number);
    return void end.receive([code, reason, wasClean]);
  }
  end.hasSentClose = end.hasReceivedClose = true;
  end.isLost = !wasClean;
  return handled(end, () => instance.webSocketClose?.(end.socket, code, reason, wasClean));
}

export function failed(instance, number, reason) {
  const end = woken(number);
  const error = new Error(reason);
  if (end.held !== HIBERNATABLE) {
    byNumber.delete(number);
    return void end.receive(error);
  }
  end.hasSentClose = end.hasReceivedClose = end.isLost = true;
  return handled(end, () => instance.webSocketError?.(end.socket, error));
}

// The last that is heard of a WebSocket: what the host knows of it can be read until its handler is done.
function handled(end, handler) {
  const forget = () => {
    const { number } = end;
    end.tags = native.wsDescribe(number)?.tags ?? [];
    end.attachment = native.wsAttachment(number);
    byNumber.delete(number);
  };
  let result;
  try {
    result = handler();
  } catch (error) {
    forget();
    throw error;
  }
  if (typeof result?.then === "function") return Promise.resolve(result).finally(forget);
  forget();
}
