// URLSearchParams.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const params = new URLSearchParams("?a=1&b=2&a=3&c&=empty&d=%20+%C3%A9&e=%zz");
    await found.is("entries", [...params]);
    await found.is("get", [params.get("a"), params.get("none"), params.get("c"), params.get("d")]);
    await found.is("getAll", params.getAll("a"));
    await found.is("has", [params.has("a"), params.has("none"), params.has("a", "3"), params.has("a", "2")]);
    await found.is("size", params.size);
    await found.is("as text", params.toString());
    params.append("z", "ä&=+ *-._~");
    params.set("a", "one");
    params.delete("b");
    await found.is("changed", `${params}`);
    params.sort();
    await found.is("sorted", [...params.keys()]);
    await found.is("values", [...params.values()].length);
    const seen = [];
    params.forEach((value, name, self) => seen.push([name, value, self === params]));
    await found.is("forEach", seen[0]);
    await found.is("of pairs", `${new URLSearchParams([["a", "1"], ["a", "2"]])}`);
    await found.is("of an object", `${new URLSearchParams({ a: 1, b: "x y" })}`);
    await found.is("of another one", `${new URLSearchParams(new URLSearchParams("a=1"))}`);
    await found.is("of nothing", `${new URLSearchParams()}`);
    await found.refuses("of pairs that are none", () => new URLSearchParams([["a"]]));
    await found.is("delete with a value", (() => { const p = new URLSearchParams("a=1&a=2"); p.delete("a", "1"); return `${p}`; })());
    return found.response();
  },
};
