// Headers.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const headers = new Headers({ "X-B": "2", "content-type": "text/plain", "x-a": " trimmed " });
    await found.is("entries, sorted and in small letters", [...headers]);
    await found.is("get", [headers.get("X-A"), headers.get("none")]);
    headers.append("x-a", "second");
    await found.is("appended", headers.get("x-a"));
    headers.set("x-a", "only");
    await found.is("set", headers.get("x-a"));
    await found.is("has", [headers.has("x-b"), headers.has("none")]);
    headers.delete("x-b");
    await found.is("deleted", [...headers.keys()]);
    await found.is("values", [...headers.values()]);
    const seen = [];
    headers.forEach((value, name, self) => seen.push(`${name}=${value} ${self === headers}`));
    await found.is("forEach", seen);
    const cookies = new Headers([["set-cookie", "a=1"], ["Set-Cookie", "b=2, c"], ["x", "1"], ["x", "2"]]);
    await found.is("cookies", cookies.getSetCookie());
    await found.is("get of cookies", cookies.get("set-cookie"));
    await found.is("entries with cookies", [...cookies]);
    await found.is("a copy", [...new Headers(cookies)].length);
    await found.is("of a Map", [...new Headers(new Map([["a", "1"]]))]);
    await found.is("of nothing", [...new Headers()]);
    await found.refuses("a name with a space", () => headers.set("a b", "1"));
    await found.refuses("a value with a line break", () => headers.set("a", "1\n2"));
    await found.is("numbers", new Headers({ a: 1 }).get("a"));
    await found.is("of the response", (() => { const r = new Response("", { headers }); return r.headers.get("x-a"); })());
    await found.is("é", new Headers({ a: "é" }).get("a"));
    return found.response();
  },
};
