// A list of many entries, in pages and as a whole.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    for (let page = 0; page < 5; page += 1) {
      const entry = (_, i) => [`k${String(page * 100 + i).padStart(4, "0")}`, page * 100 + i];
      await storage.put(Object.fromEntries(Array.from({ length: 100 }, entry)));
    }
    await found.is("all", (await storage.list()).size);
    let startAfter;
    let pages = 0;
    let sum = 0;
    for (;;) {
      const page = await storage.list({ startAfter, limit: 64 });
      if (page.size === 0) break;
      pages += 1;
      for (const [key, value] of page) {
        startAfter = key;
        sum += value;
      }
    }
    await found.is("pages", pages);
    await found.is("sum", sum);
    await found.is("the last", storage.list({ reverse: true, limit: 1 }));
    return found.response();
  }
}

export default one("SUBJECT");
