// Properties and methods of results that are still on their way.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  nested() {
    return { a: { b: [1, 2] }, text: "abc" };
  }
  async fails() {
    throw new RangeError("first");
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.throws("a property", () => stub.nested().a.b);
    await found.throws("awaited", async () => (await stub.nested()).a.b.length);
    await found.throws("then", () => stub.nested().then(({ text }) => text.toUpperCase()));
    await found.throws("catch", () => stub.fails().catch((error) => `caught ${error.message}`));
    await found.throws("finally", () => stub.nested().finally(() => {}).then((value) => value.text));
    return found.response();
  },
};
