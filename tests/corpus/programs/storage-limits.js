// How long keys and values may be, and how many there may be in a call. All of it is inside of the limits.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const key = "k".repeat(2048);
    await storage.put(key, 1);
    await found.is("a key of 2,048 bytes", storage.get(key));
    await storage.put("large", "v".repeat(1_000_000));
    await found.is("a value of 1 MB", (await storage.get("large")).length);
    const million = await storage.get("large");
    await found.is("it is whole", million === "v".repeat(1_000_000));
    await found.is("the object lives on", storage.get(key));
    const keys = Array.from({ length: 128 }, (_, i) => `k${i}`);
    await found.is("get of 128 keys", storage.get(keys));
    await found.is("delete of 128 keys", storage.delete(keys));
    return found.response();
  }
}

export default one("SUBJECT");
