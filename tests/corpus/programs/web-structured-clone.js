// structuredClone.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const source = { map: new Map([[1, { a: 1 }]]), date: new Date(0), list: [1, , 3], bytes: new Uint8Array([1]), nan: NaN, undef: undefined, big: 1n };
    source.self = source;
    const clone = structuredClone(source);
    await found.is("a copy", clone);
    await found.is("of its own", clone !== source && clone.map !== source.map && clone.self === clone);
    await found.is("an error", structuredClone(new TypeError("text")));
    await found.throws("a function", () => structuredClone(() => 1));
    await found.throws("a symbol", () => structuredClone(Symbol("s")));
    await found.is("an instance", (() => { class A { x = 1; get y() { return 2; } } const a = structuredClone(new A()); return [a, a instanceof A]; })());
    await found.throws("transfer", () => {
      const buffer = new ArrayBuffer(4);
      const moved = structuredClone(buffer, { transfer: [buffer] });
      return [moved.byteLength, buffer.byteLength];
    });
    await found.is("primitives", [1, "a", null, undefined, true].map((value) => structuredClone(value)));
    await found.refuses("nothing", () => structuredClone());
    return found.response();
  },
};
