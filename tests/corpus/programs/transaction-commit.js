// `storage.transaction`: what the callback gets, what it gives, what is there afterwards.
//> GET /
//! restart
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await found.is("what was left", storage.list());
    await found.is("it gives what the callback gives", storage.transaction(async (txn) => {
      await found.is("put", txn.put("a", 1));
      await found.is("put of many", txn.put({ b: 2, c: 3 }));
      await found.is("get", txn.get("a"));
      await found.is("get of many", txn.get(["c", "a", "none"]));
      await found.is("delete", txn.delete("b"));
      await found.is("delete of many", txn.delete(["b", "none"]));
      await found.is("list", txn.list());
      await found.is("list with options", txn.list({ reverse: true, limit: 1 }));
      await found.is("the storage itself sees it too", storage.get("a"));
      return "given";
    }));
    await found.is("afterwards", storage.list());
    await found.is("a callback that is not async", storage.transaction((txn) => {
      txn.put("d", 4);
      return 5;
    }));
    await found.is("d", storage.get("d"));
    await found.is("a callback that gives nothing", storage.transaction(async () => {}));
    await found.is("a value of the object's own in it", storage.transaction(async (txn) => {
      await storage.put("e", 5);
      return txn.get("e");
    }));
    await found.is("all", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
