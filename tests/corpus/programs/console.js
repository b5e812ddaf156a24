// Every method of console is there and takes everything.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch() {
    const found = new Transcript();
    const cyclic = {};
    cyclic.self = cyclic;
    for (const name of ["log", "debug", "info", "warn", "error", "trace", "table", "dir", "assert", "count", "countReset", "group", "groupCollapsed", "groupEnd", "time", "timeLog", "timeEnd"]) {
      await found.throws(name, () => console[name](name, { a: 1 }, cyclic, undefined, null, Symbol("s"), 1n, new Map(), () => 1, new Error("x")));
    }
    await found.throws("nothing", () => console.log());
    await found.throws("a format", () => console.log("%s is %d", "a", 1));
    return found.response();
  },
};
