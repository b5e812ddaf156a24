// Throwing what is no error, and errors with properties, from methods.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async throw(kind) {
    switch (kind) {
      case "text":
        throw "text";
      case "number":
        throw 5;
      case "null":
        throw null;
      case "undefined":
        throw undefined;
      case "object":
        throw { code: 1 };
      case "properties":
        throw Object.assign(new Error("with properties"), { code: "E_CODE", details: { a: [1] }, status: 404 });
      case "aggregate":
        throw new AggregateError([new Error("one")], "many");
    }
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    for (const kind of ["text", "number", "null", "undefined"]) {
      try {
        await stub.throw(kind);
      } catch (error) {
        await found.is(kind, error instanceof Error ? [error.name, error.message] : error);
      }
    }
    try {
      await stub.throw("properties");
    } catch (error) {
      await found.is("properties", [error.message, error.code, error.details, error.status]);
    }
    try {
      await stub.throw("aggregate");
    } catch (error) {
      await found.is("aggregate", [error.name, error.message]);
    }
    return found.response();
  },
};
