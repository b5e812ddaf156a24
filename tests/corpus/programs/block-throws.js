// An exception in `blockConcurrencyWhile` ends the life of the object: what is in memory is gone, what was stored stays.
//> GET /set
//> GET /get
//> GET /throw
//> GET /get

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  memory = "new";

  async set() {
    this.memory = "set";
    await this.ctx.storage.put("stored", "set");
  }

  async get() {
    return { memory: this.memory, stored: await this.ctx.storage.get("stored") };
  }

  async throw() {
    try {
      await this.ctx.blockConcurrencyWhile(async () => {
        throw new RangeError("in the block");
      });
    } catch {
      // Nothing runs here any more.
      await this.ctx.storage.put("stored", "caught");
    }
  }
}

export default {
  async fetch(request, env) {
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const found = new Transcript();
    const method = new URL(request.url).pathname.slice(1);
    await found.is(method, stub[method]());
    return found.response();
  },
};
