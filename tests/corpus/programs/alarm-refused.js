// Times that are none, and a class without `alarm`.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  alarm() {}
  async try() {
    const found = new Transcript();
    await found.throws("zero", () => this.ctx.storage.setAlarm(0));
    await found.throws("before 1970", () => this.ctx.storage.setAlarm(-1));
    await found.refuses("an invalid date", () => this.ctx.storage.setAlarm(new Date(NaN)));
    await found.refuses("nothing", () => this.ctx.storage.setAlarm());
    await found.is("none is set", this.ctx.storage.getAlarm());
    return found.text;
  }
}

export class Without extends DurableObject {
  async try() {
    const found = new Transcript();
    await found.throws("no alarm method", () => this.ctx.storage.setAlarm(Date.now() + 1000));
    await found.is("none is set", this.ctx.storage.getAlarm());
    return found.text;
  }
}

export default {
  async fetch(request, env) {
    return new Response((await env.SUBJECT.getByName("one").try()) + (await env.WITHOUT.getByName("one").try()));
  },
};
