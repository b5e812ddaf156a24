// Values of every kind are the same after the process was killed.
//> GET /write
//! restart
//> GET /read

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch(request) {
    const { storage } = this.ctx;
    if (new URL(request.url).pathname === "/write") {
      const self = { list: [1, , 3] };
      self.self = self;
      await storage.put({
        self,
        map: new Map([["a", new Set([1n, 2n ** 70n])]]),
        date: new Date(123456789),
        bytes: new Float64Array([1.5, -0]),
        error: new RangeError("text"),
        pattern: /x/i,
        rest: [undefined, null, NaN, -0, Infinity, "\ud800"],
      });
      return new Response("written");
    }
    const found = new Transcript();
    for (const [key, value] of await storage.list()) await found.is(key, value);
    return found.response();
  }
}

export default one("SUBJECT");
