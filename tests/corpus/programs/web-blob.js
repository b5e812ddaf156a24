// Blob and File.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const blob = new Blob(["a", new Uint8Array([98, 99]), new Blob(["d"]), "é"], { type: "Text/Plain" });
    await found.is("size and type", [blob.size, blob.type]);
    await found.is("text", blob.text());
    await found.is("arrayBuffer", blob.arrayBuffer());
    await found.is("bytes", blob.bytes());
    const part = blob.slice(1, 3, "text/x");
    await found.is("slice", [part.size, part.type, await part.text()]);
    await found.is("slice from the end", blob.slice(-2).text());
    await found.is("slice of everything", blob.slice().size);
    await found.is("slice of nothing", blob.slice(3, 1).size);
    await found.is("stream", new Response(blob.stream()).text());
    const file = new File(["content"], "name.txt", { type: "text/plain", lastModified: 5 });
    await found.is("a file", [file.name, file.size, file.type, file.lastModified, file instanceof Blob, await file.text()]);
    await found.is("empty", new Blob().size);
    return found.response();
  },
};
