// Errors as values.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const check = async (label, value) => {
      await storage.put("value", value);
      await found.is(label, storage.get("value"));
    };
    for (const kind of [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError]) {
      await storage.put("value", new kind("text"));
      const read = await storage.get("value");
      await found.is(kind.name, [read, read.constructor === kind, Object.getPrototypeOf(read) === kind.prototype]);
    }
    class MyError extends Error {
      name = "MyError";
    }
    await check("of a class of one's own", new MyError("text"));
    await check("with a cause", new Error("outer", { cause: new TypeError("inner") }));
    await check("without a text", new Error());
    await check("in an object", { error: new Error("x") });
    await storage.put("value", new Error("x"));
    await found.is("a stack", typeof (await storage.get("value")).stack);
    const renamed = new Error("x");
    renamed.name = "RangeError";
    await check("with the name of another one", renamed);
    return found.response();
  }
}

export default one("SUBJECT");
