// crypto: digests, HMAC, random values.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const data = new TextEncoder().encode("message");
    for (const name of ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5"]) {
      await found.throws(name, async () => hex(await crypto.subtle.digest(name, data)));
    }
    await found.throws("by object", async () => hex(await crypto.subtle.digest({ name: "sha-256" }, data.buffer)));
    await found.refuses("unknown", () => crypto.subtle.digest("SHA-3000", data));
    await found.throws("hmac", async () => {
      const key = await crypto.subtle.importKey("raw", new TextEncoder().encode("secret"), { name: "HMAC", hash: "SHA-256" }, false, ["sign", "verify"]);
      const signature = await crypto.subtle.sign("HMAC", key, data);
      const other = new TextEncoder().encode("other");
      return [hex(signature), await crypto.subtle.verify("HMAC", key, signature, data), await crypto.subtle.verify("HMAC", key, signature, other)];
    });
    const uuid = crypto.randomUUID();
    await found.is("randomUUID", [/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid), uuid !== crypto.randomUUID()]);
    const values = crypto.getRandomValues(new Uint8Array(32));
    await found.is("getRandomValues", [values.length, values.some((value) => value !== 0)]);
    await found.refuses("too many", () => crypto.getRandomValues(new Uint8Array(65537)));
    await found.refuses("no integers", () => crypto.getRandomValues(new Float32Array(1)));
    await found.is("timingSafeEqual", [crypto.subtle.timingSafeEqual(data, data), crypto.subtle.timingSafeEqual(data, data.map((b) => b + 1))]);
    return found.response();
  },
};
