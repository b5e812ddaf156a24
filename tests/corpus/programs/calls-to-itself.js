// An object that calls itself, and two that call each other: while one waits for a call, it takes others.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  log = [];

  async myself(depth) {
    this.log.push(`in ${depth}`);
    const result = depth === 0 ? "bottom" : await this.env.SUBJECT.getByName(this.ctx.id.name).myself(depth - 1);
    this.log.push(`out ${depth}`);
    return result;
  }

  async ping(depth, other) {
    if (depth === 0) return [this.ctx.id.name];
    return [this.ctx.id.name, ...(await this.env.SUBJECT.getByName(other).ping(depth - 1, this.ctx.id.name))];
  }

  all() {
    return this.log;
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    await found.is("itself", env.SUBJECT.getByName("one").myself(3));
    await found.is("log", env.SUBJECT.getByName("one").all());
    await found.is("each other", env.SUBJECT.getByName("a").ping(4, "b"));
    return found.response();
  },
};
