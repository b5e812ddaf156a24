// Fields of an object stay while it lives, and are gone after a restart; what is stored is not.
//> GET /
//> GET /
//! restart
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  inMemory = 0;
  async fetch() {
    this.inMemory += 1;
    const stored = ((await this.ctx.storage.get("stored")) ?? 0) + 1;
    this.ctx.storage.put("stored", stored);
    return Response.json([this.inMemory, stored]);
  }
}

export default one("SUBJECT");
