// Event and EventTarget of the DOM Standard.

import { logUncaught } from "dohost:errors";

let prepare;

export class Event {
  #type;
  #init;
  #target = null;
  #current = null;
  #prevented = false;
  #stopped = false;
  #timeStamp = Date.now();

  static {
    prepare = {
      begin: (event, target) => {
        event.#target = target;
        event.#current = target;
        event.#stopped = false;
      },
      end: (event) => {
        event.#current = null;
      },
      isStopped: (event) => event.#stopped,
    };
  }

  constructor(type, init = {}) {
    if (arguments.length === 0) throw new TypeError("Event takes a type.");
    this.#type = String(type);
    this.#init = init ?? {};
  }
  get type() {
    return this.#type;
  }
  get target() {
    return this.#target;
  }
  get currentTarget() {
    return this.#current;
  }
  get srcElement() {
    return this.#target;
  }
  get bubbles() {
    return Boolean(this.#init.bubbles);
  }
  get cancelable() {
    return Boolean(this.#init.cancelable);
  }
  get composed() {
    return Boolean(this.#init.composed);
  }
  get defaultPrevented() {
    return this.#prevented;
  }
  get eventPhase() {
    return this.#current === null ? 0 : 2;
  }
  get isTrusted() {
    return false;
  }
  get timeStamp() {
    return this.#timeStamp;
  }
  get returnValue() {
    return !this.#prevented;
  }
  preventDefault() {
    if (this.cancelable) this.#prevented = true;
  }
  stopPropagation() {}
  stopImmediatePropagation() {
    this.#stopped = true;
  }
  composedPath() {
    return this.#current === null ? [] : [this.#current];
  }
}

export class CustomEvent extends Event {
  #detail;
  constructor(type, init = {}) {
    super(type, init);
    this.#detail = init?.detail ?? null;
  }
  get detail() {
    return this.#detail;
  }
}

export class MessageEvent extends Event {
  #data;
  constructor(type, init = {}) {
    super(type, init);
    this.#data = init?.data ?? null;
  }
  get data() {
    return this.#data;
  }
}

export class ErrorEvent extends Event {
  #init;
  constructor(type, init = {}) {
    super(type, init);
    this.#init = init ?? {};
  }
  get message() {
    return this.#init.message ?? "";
  }
  get error() {
    return this.#init.error;
  }
  get filename() {
    return this.#init.filename ?? "";
  }
  get lineno() {
    return this.#init.lineno ?? 0;
  }
  get colno() {
    return this.#init.colno ?? 0;
  }
}

export class CloseEvent extends Event {
  #init;
  constructor(type, init = {}) {
    super(type, init);
    this.#init = init ?? {};
  }
  get code() {
    return this.#init.code ?? 0;
  }
  get reason() {
    return this.#init.reason ?? "";
  }
  get wasClean() {
    return Boolean(this.#init.wasClean);
  }
}

export class EventTarget {
  #listeners = new Map();

  addEventListener(type, callback, options) {
    if (callback === null || callback === undefined) return;
    const { capture = false, once = false, signal } = typeof options === "object" && options !== null ? options : { capture: Boolean(options) };
    if (signal?.aborted) return;
    type = String(type);
    if (!this.#listeners.has(type)) this.#listeners.set(type, []);
    const listeners = this.#listeners.get(type);
    if (listeners.some((listener) => listener.callback === callback && listener.capture === Boolean(capture))) return;
    listeners.push({ callback, once, capture: Boolean(capture) });
    signal?.addEventListener("abort", () => this.removeEventListener(type, callback, options), { once: true });
  }

  removeEventListener(type, callback, options) {
    const capture = Boolean(typeof options === "object" && options !== null ? options.capture : options);
    const listeners = this.#listeners.get(String(type));
    const index = listeners?.findIndex((listener) => listener.callback === callback && listener.capture === capture) ?? -1;
    if (index >= 0) this.#listeners.set(String(type), listeners.toSpliced(index, 1));
  }

  dispatchEvent(event) {
    prepare.begin(event, this);
    for (const listener of this.#listeners.get(event.type) ?? []) {
      if (listener.once) this.removeEventListener(event.type, listener.callback, listener.capture);
      try {
        if (typeof listener.callback === "function") listener.callback.call(this, event);
        else listener.callback.handleEvent(event);
      } catch (error) {
        logUncaught(error, "Uncaught (in an event listener)");
      }
      if (prepare.isStopped(event)) break;
    }
    prepare.end(event);
    return !event.defaultPrevented;
  }
}
