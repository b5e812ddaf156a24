// Streams as results and arguments of methods.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  stream() {
    return new Response("streamed by an object").body;
  }
  async read(stream) {
    return new Response(stream).text();
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.throws("a result", async () => new Response(await stub.stream()).text());
    await found.throws("an argument", () => stub.read(new Response("from the Worker").body));
    return found.response();
  },
};
