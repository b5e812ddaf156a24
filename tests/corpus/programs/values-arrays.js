// Arrays with holes, with more than items, with a length of their own.
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
    await check("holes", [1, , 3]);
    await check("a hole at the end", [1, , ,]);
    await check("undefined is no hole", [undefined, , null]);
    const sparse = [];
    sparse[1000] = "far";
    await storage.put("value", sparse);
    const read = await storage.get("value");
    await found.is("sparse", [read.length, Object.keys(read), read[1000]]);
    const extra = Object.assign([1, 2], { name: "extra" });
    await check("properties beside the items", extra);
    const long = [1, 2];
    long.length = 4;
    await check("a longer length", long);
    await check("minus zero and NaN", [-0, NaN, 0]);
    await check("nested", [[], [[]], [[1], 2]]);
    return found.response();
  }
}

export default one("SUBJECT");
