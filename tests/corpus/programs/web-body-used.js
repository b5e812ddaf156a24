// A body is read once.
//> POST / -d the body

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    await found.is("at first", request.bodyUsed);
    const clone = request.clone();
    await found.is("read", request.text());
    await found.is("used", request.bodyUsed);
    await found.refuses("again", () => request.text());
    await found.refuses("as JSON", () => request.json());
    await found.is("the clone", clone.text());
    const response = new Response("once");
    await found.is("arrayBuffer", response.arrayBuffer());
    await found.refuses("text after that", () => response.text());
    await found.refuses("clone after that", () => response.clone());
    const empty = new Response(null);
    await found.is("no body", [await empty.text(), await empty.text(), empty.bodyUsed]);
    const locked = new Response("locked");
    const reader = locked.body.getReader();
    await found.is("locked", locked.body.locked);
    await found.refuses("text of a locked one", () => locked.text());
    await reader.cancel();
    await found.is("bytes", new Response("é").bytes());
    await found.is("a byte order mark", new Response(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).text());
    await found.is("no UTF-8", new Response(new Uint8Array([0x61, 0xff, 0x62])).text());
    const blob = await new Response("blob", { headers: { "content-type": "text/x" } }).blob();
    await found.is("blob", [blob.size, blob.type, await blob.text()]);
    return found.response();
  },
};
