// Methods see their object: its fields, its store, its environment.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  calls = 0;

  async see() {
    this.calls += 1;
    return {
      calls: this.calls,
      name: this.ctx.id.name,
      greeting: this.env.GREETING,
      stored: await this.ctx.storage.get("none"),
      kind: this.constructor.name,
    };
  }

  self() {
    return this.see();
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.is("first", stub.see());
    await found.is("second", stub.self());
    await found.is("another", env.SUBJECT.getByName("two").see());
    return found.response();
  },
};
