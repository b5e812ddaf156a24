// DOMException, and the errors of the language.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const error = new DOMException("text", "NotFoundError");
    await found.is("DOMException", [error.name, error.message, error.code, error instanceof Error, String(error)]);
    await found.is("without a name", [new DOMException().name, new DOMException().message, new DOMException("x").code]);
    await found.is("codes", [DOMException.DATA_CLONE_ERR, new DOMException("", "DataCloneError").code]);
    await found.is("cause", new Error("a", { cause: 1 }).cause);
    await found.is("AggregateError", new AggregateError([new Error("x")], "many").errors.length);
    await found.is("Promise.any", Promise.any([Promise.reject(new Error("x"))]).catch((error) => [error.name, error.errors.length]));
    await found.is("a stack names the function", (function here() { return new Error("x").stack.includes("here"); })());
    await found.is("reportError", typeof reportError);
    return found.response();
  },
};
