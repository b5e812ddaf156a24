// Values that cannot be stored.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await found.throws("a function", () => storage.put("v", function named() {}));
    await found.throws("an arrow", () => storage.put("v", () => 1));
    await found.throws("a symbol", () => storage.put("v", Symbol("s")));
    await found.throws("a function in an object", () => storage.put("v", { f() {} }));
    await found.throws("a function in an array", () => storage.put("v", [1, [() => 2]]));
    await found.throws("a class", () => storage.put("v", class Named {}));
    await found.refuses("a WeakMap", () => storage.put("v", new WeakMap()));
    await found.refuses("a WeakSet", () => storage.put("v", new WeakSet()));
    await found.refuses("a Promise", () => storage.put("v", Promise.resolve(1)));
    await found.refuses("a symbol as a value in a Map", () => storage.put("v", new Map([[1, Symbol("s")]])));
    await found.throws("a getter that throws", () => storage.put("v", { get a() { throw new RangeError("from the getter"); } }));
    await found.is("nothing was stored", storage.list());
    await found.refuses("a generator", () => storage.put("v", (function* () {})()));
    return found.response();
  }
}

export default one("SUBJECT");
