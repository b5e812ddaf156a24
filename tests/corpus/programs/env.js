// What is in `env`, as argument and by import.
//> GET /

import { DurableObject, env as imported } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  see() {
    return [Object.keys(this.env).sort(), this.env.GREETING, imported.GREETING];
  }
}

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    await found.is("names", Object.keys(env).sort());
    await found.is("a variable", env.GREETING);
    await found.is("imported", imported.GREETING);
    await found.is("nothing", env.NOTHING);
    await found.is("in an object", env.SUBJECT.getByName("one").see());
    await found.is("the context", [typeof ctx.waitUntil, typeof ctx.passThroughOnException]);
    return found.response();
  },
};
