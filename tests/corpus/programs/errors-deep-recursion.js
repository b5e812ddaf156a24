// Recursion without end is an error that can be caught, and the object lives on.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  memory = 0;
  recurse() {
    this.memory += 1;
    const down = (n) => down(n + 1) + 1;
    try {
      return down(0);
    } catch (error) {
      return [error.name, error instanceof RangeError];
    }
  }
  uncaught() {
    const down = (n) => down(n + 1) + 1;
    return down(0);
  }
  parse() {
    try {
      JSON.parse("[".repeat(1_000_000));
    } catch (error) {
      return error instanceof Error;
    }
  }
  get() {
    return this.memory;
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.is("caught", stub.recurse());
    await found.refuses("not caught", () => stub.uncaught());
    await found.is("deep JSON", stub.parse());
    await found.is("it lives on", stub.get());
    return found.response();
  },
};
