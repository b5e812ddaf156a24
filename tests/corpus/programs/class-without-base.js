// The form of a class that extends nothing: the constructor gets state and environment.
//> GET /
//> GET /

import { Transcript } from "./lib/transcript.js";

export class Counter {
  constructor(state, env) {
    this.state = state;
    this.env = env;
  }

  async fetch(request) {
    const value = ((await this.state.storage.get("value")) || 0) + 1;
    await this.state.storage.put("value", value);
    return new Response(`${this.env.GREETING} ${value} ${this.state.id.name}`);
  }

  method() {
    return "called";
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.COUNTER.get(env.COUNTER.idFromName("A"));
    await found.is("fetch", (await stub.fetch(request)).text());
    await found.throws("its methods cannot be called", () => stub.method());
    return found.response();
  },
};
