// Requests, responses and headers as arguments and results.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async read(request) {
    return [request.method, request.url, request.headers.get("x-a"), await request.text()];
  }
  answer() {
    return new Response("an answer", { status: 201, headers: { "x-b": "2" } });
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.throws("a request", () => stub.read(new Request("http://host/path", { method: "POST", body: "body", headers: { "x-a": "1" } })));
    await found.throws("a response", async () => {
      const response = await stub.answer();
      return [response.status, response.headers.get("x-b"), await response.text()];
    });
    return found.response();
  },
};
