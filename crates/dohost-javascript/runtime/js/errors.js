// Exceptions: those of the web, and those that cross from one object to another.

import native from "dohost:native";

const CODES = {
  IndexSizeError: 1, HierarchyRequestError: 3, WrongDocumentError: 4, InvalidCharacterError: 5,
  NoModificationAllowedError: 7, NotFoundError: 8, NotSupportedError: 9, InUseAttributeError: 10, InvalidStateError: 11,
  SyntaxError: 12, InvalidModificationError: 13, NamespaceError: 14, InvalidAccessError: 15, TypeMismatchError: 17,
  SecurityError: 18, NetworkError: 19, AbortError: 20, URLMismatchError: 21, QuotaExceededError: 22, TimeoutError: 23,
  InvalidNodeTypeError: 24, DataCloneError: 25,
};

export class DOMException extends Error {
  #name;
  constructor(message = "", options = "Error") {
    super(message);
    const named = typeof options === "object" && options !== null ? options.name : options;
    if (typeof options === "object" && options !== null && "cause" in options) {
      Object.defineProperty(this, "cause", { value: options.cause, configurable: true, writable: true });
    }
    this.#name = named === undefined ? "Error" : String(named);
  }
  get name() {
    return this.#name;
  }
  get code() {
    return CODES[this.#name] ?? 0;
  }
  get [Symbol.toStringTag]() {
    return "DOMException";
  }
}
// QuickJS has one of its own, of which this one knows nothing.
Object.defineProperty(globalThis, "DOMException", { value: DOMException, writable: true, configurable: true });
for (const [name, code] of Object.entries(CODES)) {
  const constant = name.replace(/Error$/, "").replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase() + "_ERR";
  Object.defineProperty(DOMException, constant, { value: code, enumerable: true });
}

const BUILT_IN = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

// An exception in words: `TypeError: x`.
export function inWords(thrown) {
  if (thrown instanceof Error || (typeof thrown === "object" && thrown !== null && "message" in thrown && "name" in thrown)) {
    const message = String(thrown.message);
    return message === "" ? String(thrown.name) : `${thrown.name}: ${message}`;
  }
  try {
    return String(thrown);
  } catch {
    return "an exception that cannot be described";
  }
}

// The exception that another object threw, of its words.
export function fromWords(words) {
  const found = /^([A-Za-z_$][\w$]*)(?:: ([^]*))?$/.exec(words);
  if (found) {
    const [, name, message = ""] = found;
    if (Object.hasOwn(BUILT_IN, name)) return new BUILT_IN[name](message);
    if (Object.hasOwn(CODES, name)) return new DOMException(message, name);
    // Of a class that only the program knows: its name stays.
    if (/Error$/.test(name)) {
      const error = new Error(message);
      Object.defineProperty(error, "name", { value: name, writable: true, configurable: true });
      return error;
    }
  }
  return new Error(words);
}

// The frames among the lines of a stack that are the program's; the runtime's own are of no interest to anybody.
function framesIn(stack) {
  const frames = [];
  for (const line of stack.split("\n")) {
    const isFrame = /^\s+at /.test(line);
    if (!isFrame || line.includes("(dohost:") || line.includes("at dohost:") || line.includes("(native)")) continue;
    frames.push(line.trimEnd());
  }
  return frames.join("\n");
}

export function framesOf(thrown) {
  if (typeof thrown !== "object" || thrown === null || typeof thrown.stack !== "string") return "";
  return framesIn(thrown.stack);
}

// A stack as V8 has it: the exception in words, then the frames. QuickJS gives the frames alone, unless a program makes stacks itself.
function stackOf(thrown, frames) {
  if (typeof Error.prepareStackTrace === "function") return frames;
  const words = inWords({ name: thrown.name ?? "Error", message: thrown.message ?? "" });
  const programs = framesIn(frames);
  return programs === "" ? words : `${words}\n${programs}`;
}

const { get: bareStack, set: setStack } = Object.getOwnPropertyDescriptor(Error.prototype, "stack");
Object.defineProperty(Error.prototype, "stack", {
  get() {
    const frames = bareStack.call(this);
    return typeof frames === "string" ? stackOf(this, frames) : frames;
  },
  set: setStack,
  configurable: true,
});

const { captureStackTrace } = Error;
Object.defineProperty(Error, "captureStackTrace", {
  // A method, as such have no prototype.
  value: {
    captureStackTrace(target, above) {
      captureStackTrace(target, above);
      const { value, ...how } = Object.getOwnPropertyDescriptor(target, "stack") ?? {};
      if (typeof value === "string") Object.defineProperty(target, "stack", { ...how, value: stackOf(target, value) });
    },
  }.captureStackTrace,
  writable: true,
  configurable: true,
});

// Words and frames, as a log has them.
export function atLength(thrown) {
  const frames = framesOf(thrown);
  const words = inWords(thrown);
  let cause = "";
  if (thrown instanceof Error && thrown.cause !== undefined) cause = `\n  [cause]: ${atLength(thrown.cause)}`;
  return (frames === "" ? words : `${words}\n${frames}`) + cause;
}

export function logUncaught(thrown, what = "Uncaught") {
  // As one write: lines of others must not come in between.
  native.print(`${what} ${atLength(thrown)}`);
}
