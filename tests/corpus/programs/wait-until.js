// `waitUntil` in objects and Workers: the answer does not wait, the work is done all the same.
//> GET /object
//> GET /object-log
//> GET /worker
//> GET /worker-log
//> GET /rejects

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  log = [];
  record(text) {
    this.log.push(text);
  }
  async background() {
    this.ctx.waitUntil(
      (async () => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        await this.ctx.storage.put("done", true);
        this.log.push("done");
      })(),
    );
    return this.log.length;
  }
  async all() {
    return [this.log, await this.ctx.storage.get("done")];
  }
  rejects() {
    this.ctx.waitUntil(Promise.reject(new Error("in the background")));
    return "answered";
  }
}

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    switch (new URL(request.url).pathname) {
      case "/object":
        await found.is("before", stub.background());
        break;
      case "/object-log":
        await sleep(100);
        await found.is("afterwards", stub.all());
        break;
      case "/worker":
        ctx.waitUntil(sleep(20).then(() => env.SUBJECT.getByName("two").record("by the Worker")));
        await found.is("answered", true);
        break;
      case "/worker-log":
        await sleep(100);
        await found.is("afterwards", env.SUBJECT.getByName("two").all());
        break;
      case "/rejects":
        await found.is("a rejection", stub.rejects());
        await found.is("nobody minds", stub.all());
    }
    return found.response();
  },
};
