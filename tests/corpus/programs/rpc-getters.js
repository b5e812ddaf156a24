// Getters of the class are read like methods without a call.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  get value() {
    return { a: 1 };
  }
  get later() {
    return Promise.resolve("later");
  }
  get fails() {
    throw new RangeError("in the getter");
  }
  method() {
    return 1;
  }
}

export default {
  async fetch(request, env) {
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const found = new Transcript();
    await found.throws("value", () => stub.value);
    await found.throws("a property of the value", () => stub.value.a);
    await found.throws("later", () => stub.later);
    await found.throws("fails", () => stub.fails);
    await found.throws("a getter as method", () => stub.value());
    return found.response();
  },
};
