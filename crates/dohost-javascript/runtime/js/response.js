// Response of the Fetch Standard.

import { Body, TEXT_TYPE, cloneBody, extract, kept } from "dohost:body";
import { Headers, makeFromRaw } from "dohost:headers";
import { URL } from "dohost:url";
import { WebSocket, arrived } from "dohost:websocket";

const INCOMING = Symbol("incoming");
const WITHOUT_BODY = new Set([101, 204, 205, 304]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

const TEXTS = {
  100: "Continue", 101: "Switching Protocols", 102: "Processing", 103: "Early Hints", 200: "OK", 201: "Created",
  202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content", 205: "Reset Content", 206: "Partial Content",
  207: "Multi-Status", 208: "Already Reported", 226: "IM Used", 300: "Multiple Choices", 301: "Moved Permanently",
  302: "Found", 303: "See Other", 304: "Not Modified", 305: "Use Proxy", 307: "Temporary Redirect",
  308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden",
  404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable", 407: "Proxy Authentication Required",
  408: "Request Timeout", 409: "Conflict", 410: "Gone", 411: "Length Required", 412: "Precondition Failed",
  413: "Payload Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 416: "Range Not Satisfiable",
  417: "Expectation Failed", 418: "I'm a teapot", 421: "Misdirected Request", 422: "Unprocessable Entity", 423: "Locked",
  424: "Failed Dependency", 426: "Upgrade Required", 428: "Precondition Required", 429: "Too Many Requests",
  431: "Request Header Fields Too Large", 451: "Unavailable For Legal Reasons", 500: "Internal Server Error",
  501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
  505: "HTTP Version Not Supported", 506: "Variant Also Negotiates", 507: "Insufficient Storage", 508: "Loop Detected",
  510: "Not Extended", 511: "Network Authentication Required",
};

const TEXT = { content: "", type: TEXT_TYPE };

// What most responses have.
const REST = { statusText: "", type: "default", url: "", redirected: false, webSocket: null, cf: undefined };

export class Response extends Body {
  #status = 200;
  #headers;
  #rest = REST;

  constructor(source, init) {
    if (source === INCOMING) {
      super(init.content);
      const { status, url, redirected = false, webSocket = null } = init;
      this.#status = status;
      this.#headers = makeFromRaw(init.headers, true);
      this.#rest = { ...REST, statusText: TEXTS[status] ?? "", url, redirected, webSocket };
      return;
    }
    // Text, which most are, takes no object in between.
    const isText = typeof source === "string";
    const { content, type } = isText ? TEXT : extract(source);
    super(isText ? source.toWellFormed() : content);
    if (init === undefined || init === null) {
      // What most responses are like: nothing has to be checked.
      this.#headers = makeFromRaw(type === null ? "" : `content-type\n${type}\n`, false);
      return;
    }
    const status = init.status === undefined ? 200 : Number(init.status);
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      if (!(status === 101 && init.webSocket)) {
        throw new RangeError(status === 101
          ? 'Responses with status code 101 must be used with WebSockets: `new Response(null, {status: 101, webSocket})`.'
          : "The status provided is outside the range [200, 599].");
      }
    }
    if (content !== null && WITHOUT_BODY.has(status)) {
      throw new TypeError("Response with null body status (101, 204, 205, or 304) cannot have a body.");
    }
    this.#status = status;
    const statusText = init.statusText === undefined ? "" : String(init.statusText);
    let webSocket = null;
    if (init.webSocket !== undefined && init.webSocket !== null) {
      if (!(init.webSocket instanceof WebSocket)) throw new TypeError("webSocket is no WebSocket.");
      if (status !== 101) throw new RangeError("Responses with a WebSocket must have status code 101.");
      webSocket = init.webSocket;
    }
    if (statusText !== "" || webSocket !== null || init.cf !== undefined) this.#rest = { ...REST, statusText, webSocket, cf: init.cf };
    if (init.headers === undefined) {
      this.#headers = makeFromRaw(type === null ? "" : `content-type\n${type}\n`, false);
      return;
    }
    this.#headers = new Headers(init.headers);
    if (type !== null && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
  }

  static json(data, init) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("The data is not JSON serializable.");
    const headers = new Headers(init?.headers);
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Response(text, { ...init, status: init?.status, statusText: init?.statusText, headers });
  }

  static redirect(url, status = 302) {
    if (!REDIRECTS.has(status)) throw new RangeError(`${status} is not a redirect status code.`);
    return new Response(null, { status, headers: { location: new URL(String(url)).href } });
  }

  static error() {
    const response = new Response(null);
    response.#status = 0;
    response.#rest = { ...REST, type: "error" };
    return response;
  }

  get status() {
    return this.#status;
  }
  get statusText() {
    return this.#rest.statusText;
  }
  get ok() {
    return this.#status >= 200 && this.#status <= 299;
  }
  get headers() {
    return this.#headers;
  }
  get type() {
    return this.#rest.type;
  }
  get url() {
    return this.#rest.url;
  }
  get redirected() {
    return this.#rest.redirected;
  }
  get webSocket() {
    return this.#rest.webSocket;
  }
  get cf() {
    return this.#rest.cf;
  }
  clone() {
    if (this.#rest.webSocket) throw new TypeError("Cannot clone a response to a WebSocket handshake.");
    const content = cloneBody(this);
    const copy = new Response(INCOMING, { status: this.#status, headers: "", content });
    copy.#headers = new Headers(this.#headers);
    copy.#rest = this.#rest;
    return copy;
  }
  get [Symbol.toStringTag]() {
    return "Response";
  }
}

// The header of a response with which the host tells of the other end of a WebSocket.
const TICKET = /^dohost-websocket\n(.*)\n/m;

// A response that came from elsewhere; its body is bytes, or the number of one that the host has. `socket` is the host's number of a
// WebSocket that came with it.
export function received(status, headers, body, url, redirected, socket = null) {
  const content = typeof body === "number" ? kept(body) : body;
  let webSocket = null;
  if (status === 101) {
    const ticket = socket === null ? TICKET.exec(headers)?.[1] : undefined;
    if (ticket !== undefined) headers = headers.replace(TICKET, "");
    if (socket !== null || ticket !== undefined) webSocket = arrived(socket, ticket ?? null);
  }
  return new Response(INCOMING, { status, headers, content: WITHOUT_BODY.has(status) ? null : content, url, redirected, webSocket });
}
