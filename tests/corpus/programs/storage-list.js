// `storage.list` with each option.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const keys = async (options) => [...(await storage.list(options)).keys()].join(" ");
    await found.is("an empty store", storage.list());
    await storage.put({ a: 1, aa: 2, ab: 3, b: 4, ba: 5, c: 6 });
    await found.is("everything", storage.list());
    await found.is("it is a Map", (await storage.list()) instanceof Map);
    await found.is("start", keys({ start: "ab" }));
    await found.is("start that is no key", keys({ start: "abc" }));
    await found.is("startAfter", keys({ startAfter: "ab" }));
    await found.is("startAfter that is no key", keys({ startAfter: "aaa" }));
    await found.is("end", keys({ end: "b" }));
    await found.is("start and end", keys({ start: "aa", end: "b" }));
    await found.is("startAfter and end", keys({ startAfter: "aa", end: "b" }));
    await found.is("an empty range", keys({ start: "b", end: "b" }));
    await found.is("a range that is the wrong way round", keys({ start: "c", end: "a" }));
    await found.is("prefix", keys({ prefix: "a" }));
    await found.is("a prefix of nothing", keys({ prefix: "x" }));
    await found.is("the empty prefix", keys({ prefix: "" }));
    await found.is("limit", keys({ limit: 2 }));
    await found.is("a limit that is not reached", keys({ limit: 100 }));
    await found.is("prefix and start", keys({ prefix: "a", start: "aa" }));
    await found.is("prefix and a start before it", keys({ prefix: "b", start: "a" }));
    await found.is("prefix and a start behind it", keys({ prefix: "a", start: "b" }));
    await found.is("prefix and end", keys({ prefix: "a", end: "ab" }));
    await found.is("prefix and an end before it", keys({ prefix: "b", end: "a" }));
    await found.is("prefix and an end behind it", keys({ prefix: "a", end: "z" }));
    await found.is("prefix, startAfter and limit", keys({ prefix: "a", startAfter: "a", limit: 1 }));
    await found.is("no options", keys({}));
    await found.is("options that are undefined", keys({ start: undefined, end: undefined, limit: undefined }));
    await found.is("hints", keys({ allowConcurrency: true, noCache: true, limit: 1 }));
    return found.response();
  }
}

export default one("SUBJECT");
