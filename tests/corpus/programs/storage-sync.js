// `storage.sync` waits for what was written, and gives nothing.
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
    storage.put("a", 1, { allowUnconfirmed: true });
    storage.put("b", 2);
    await found.is("sync", storage.sync());
    await found.is("without writes", storage.sync());
    await found.is("all", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
