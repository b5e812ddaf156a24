// AbortController and AbortSignal of the DOM Standard.

import { DOMException } from "dohost:errors";
import { Event, EventTarget } from "dohost:event";
import { setTimeout } from "dohost:timers";

const PRIVATE = Symbol("private");
let abort;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason = undefined;
  #onabort = null;

  static {
    abort = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason === undefined ? new DOMException("The operation was aborted", "AbortError") : reason;
      const event = new Event("abort");
      if (typeof signal.#onabort === "function") signal.#onabort.call(signal, event);
      signal.dispatchEvent(event);
    };
  }

  constructor(key) {
    if (key !== PRIVATE) throw new TypeError("Illegal constructor");
    super();
  }
  get aborted() {
    return this.#aborted;
  }
  get reason() {
    return this.#reason;
  }
  get onabort() {
    return this.#onabort;
  }
  set onabort(handler) {
    this.#onabort = handler;
  }
  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }
  static abort(reason) {
    const signal = new AbortSignal(PRIVATE);
    abort(signal, reason);
    return signal;
  }
  static timeout(milliseconds) {
    const signal = new AbortSignal(PRIVATE);
    setTimeout(() => abort(signal, new DOMException("The operation was aborted due to timeout", "TimeoutError")), milliseconds);
    return signal;
  }
  static any(signals) {
    const any = new AbortSignal(PRIVATE);
    for (const signal of signals) {
      if (signal.aborted) {
        abort(any, signal.reason);
        break;
      }
      signal.addEventListener("abort", () => abort(any, signal.reason), { once: true });
    }
    return any;
  }
}

export class AbortController {
  #signal = new AbortSignal(PRIVATE);
  get signal() {
    return this.#signal;
  }
  abort(reason) {
    abort(this.#signal, reason);
  }
}

// `promise`, or the reason of the signal if that comes first.
export function unlessAborted(signal, promise) {
  if (!signal) return promise;
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

