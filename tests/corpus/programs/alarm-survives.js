// An alarm that was set before the process was killed runs after it, even if its time went by.
//> GET /set
//! restart
//> GET /wait

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  async alarm() {
    await this.ctx.storage.put("ran", true);
  }

  async fetch(request) {
    if (new URL(request.url).pathname === "/set") {
      await this.ctx.storage.setAlarm(Date.now() + 150);
      return new Response("set");
    }
    for (let i = 0; i < 50; i += 1) {
      if (await this.ctx.storage.get("ran")) return new Response("it ran");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return new Response("it did not run");
  }
}

export default one("SUBJECT");
