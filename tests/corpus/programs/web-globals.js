// What is there, and what is not.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const names = [
      "AbortController", "AbortSignal", "Blob", "ByteLengthQueuingStrategy", "Cache", "CompressionStream", "CountQueuingStrategy", "Crypto", "CryptoKey",
      "CustomEvent", "DOMException", "DecompressionStream", "Event", "EventSource", "EventTarget", "File", "FormData", "HTMLRewriter", "Headers", "MessageChannel",
      "Performance", "ReadableStream", "ReadableStreamDefaultReader", "Request", "Response", "TextDecoder", "TextDecoderStream", "TextEncoder", "TextEncoderStream",
      "TransformStream", "URL", "URLPattern", "URLSearchParams", "WebSocket", "WebSocketPair", "WritableStream", "WritableStreamDefaultWriter", "atob", "btoa", "caches",
      "clearInterval", "clearTimeout", "console", "crypto", "fetch", "navigator", "performance", "queueMicrotask", "scheduler", "self", "setInterval", "setTimeout",
      "structuredClone", "globalThis", "Intl", "WebAssembly", "FinalizationRegistry", "WeakRef", "SharedArrayBuffer", "Atomics", "BigInt", "Proxy", "Reflect", "eval",
      "window", "document", "require", "XMLHttpRequest", "localStorage", "importScripts",
    ];
    for (const name of names) await found.is(name, typeof globalThis[name]);
    await found.is("self", self === globalThis);
    await found.is("user agent", typeof navigator.userAgent);
    await found.is("scheduler.wait", scheduler.wait(1));
    await found.is("performance.now", typeof performance.now());
    return found.response();
  },
};
