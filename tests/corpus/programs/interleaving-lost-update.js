// Reading, waiting for another object, and writing loses updates; a block around it does not.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Counter extends DurableObject {
  async careless() {
    const value = (await this.ctx.storage.get("careless")) ?? 0;
    await this.env.OTHER.getByName("other").wait();
    await this.ctx.storage.put("careless", value + 1);
  }
  async careful() {
    await this.ctx.blockConcurrencyWhile(async () => {
      const value = (await this.ctx.storage.get("careful")) ?? 0;
      await this.env.OTHER.getByName("other").wait();
      await this.ctx.storage.put("careful", value + 1);
    });
  }
  all() {
    return this.ctx.storage.list();
  }
}

export class Other extends DurableObject {
  async wait() {
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.COUNTER.getByName("one");
    await Promise.all([1, 2, 3, 4].map(() => stub.careless()));
    await Promise.all([1, 2, 3, 4].map(() => stub.careful()));
    await found.is("counted", stub.all());
    return found.response();
  },
};
