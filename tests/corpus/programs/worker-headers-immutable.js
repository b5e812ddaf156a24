// Headers of what came in cannot be changed; those of a copy can.
//> GET / -H x-a:1

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch(request) {
    const found = new Transcript();
    await found.refuses("the object's request", () => request.headers.set("x", "1"));
    return new Response(found.text, { headers: { "x-original": "1" } });
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    await found.refuses("the request", () => request.headers.set("x", "1"));
    const response = await env.SUBJECT.getByName("one").fetch(request);
    await found.refuses("a response of an object", () => response.headers.set("x", "1"));
    const copy = new Response(response.body, response);
    copy.headers.set("x-added", "2");
    found.note(await copy.clone().text());
    return new Response(found.text, copy);
  },
};
