// While a transaction waits, no other request gets in between; without one, it does.
//> GET /transaction
//| GET /transaction
//| GET /transaction
//> GET /log

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  log = [];

  async fetch(request) {
    if (new URL(request.url).pathname === "/log") return new Response(this.log.join("\n"));
    await this.ctx.storage.transaction(async (txn) => {
      const before = (await txn.get("value")) ?? 0;
      this.log.push(`begin ${before}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await txn.put("value", before + 1);
      this.log.push(`end ${before}`);
    });
    return new Response("done");
  }
}

export default one("SUBJECT");
