// Request of the Fetch Standard.

import { AbortController, AbortSignal } from "dohost:abort";
import { Body, cloneBody, extract, takeBody } from "dohost:body";
import { Headers, makeFromRaw } from "dohost:headers";
import { URL } from "dohost:url";

const INCOMING = Symbol("incoming");
const METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

// What is seldom asked for and mostly the same.
class Rest {
  signal = null;
  cf = undefined;
  cache = undefined;
  constructor(redirect) {
    this.redirect = redirect;
  }
}

let incoming;

export class Request extends Body {
  #method;
  #url;
  #headers;
  // Null if it came from outside and nobody has asked for a signal.
  #rest = null;

  static {
    // A request that came from outside.
    incoming = (method, url, headers, content) => {
      const request = new Request(INCOMING, content);
      request.#method = method;
      request.#url = url;
      request.#headers = makeFromRaw(headers, true);
      return request;
    };
  }

  constructor(input, init) {
    if (input === INCOMING) {
      super(init);
      return;
    }
    init ??= {};
    const from = input instanceof Request ? input : null;
    // `init` may be a request too: all that it has is asked for by name.
    const ownBody = init.body !== undefined && init.body !== null ? extract(init.body) : null;
    const method = methodOf(init.method ?? from?.method ?? "GET");
    let content = null;
    if (ownBody) content = ownBody.content;
    else if (from && init.body !== null && from.#hasContent()) content = takeBody(from);
    if (content !== null && (method === "GET" || method === "HEAD") && ownBody) {
      throw new TypeError("Request with a GET or HEAD method cannot have a body.");
    }
    super(content);
    this.#method = method;
    this.#url = from ? from.url : new URL(String(input)).href;
    this.#headers = new Headers(init.headers ?? from?.headers);
    if (ownBody?.type && !this.#headers.has("content-type")) this.#headers.set("content-type", ownBody.type);
    const rest = new Rest(init.redirect ?? from?.redirect ?? "follow");
    this.#rest = rest;
    if (!["follow", "manual", "error"].includes(rest.redirect)) throw new TypeError(`Invalid redirect value, must be one of "follow" or "manual" ("error" won't be implemented since it does not make sense at the edge; use "manual" and check the response status code).`);
    const signal = init.signal === undefined ? from?.signal : init.signal;
    if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) throw new TypeError("signal is no AbortSignal.");
    rest.signal = signal ?? null;
    rest.cf = init.cf ?? from?.cf;
    rest.cache = init.cache;
  }

  #hasContent() {
    return super.bodyUsed || this.#method !== "GET" && this.#method !== "HEAD";
  }

  get method() {
    return this.#method;
  }
  get url() {
    return this.#url;
  }
  get headers() {
    return this.#headers;
  }
  get redirect() {
    // A redirect that is the answer to what came from outside goes back there.
    return this.#rest === null ? "manual" : this.#rest.redirect;
  }
  get signal() {
    this.#rest ??= new Rest("manual");
    this.#rest.signal ??= new AbortController().signal;
    return this.#rest.signal;
  }
  get cf() {
    return this.#rest?.cf;
  }
  get cache() {
    return this.#rest?.cache;
  }
  get fetcher() {
    return null;
  }
  get integrity() {
    return "";
  }
  get keepalive() {
    return false;
  }
  clone() {
    const content = cloneBody(this);
    const copy = new Request(INCOMING, content);
    copy.#method = this.#method;
    copy.#url = this.#url;
    copy.#headers = new Headers(this.#headers);
    if (this.#rest !== null) copy.#rest = Object.assign(new Rest(), this.#rest);
    return copy;
  }
  get [Symbol.toStringTag]() {
    return "Request";
  }
}

function methodOf(method) {
  method = String(method);
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`Invalid HTTP method string: ${method}`);
  const upper = method.toUpperCase();
  if (upper === "TRACE" || upper === "TRACK" || upper === "CONNECT") throw new TypeError(`Invalid HTTP method string: ${method}`);
  return METHODS.has(upper) || upper === "PATCH" ? upper : method;
}

export { incoming };
