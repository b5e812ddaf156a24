// Response.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const empty = new Response();
    await found.is("of nothing", [empty.status, empty.statusText, empty.ok, empty.body, [...empty.headers].length, empty.redirected]);
    await found.is("its text", empty.text());
    const full = new Response("text", { status: 201, statusText: "Made", headers: { "X-A": "1" } });
    await found.is("with init", [full.status, full.statusText, full.ok, full.headers.get("x-a"), full.headers.get("content-type")]);
    await found.is("clone", [await full.clone().text(), await full.text()]);
    await found.is("ok", [199, 200, 299, 300, 404].map((status) => (status < 200 ? false : new Response(null, { status }).ok)));
    const json = Response.json({ a: [1, null], b: undefined }, { status: 400, headers: { "x-b": "2" } });
    await found.is("json", [json.status, json.headers.get("content-type"), json.headers.get("x-b"), await json.text()]);
    await found.is("json with a type of one's own", Response.json(1, { headers: { "content-type": "application/problem+json" } }).headers.get("content-type"));
    const redirect = Response.redirect("http://example.com/a b");
    await found.is("redirect", [redirect.status, redirect.headers.get("location")]);
    await found.refuses("redirect with another status", () => Response.redirect("http://example.com/", 200));
    const error = Response.error();
    await found.is("error", [error.type, error.status]);
    await found.is("of another one", (() => { const r = new Response("b", { status: 202, headers: { a: "1" } }); const c = new Response(r.body, r); return [c.status, c.headers.get("a")]; })());
    await found.refuses("status 99", () => new Response("", { status: 99 }));
    await found.refuses("status 600", () => new Response("", { status: 600 }));
    await found.refuses("204 with a body", () => new Response("x", { status: 204 }));
    await found.is("headers can be changed", (() => { const r = new Response(); r.headers.set("a", "1"); return r.headers.get("a"); })());
    await found.refuses("JSON that is none", () => new Response("{").json());
    await found.refuses("JSON of nothing", () => new Response("").json());
    await found.is("number as body", new Response(5).text());
    await found.is("object as body", new Response({}).text());
    return found.response();
  },
};
