// Requests wait for what the constructor blocks for.
//> GET /
//| GET /
//> GET /
//! restart
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.constructions = 0;
    ctx.blockConcurrencyWhile(async () => {
      this.value = (await ctx.storage.get("value")) ?? "first";
      await new Promise((resolve) => setTimeout(resolve, 60));
      this.constructions += 1;
      await ctx.storage.put("value", "stored");
    });
    this.before = this.value;
  }

  async fetch() {
    return Response.json({ value: this.value, before: this.before ?? "nothing", constructions: this.constructions });
  }
}

export default one("SUBJECT");
