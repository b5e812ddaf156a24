// Request of the Fetch Standard.

import { AbortController, AbortSignal } from "dohost:abort";
import { Body, cloneBody, extract, takeBody } from "dohost:body";
import { Headers, makeFromRaw } from "dohost:headers";
import { URL } from "dohost:url";

const INCOMING = Symbol("incoming");
const METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);

export class Request extends Body {
  #method;
  #url;
  #headers;
  #redirect = "follow";
  #signal = null;
  #cf = undefined;
  #cache = undefined;

  constructor(input, init) {
    if (input === INCOMING) {
      super(init.content);
      this.#method = init.method;
      this.#url = init.url;
      this.#headers = makeFromRaw(init.headers, true);
      // A redirect that is the answer to what came from outside goes back there.
      this.#redirect = "manual";
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
    this.#redirect = init.redirect ?? from?.redirect ?? "follow";
    if (!["follow", "manual", "error"].includes(this.#redirect)) throw new TypeError(`Invalid redirect value, must be one of "follow" or "manual" ("error" won't be implemented since it does not make sense at the edge; use "manual" and check the response status code).`);
    const signal = init.signal === undefined ? from?.signal : init.signal;
    if (signal !== undefined && signal !== null && !(signal instanceof AbortSignal)) throw new TypeError("signal is no AbortSignal.");
    this.#signal = signal ?? null;
    this.#cf = init.cf ?? from?.cf;
    this.#cache = init.cache;
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
    return this.#redirect;
  }
  get signal() {
    this.#signal ??= new AbortController().signal;
    return this.#signal;
  }
  get cf() {
    return this.#cf;
  }
  get cache() {
    return this.#cache;
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
    const copy = new Request(INCOMING, { method: this.#method, url: this.#url, headers: "", content });
    copy.#headers = new Headers(this.#headers);
    copy.#redirect = this.#redirect;
    copy.#signal = this.#signal;
    copy.#cf = this.#cf;
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

// A request that came from outside.
export function incoming(method, url, headers, content) {
  return new Request(INCOMING, { method, url, headers, content });
}
