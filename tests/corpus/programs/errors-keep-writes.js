// An exception undoes nothing: what the object wrote before it stays, and so does what it remembers.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  count = 0;

  async fail() {
    this.count += 1;
    await this.ctx.storage.put("value", this.count);
    throw new Error(`failure ${this.count}`);
  }

  async get() {
    return [this.count, await this.ctx.storage.get("value")];
  }
}

export default {
  async fetch(request, env) {
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const found = new Transcript();
    await found.is("first", stub.fail());
    await found.is("then", stub.get());
    await found.is("second", stub.fail());
    await found.is("then", stub.get());
    return found.response();
  },
};
