// crypto.subtle: AES-GCM, PBKDF2, keys in and out.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const bytes = (text) => new TextEncoder().encode(text);
    await found.throws("AES-GCM", async () => {
      const key = await crypto.subtle.importKey("raw", new Uint8Array(16).fill(1), "AES-GCM", true, ["encrypt", "decrypt"]);
      const iv = new Uint8Array(12).fill(2);
      const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: bytes("more") }, key, bytes("secret"));
      const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: bytes("more") }, key, sealed);
      return [hex(sealed), new TextDecoder().decode(opened), hex(await crypto.subtle.exportKey("raw", key))];
    });
    await found.refuses("AES-GCM that was changed", async () => {
      const key = await crypto.subtle.importKey("raw", new Uint8Array(16), "AES-GCM", false, ["decrypt"]);
      await crypto.subtle.decrypt({ name: "AES-GCM", iv: new Uint8Array(12) }, key, new Uint8Array(20));
    });
    await found.throws("PBKDF2", async () => {
      const key = await crypto.subtle.importKey("raw", bytes("password"), "PBKDF2", false, ["deriveBits"]);
      return hex(await crypto.subtle.deriveBits({ name: "PBKDF2", salt: bytes("salt"), iterations: 1000, hash: "SHA-256" }, key, 256));
    });
    await found.throws("a generated HMAC key", async () => {
      const key = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-512" }, true, ["sign", "verify"]);
      return [key.type, key.algorithm.name, key.extractable, (await crypto.subtle.exportKey("raw", key)).byteLength];
    });
    return found.response();
  },
};
