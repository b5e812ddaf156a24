// Values are copied in and out, so changing them changes nothing in the store.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const value = { list: [1, 2], inner: { x: 1 } };
    const done = storage.put("value", value);
    value.list.push(3);
    value.inner.x = 2;
    await done;
    await found.is("as it was when it was put", storage.get("value"));
    const one = await storage.get("value");
    one.list.push(4);
    await found.is("a read value is one's own", storage.get("value"));
    const again = await storage.get("value");
    await found.is("two reads are two values", one !== again && one.inner !== again.inner);
    const bytes = new Uint8Array([1, 2, 3]);
    await storage.put("bytes", bytes);
    bytes[0] = 9;
    await found.is("bytes", storage.get("bytes"));
    return found.response();
  }
}

export default one("SUBJECT");
