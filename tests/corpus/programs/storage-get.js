// `storage.get`, of one key and of many.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await found.is("no such key", storage.get("none"));
    await found.is("no such keys", storage.get(["none", "neither"]));
    await storage.put("b", 2);
    await storage.put("a", 1);
    await storage.put("c", 3);
    await found.is("one key", storage.get("a"));
    await found.is("several keys, in order of the keys", storage.get(["c", "a", "none", "b"]));
    await found.is("a key twice", storage.get(["a", "a"]));
    await found.is("no keys", storage.get([]));
    await found.is("with options", storage.get("a", { allowConcurrency: true, noCache: true }));
    await found.is("several with options", storage.get(["a"], { noCache: true }));
    await found.is("with options that are undefined", storage.get("a", undefined));
    await found.is("a number is no key but becomes one", storage.get(1));
    await storage.put(1, "one");
    await found.is("it is the key 1", storage.get("1"));
    await found.refuses("nothing", () => storage.get());
    await found.is("the empty key", storage.get(""));
    await storage.put("", "empty");
    await found.is("the empty key has a value", storage.get(""));
    await found.is("a promise", storage.get("a") instanceof Promise);
    return found.response();
  }
}

export default one("SUBJECT");
