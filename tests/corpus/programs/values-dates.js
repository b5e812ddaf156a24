// Dates and regular expressions.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const check = async (label, value) => {
      await storage.put("value", value);
      await found.is(label, storage.get("value"));
    };
    await check("a date", new Date("2026-01-02T03:04:05.678Z"));
    await check("before 1970", new Date(-1));
    await check("the first and the last", [new Date(-8.64e15), new Date(8.64e15)]);
    await check("an invalid date", new Date(NaN));
    await check("in a Map", new Map([[new Date(0), new Date(1)]]));
    await check("a regular expression", /a+\/b/giu);
    const used = /x/g;
    used.lastIndex = 5;
    await check("its lastIndex is not kept", used);
    await check("an empty one", new RegExp(""));
    return found.response();
  }
}

export default one("SUBJECT");
