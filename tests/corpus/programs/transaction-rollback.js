// A transaction that is rolled back leaves nothing, by `rollback` or by an exception; the object goes on.
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
    await storage.put({ a: 1, b: 1 });
    await found.is("rollback gives", storage.transaction(async (txn) => {
      await txn.put("a", 2);
      await txn.delete("b");
      const given = txn.rollback();
      return ["given", given];
    }));
    await found.is("as before", storage.list());
    await found.is("an exception", storage.transaction(async (txn) => {
      await txn.put("a", 3);
      throw new RangeError("thrown inside");
    }));
    await found.is("as before", storage.list());
    await found.is("an exception of a callback that is not async", storage.transaction((txn) => {
      txn.put("a", 4);
      throw new TypeError("thrown at once");
    }));
    await found.is("as before", storage.list());
    await found.is("something that is no error", storage.transaction(async () => {
      throw "text";
    }));
    await found.is("and again, kept", storage.transaction(async (txn) => {
      await txn.put("a", 5);
      return "kept";
    }));
    await found.is("at the end", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
