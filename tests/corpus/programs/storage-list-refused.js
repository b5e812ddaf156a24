// Options of `storage.list` that make no sense.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await storage.put("a", 1);
    await found.throws("start and startAfter", () => storage.list({ start: "a", startAfter: "a" }));
    await found.throws("limit 0", () => storage.list({ limit: 0 }));
    await found.throws("limit -1", () => storage.list({ limit: -1 }));
    await found.is("a limit with a fraction", storage.list({ limit: 1.5 }));
    await found.is("a limit as text", storage.list({ limit: "1" }));
    await found.is("an unknown option", storage.list({ unknown: 1 }));
    await found.is("null as start", storage.list({ start: null }));
    await found.is("still well", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
