// Calls of the store that nobody waits for happen in their order.
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
    storage.put("a", 1);
    storage.put("b", 2);
    const first = storage.get("a");
    storage.put("a", 10);
    const second = storage.get("a");
    const removed = storage.delete("b");
    const third = storage.get("b");
    storage.put({ b: 20, c: 30 });
    const all = storage.list();
    storage.delete("c");
    await found.is("a get sees what was put before it", first);
    await found.is("and what was put again", second);
    await found.is("removed", removed);
    await found.is("a get after the delete", third);
    await found.is("a list before the last delete", all);
    await found.is("at the end", storage.list());
    const [x, y] = await Promise.all([storage.get("a"), storage.get("b")]);
    await found.is("at once", [x, y]);
    return found.response();
  }
}

export default one("SUBJECT");
