// Request.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const plain = new Request("http://example.com/path?q#hash");
    await found.is("of a URL", [plain.method, plain.url, [...plain.headers].length, plain.body, plain.bodyUsed, plain.redirect]);
    const full = new Request("http://example.com/", { method: "post", headers: { "X-A": "1" }, body: "text", redirect: "manual" });
    await found.is("with init", [full.method, full.headers.get("x-a"), full.headers.get("content-type"), full.redirect]);
    await found.is("its body", full.text());
    await found.is("used", full.bodyUsed);
    const source = new Request("http://example.com/", { method: "POST", body: "again", headers: { a: "1" } });
    const copy = new Request(source, { headers: { b: "2" } });
    await found.is("of a Request", [copy.method, copy.url, copy.headers.get("a"), copy.headers.get("b"), await copy.text()]);
    await found.is("takes its body", source.bodyUsed);
    const first = new Request("http://example.com/", { method: "POST", body: "twice" });
    const second = first.clone();
    await found.is("a clone", [await first.text(), await second.text(), second.url === first.url]);
    await found.refuses("a clone of a used one", () => first.clone());
    await found.refuses("GET with a body", () => new Request("http://example.com/", { body: "x" }));
    await found.refuses("no URL", () => new Request("nothing"));
    await found.refuses("a method that is none", () => new Request("http://example.com/", { method: "A B" }));
    await found.is("JSON", new Request("http://example.com/", { method: "POST", body: '{"a":[1]}' }).json());
    await found.is("a stream as body", new Request("http://example.com/", { method: "POST", body: new Response("streamed").body, duplex: "half" }).text());
    await found.is("a signal", new Request("http://example.com/").signal.aborted);
    await found.is("this request", [request.method, new URL(request.url).pathname, request.headers.get("host") === new URL(request.url).host]);
    await found.is("its body", request.body);
    return found.response();
  },
};
