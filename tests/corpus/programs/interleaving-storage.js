// While a request waits for the store, no other one runs: a counter with get and put loses nothing.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async increment() {
    const value = (await this.ctx.storage.get("value")) ?? 0;
    const same = await this.ctx.storage.get("value");
    await this.ctx.storage.put("value", value + 1);
    return value === (same ?? 0) ? value + 1 : "interfered";
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    const results = await Promise.all(Array.from({ length: 50 }, () => stub.increment()));
    await found.is("each its own number", new Set(results).size);
    await found.is("the largest", Math.max(...results));
    await found.is("in order", results.every((value, i) => value === i + 1));
    return found.response();
  },
};
