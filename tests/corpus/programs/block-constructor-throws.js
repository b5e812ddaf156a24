// A constructor that fails, at once or in what it blocks for: the caller gets the error, the next call tries anew.
//> GET /now
//> GET /later
//> GET /well

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

let attempts = 0;

export class Now extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    attempts += 1;
    if (attempts < 3) throw new RangeError(`attempt ${attempts}`);
  }
  get() {
    return "constructed";
  }
}

let laters = 0;

export class Later extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      laters += 1;
      await ctx.storage.get("x");
      if (laters < 3) throw new TypeError(`later ${laters}`);
    });
  }
  get() {
    return "constructed";
  }
}

export class Well extends DurableObject {
  get() {
    return "constructed";
  }
}

export default {
  async fetch(request, env) {
    const namespace = env[new URL(request.url).pathname.slice(1).toUpperCase()];
    const found = new Transcript();
    for (const attempt of ["first", "second", "third"]) {
      await found.is(attempt, namespace.get(namespace.idFromName("one")).get());
    }
    return found.response();
  },
};
