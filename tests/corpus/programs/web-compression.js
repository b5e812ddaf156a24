// CompressionStream and DecompressionStream.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    for (const format of ["gzip", "deflate", "deflate-raw"]) {
      await found.throws(format, async () => {
        const packed = new Response("hello ".repeat(100)).body.pipeThrough(new CompressionStream(format));
        const unpacked = packed.pipeThrough(new DecompressionStream(format));
        return (await new Response(unpacked).text()).length;
      });
    }
    return found.response();
  },
};
