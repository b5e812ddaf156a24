// An alarm that sets the next one, as cron jobs in objects do.
//> GET /start
//> GET /wait
//! restart
//> GET /count

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  async alarm() {
    const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    if (count < 4) await this.ctx.storage.setAlarm(Date.now() + 30);
  }

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/start") await this.ctx.storage.setAlarm(Date.now() + 30);
    if (pathname === "/wait") await new Promise((resolve) => setTimeout(resolve, 800));
    return Response.json([(await this.ctx.storage.get("count")) ?? 0, await this.ctx.storage.getAlarm()].slice(pathname === "/start" ? 2 : 0));
  }
}

export default one("SUBJECT");
