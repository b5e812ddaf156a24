// What was put stays when the process is killed after it answered; a counter goes on.
//> GET /increment
//> GET /increment
//! restart
//> GET /increment
//! restart
//> GET /value

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  inMemory = 0;

  async fetch(request) {
    if (new URL(request.url).pathname === "/value") {
      return Response.json({ stored: await this.ctx.storage.get("value"), inMemory: this.inMemory });
    }
    this.inMemory += 1;
    const value = ((await this.ctx.storage.get("value")) ?? 0) + 1;
    await this.ctx.storage.put("value", value);
    return Response.json({ stored: value, inMemory: this.inMemory });
  }
}

export default one("SUBJECT");
