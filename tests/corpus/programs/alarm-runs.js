// An alarm runs once, when its time has come; `getAlarm` tells of it until then.
//> GET /set
//> GET /wait
//> GET /past
//> GET /wait
//> GET /replaced
//> GET /wait
//> GET /deleted
//> GET /wait

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  log = [];

  async alarm(info) {
    this.log.push(`alarm ${typeof info?.retryCount} ${info?.retryCount} ${info?.isRetry} ${await this.ctx.storage.getAlarm()}`);
  }

  async fetch(request) {
    const { storage } = this.ctx;
    const found = new Transcript();
    const now = Date.now();
    switch (new URL(request.url).pathname) {
      case "/set":
        await found.is("none", storage.getAlarm());
        await found.is("it gives", storage.setAlarm(now + 200));
        await found.is("its time", (await storage.getAlarm()) === now + 200);
        break;
      case "/past":
        await found.is("a Date of the past", storage.setAlarm(new Date(now - 10_000)));
        break;
      case "/replaced":
        await storage.setAlarm(now + 100_000);
        await storage.setAlarm(now + 100);
        await found.is("the second", (await storage.getAlarm()) === now + 100);
        break;
      case "/deleted":
        await storage.setAlarm(now + 100);
        await found.is("it gives", storage.deleteAlarm());
        await found.is("none", storage.getAlarm());
        break;
      default:
        await new Promise((resolve) => setTimeout(resolve, 500));
        await found.is("log", this.log);
        await found.is("none any more", storage.getAlarm());
        this.log = [];
    }
    return found.response();
  }
}

export default one("SUBJECT");
