// Writes that nothing waits for are there at once, in their order among the others.
//> GET /
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await found.is("at first", storage.list());
    storage.put("a", 1, { allowUnconfirmed: true });
    storage.put("b", 2);
    storage.delete("a", { allowUnconfirmed: true });
    storage.put({ c: 3, d: 4 }, { allowUnconfirmed: true });
    await found.is("then", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
