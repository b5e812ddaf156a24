// The forms of a stub's `fetch`: a URL, a URL with init, a Request, a Request with init.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch(request) {
    return Response.json([request.method, request.url, request.headers.get("x-a"), await request.text()]);
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    const ask = async (label, ...values) => {
      try {
        await found.is(label, (await stub.fetch(...values)).json());
      } catch (error) {
        found.note(`${label} throws ${error.name}`);
      }
    };
    await ask("a text", "http://object/path?q=1");
    await ask("a URL", new URL("https://object/"));
    await ask("with init", "http://object/", { method: "POST", body: "text", headers: { "X-A": "1" } });
    await ask("a Request", new Request("http://object/r", { method: "PUT", body: "in a request", headers: { "x-a": "2" } }));
    await ask("a Request with init", new Request("http://object/r", { headers: { "x-a": "3" } }), { method: "DELETE" });
    await ask("without a scheme", "/path");
    await ask("no URL", "nothing like it");
    await ask("a fragment", "http://object/path#fragment");
    await ask("a host with a port", "http://object:8080/");
    await ask("a method in small letters", "http://object/", { method: "post", body: "x" });
    await ask("bytes", "http://object/", { method: "POST", body: new TextEncoder().encode("bytes") });
    await ask("parameters", "http://object/", { method: "POST", body: new URLSearchParams({ a: "1 2" }) });
    await ask("GET with a body", "http://object/", { method: "GET", body: "no" });
    await ask("nothing");
    return found.response();
  },
};
