// An alarm belongs to the transaction that sets it, and goes with `deleteAll`.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  alarm() {}
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const time = Date.now() + 100_000;
    await storage.transaction(async (txn) => {
      await txn.setAlarm(time);
      await found.is("inside", (await txn.getAlarm()) === time);
      txn.rollback();
    });
    await found.is("rolled back", storage.getAlarm());
    await storage.transaction(async (txn) => {
      await txn.setAlarm(time);
      await txn.put("a", 1);
    });
    await found.is("committed", (await storage.getAlarm()) === time);
    await storage.transaction(async (txn) => txn.deleteAlarm());
    await found.is("deleted", storage.getAlarm());
    await storage.setAlarm(time);
    await storage.deleteAll();
    await found.is("after deleteAll", storage.getAlarm());
    return found.response();
  }
}

export default one("SUBJECT");
