// An alarm that throws is tried again after two seconds or a little more, and knows that it is.
//> GET /set
//> GET /wait

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  log = [];
  async alarm({ retryCount, isRetry }) {
    this.log.push(`${retryCount} ${isRetry}`);
    if (retryCount === 0) throw new Error("not yet");
    await this.ctx.storage.put("done", true);
  }
  async fetch(request) {
    if (new URL(request.url).pathname === "/set") {
      await this.ctx.storage.setAlarm(Date.now() + 10);
      return new Response("set");
    }
    await new Promise((resolve) => setTimeout(resolve, 3200));
    return Response.json([this.log, await this.ctx.storage.get("done")]);
  }
}

export default one("SUBJECT");
