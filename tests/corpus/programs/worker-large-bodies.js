// Bodies of a megabyte, through a Worker and an object, in both directions.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch(request) {
    const bytes = new Uint8Array(await request.arrayBuffer());
    let sum = 0;
    for (const byte of bytes) sum = (sum * 31 + byte) % 1_000_003;
    return new Response(bytes.reverse(), { headers: { "x-sum": `${sum}` } });
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const bytes = new Uint8Array(1 << 20).map((_, i) => (i * 7) % 251);
    const response = await env.SUBJECT.getByName("one").fetch("http://object/", { method: "POST", body: bytes });
    await found.is("sum", response.headers.get("x-sum"));
    const back = new Uint8Array(await response.arrayBuffer());
    await found.is("back", [back.length, back.every((byte, i) => byte === bytes[bytes.length - 1 - i])]);
    return found.response();
  },
};
