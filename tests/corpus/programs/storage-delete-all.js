// `storage.deleteAll`.
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
    await found.is("at first", storage.list());
    await storage.put({ a: 1, b: 2 });
    await found.is("it gives", storage.deleteAll());
    await found.is("afterwards", storage.list());
    await found.is("of nothing", storage.deleteAll());
    await storage.put("c", 3);
    await found.is("what comes later stays", storage.list());
    storage.put("d", 4);
    const deleted = storage.deleteAll();
    storage.put("e", 5);
    await deleted;
    await found.is("without waiting, in order", storage.list());
    await found.is("with options", storage.deleteAll({ allowUnconfirmed: true }));
    await found.is("at the end", storage.list());
    await storage.put("kept", true);
    return found.response();
  }
}

export default one("SUBJECT");
