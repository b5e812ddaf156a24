// Calls of one stub arrive in their order, although nobody waits in between, and answer in any.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  log = [];

  async add(value, delay = 0) {
    this.log.push(`begin ${value}`);
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    this.log.push(`end ${value}`);
    return value;
  }

  all() {
    return this.log;
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const calls = Array.from({ length: 20 }, (_, i) => stub.add(i));
    await found.is("results", Promise.all(calls));
    await found.is("log", (await stub.all()).filter((line) => line.startsWith("begin")).join());
    const other = env.SUBJECT.get(env.SUBJECT.idFromName("two"));
    const slow = other.add("slow", 80);
    const fast = other.add("fast");
    await found.is("the first to answer", Promise.race([slow, fast]));
    await Promise.all([slow, fast]);
    await found.is("log", (await other.all()).join());
    return found.response();
  },
};
