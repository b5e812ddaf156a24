// First requests that come together construct the object once, and see it constructed.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

let constructions = 0;

export class Subject extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    constructions += 1;
    this.number = constructions;
    this.ready = false;
    this.sameContext = ctx === this.ctx && env === this.env && ctx.storage === this.ctx.storage;
    ctx.blockConcurrencyWhile(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      this.ready = true;
    });
  }
  state() {
    return [this.number, this.ready, this.sameContext, this instanceof DurableObject];
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const id = env.SUBJECT.newUniqueId();
    const states = await Promise.all([1, 2, 3].map(() => env.SUBJECT.get(id).state()));
    await found.is("the same", new Set(states.map(([number]) => number)).size);
    await found.is("ready", states.map(([, ...rest]) => rest));
    return found.response();
  },
};
