// What a method throws reaches the caller.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

class OwnError extends Error {
  constructor(message) {
    super(message);
    this.name = "OwnError";
    this.code = 42;
  }
}

export class Subject extends DurableObject {
  throw(kind) {
    switch (kind) {
      case "Error":
        throw new Error("text");
      case "TypeError":
        throw new TypeError("text");
      case "RangeError":
        throw new RangeError("text");
      case "SyntaxError":
        throw new SyntaxError("text");
      case "ReferenceError":
        throw new ReferenceError("text");
      case "OwnError":
        throw new OwnError("text");
      case "cause":
        throw new Error("outer", { cause: new Error("inner") });
      case "DOMException":
        throw new DOMException("text", "AbortError");
    }
  }
  async later() {
    await this.ctx.storage.get("x");
    throw new RangeError("later");
  }
  refused() {
    return () => {};
  }
}

export default {
  async fetch(request, env) {
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const found = new Transcript();
    for (const kind of ["Error", "TypeError", "RangeError", "SyntaxError", "ReferenceError", "OwnError", "cause", "DOMException"]) {
      try {
        await stub.throw(kind);
      } catch (error) {
        await found.is(kind, [error.name, error.message, error.constructor.name, error instanceof Error]);
        await found.is("remote, retryable, overloaded, code", [error.remote, error.retryable, error.overloaded, error.code]);
      }
    }
    await found.is("later", stub.later());
    await found.is("none", stub.throw("none"));
    return found.response();
  },
};
