// The order of keys is that of their UTF-8 bytes, not of their UTF-16 units, and prefixes are bytes too.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const keys = async (options) => [...(await storage.list(options)).keys()].map((key) => JSON.stringify(key)).join(" ");
    for (const key of ["z", "é", "e", "\uffff", "😀", "\ud7ff", "\ue000", "Z", "", "\u0000", "a\u0000b", "a", "a\u0001"]) {
      await storage.put(key, 1);
    }
    await found.is("everything", keys());
    await found.is("reversed", keys({ reverse: true }));
    await found.is("prefix é", keys({ prefix: "é" }));
    await found.is("prefix U+FFFF", keys({ prefix: "\uffff" }));
    await found.is("prefix emoji", keys({ prefix: "😀" }));
    await found.is("prefix NUL", keys({ prefix: "\u0000" }));
    await found.is("start at U+E000", keys({ start: "\ue000" }));
    await found.is("after U+FFFF", keys({ startAfter: "\uffff" }));
    await found.is("end at emoji", keys({ start: "é", end: "😀" }));
    await found.is("end is the empty key", keys({ end: "" }));
    await found.is("after the empty key", keys({ startAfter: "", limit: 2 }));
    await found.is("get in order", storage.get(["😀", "\uffff", "\ue000", "é", "z"]));
    return found.response();
  }
}

export default one("SUBJECT");
