// `storage.delete`, of one key and of many.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await storage.put({ a: 1, b: 2, c: 3, d: 4 });
    await found.is("a key that exists", storage.delete("a"));
    await found.is("once more", storage.delete("a"));
    await found.is("gone", storage.get("a"));
    await found.is("several, some of which exist", storage.delete(["a", "b", "none", "c"]));
    await found.is("the rest", storage.list());
    await found.is("none", storage.delete([]));
    await found.is("one twice", storage.delete(["d", "d"]));
    await storage.put("e", 5);
    await found.is("with options", storage.delete("e", { allowUnconfirmed: true }));
    await found.is("several with options", storage.delete(["e"], { noCache: true }));
    await found.refuses("nothing", () => storage.delete());
    await found.is("all", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
