// `storage.list` in descending order: `start` stays the lower bound and `end` the upper one.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const keys = async (options) => [...(await storage.list({ reverse: true, ...options })).keys()].join(" ");
    await storage.put({ a: 1, aa: 2, ab: 3, b: 4, ba: 5, c: 6 });
    await found.is("everything", keys({}));
    await found.is("not reversed", keys({ reverse: false }));
    await found.is("start", keys({ start: "ab" }));
    await found.is("startAfter", keys({ startAfter: "ab" }));
    await found.is("end", keys({ end: "b" }));
    await found.is("limit counts from above", keys({ limit: 2 }));
    await found.is("start and limit", keys({ start: "a", limit: 2 }));
    await found.is("end and limit", keys({ end: "b", limit: 2 }));
    await found.is("prefix", keys({ prefix: "a" }));
    await found.is("prefix and limit", keys({ prefix: "a", limit: 1 }));
    await found.is("prefix and end", keys({ prefix: "a", end: "ab" }));
    await found.is("prefix and startAfter", keys({ prefix: "a", startAfter: "a" }));
    await found.is("an empty range", keys({ start: "c", end: "b" }));
    await found.is("a Map in that order", storage.list({ reverse: true, limit: 3 }));
    return found.response();
  }
}

export default one("SUBJECT");
