// What an object throws in `fetch` reaches the Worker, with name and text and what Cloudflare adds.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    switch (pathname) {
      case "/error":
        throw new Error("plain");
      case "/type-error":
        throw new TypeError("of a type");
      case "/own":
        throw new (class MyError extends Error {
          name = "MyError";
        })("of one's own");
      case "/text":
        throw "just text";
      case "/undefined":
        throw undefined;
      case "/object":
        throw { a: 1 };
      case "/late":
        await new Promise((resolve) => setTimeout(resolve, 1));
        throw new RangeError("late");
      case "/empty":
        throw new Error();
      default:
        return new Response("still there");
    }
  }
}

export default {
  async fetch(request, env) {
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const found = new Transcript();
    for (const path of ["error", "type-error", "own", "late", "empty", "fine"]) {
      try {
        const response = await stub.fetch(`http://object/${path}`);
        await found.is(path, response.text());
      } catch (error) {
        await found.is(path, error);
        await found.is("its constructor", error.constructor.name);
        await found.is("remote, retryable, overloaded", [error.remote, error.retryable, error.overloaded]);
        await found.is("a stack", typeof error.stack);
      }
    }
    for (const path of ["text", "undefined", "object"]) {
      await found.refuses(path, () => stub.fetch(`http://object/${path}`));
    }
    return found.response();
  },
};
