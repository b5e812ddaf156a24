// `ctx.abort` ends this life of the object: the call fails with the reason, memory is gone, durable writes stay.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  memory = "new";
  async set() {
    this.memory = "set";
    await this.ctx.storage.put("stored", "set");
    await this.ctx.storage.sync();
  }
  async get() {
    return [this.memory, await this.ctx.storage.get("stored")];
  }
  async abort(reason) {
    this.ctx.abort(reason);
    return "not reached";
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    await env.SUBJECT.getByName("one").set();
    await found.is("before", env.SUBJECT.getByName("one").get());
    await found.refuses("abort", () => env.SUBJECT.getByName("one").abort("the reason"));
    await found.is("after", env.SUBJECT.getByName("one").get());
    try {
      await env.SUBJECT.getByName("two").abort("the reason");
    } catch (error) {
      await found.is("the text", error.message);
    }
    try {
      await env.SUBJECT.getByName("three").abort();
    } catch (error) {
      await found.is("no reason", error instanceof Error);
    }
    return found.response();
  },
};
