// A transaction cannot be used after its end.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    let kept;
    await storage.transaction(async (txn) => {
      kept = txn;
      await txn.put("a", 1);
    });
    await found.throws("put after the commit", () => kept.put("a", 2));
    await found.throws("get after the commit", () => kept.get("a"));
    await found.throws("list after the commit", () => kept.list());
    await found.throws("delete after the commit", () => kept.delete("a"));
    await storage.transaction(async (txn) => {
      kept = txn;
      await txn.put("a", 3);
      txn.rollback();
      await found.throws("put after the rollback", () => txn.put("a", 4));
      await found.throws("get after the rollback", () => txn.get("a"));
      await found.throws("a second rollback", () => txn.rollback());
    });
    await found.is("at the end", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
