// `storage.put` of one key: what it gives, what it overwrites, what it refuses.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await found.is("a put gives", storage.put("a", 1));
    await found.is("and it is there", storage.get("a"));
    await storage.put("a", "two");
    await found.is("overwritten, by another type", storage.get("a"));
    await found.is("with options", storage.put("a", 3, { allowUnconfirmed: true, noCache: true, allowConcurrency: true }));
    await found.is("after that", storage.get("a"));
    await found.throws("undefined", () => storage.put("a", undefined));
    await found.throws("no value", () => storage.put("a"));
    await found.is("still", storage.get("a"));
    await found.is("null is a value", storage.put("null", null));
    await found.is("null", storage.get("null"));
    await found.is("keys of any text", storage.put("a/b c\n\u0000é😀", "odd"));
    await found.is("their value", storage.get("a/b c\n\u0000é😀"));
    await found.refuses("no arguments", () => storage.put());
    await found.refuses("a symbol as key", () => storage.put(Symbol("key"), 1));
    await found.refuses("a function", () => storage.put("f", () => 1));
    return found.response();
  }
}

export default one("SUBJECT");
