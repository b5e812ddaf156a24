// `storage.put` of an object of entries.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await found.is("entries", storage.put({ b: 2, a: 1 }));
    await found.is("all", storage.list());
    await found.is("no entries", storage.put({}));
    await found.is("with options", storage.put({ a: 10 }, { allowUnconfirmed: true }));
    await found.is("a", storage.get("a"));
    await found.is("undefined is left out", storage.put({ a: undefined, c: 3 }));
    await found.is("all", storage.list());
    await found.is("numbers as names", storage.put({ 2: "two", 10: "ten" }));
    await found.is("all, in order of the text", storage.list());
    await found.refuses("one value that cannot be stored", () => storage.put({ d: 4, e: () => 1 }));
    await found.is("then nothing was", storage.get(["d", "e"]));
    const many = Object.fromEntries(Array.from({ length: 128 }, (_, i) => [`m${i}`, i]));
    await found.is("128", storage.put(many));
    await found.is("so many", (await storage.list({ prefix: "m" })).size);
    class Entries { x = 1; }
    await found.is("an instance of a class", storage.put(new Entries()));
    await found.is("x", storage.get("x"));
    return found.response();
  }
}

export default one("SUBJECT");
