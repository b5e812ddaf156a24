// atob and btoa.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    await found.is("btoa", ["", "a", "ab", "abc", "\u00ff\u0000"].map(btoa));
    await found.is("atob", ["", "YQ==", "YQ", "YWI=", " Y W J j "].map(atob));
    await found.refuses("btoa beyond latin1", () => btoa("é😀"));
    await found.refuses("atob of nonsense", () => atob("a"));
    await found.refuses("atob of other signs", () => atob("a-b_"));
    await found.is("bytes", [...atob("/+8=")].map((c) => c.charCodeAt(0)));
    return found.response();
  },
};
