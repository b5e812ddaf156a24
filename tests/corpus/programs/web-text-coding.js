// TextEncoder and TextDecoder.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    await found.is("encode", new TextEncoder().encode("aé😀\ud800"));
    await found.is("encode nothing", new TextEncoder().encode());
    await found.is("encodeInto", (() => { const b = new Uint8Array(4); return [new TextEncoder().encodeInto("aé😀", b), b]; })());
    await found.is("encoding", new TextEncoder().encoding);
    await found.is("decode", new TextDecoder().decode(new Uint8Array([97, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80])));
    await found.is("decode what is broken", new TextDecoder().decode(new Uint8Array([97, 0xff, 0xc3, 98])));
    await found.refuses("fatal", () => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])));
    await found.is("byte order mark", new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])));
    await found.is("ignoreBOM", new TextDecoder("utf-8", { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])).length);
    const decoder = new TextDecoder();
    await found.is("in pieces", [decoder.decode(new Uint8Array([0xc3]), { stream: true }), decoder.decode(new Uint8Array([0xa9]), { stream: true }), decoder.decode()]);
    await found.is("utf-16le", new TextDecoder("utf-16le").decode(new Uint8Array([97, 0, 0xe9, 0])));
    await found.is("windows-1252", new TextDecoder("latin1").decode(new Uint8Array([0xe9, 0x80])));
    await found.is("names", [new TextDecoder("UTF8").encoding, new TextDecoder().fatal]);
    await found.refuses("unknown", () => new TextDecoder("nothing"));
    await found.is("an ArrayBuffer", new TextDecoder().decode(new Uint8Array([97, 98]).buffer));
    await found.is("nothing", new TextDecoder().decode());
    return found.response();
  },
};
