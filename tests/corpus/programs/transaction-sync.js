// `storage.transactionSync` and the synchronous `storage.kv`.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await found.throws("put", () => storage.kv.put("a", 1));
    await found.throws("get", () => storage.kv.get("a"));
    await found.throws("delete", () => storage.kv.delete("none"));
    await found.throws("list", () => [...storage.kv.list()]);
    await found.throws("list with options", () => [...storage.kv.list({ prefix: "b" })]);
    await found.throws("it is one store", () => storage.get("a"));
    await found.throws("a transaction gives", () => storage.transactionSync(() => {
      storage.kv.put("a", 2);
      return "given";
    }));
    await found.throws("that throws", () => storage.transactionSync(() => {
      storage.kv.put("a", 3);
      throw new RangeError("inside");
    }));
    await found.throws("as before", () => storage.kv.get("a"));
    return found.response();
  }
}

export default one("SUBJECT");
