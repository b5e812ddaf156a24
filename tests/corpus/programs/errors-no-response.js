// A `fetch` that answers with no response.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch(request) {
    switch (new URL(request.url).pathname) {
      case "/nothing":
        return;
      case "/text":
        return "text";
      case "/object":
        return { status: 200 };
      default:
        return new Response("fine");
    }
  }
}

export class NoFetch extends DurableObject {}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    for (const path of ["nothing", "text", "object"]) await found.refuses(path, () => stub.fetch(`http://object/${path}`));
    await found.is("fine", (await stub.fetch("http://object/fine")).text());
    const other = env.NO_FETCH.get(env.NO_FETCH.idFromName("one"));
    await found.throws("a class without fetch", () => other.fetch("http://object/"));
    return found.response();
  },
};
