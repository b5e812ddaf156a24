// EventTarget, Event, CustomEvent, AbortController.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const target = new EventTarget();
    const log = [];
    const listener = (event) => log.push(`${event.type} ${event instanceof Event}`);
    target.addEventListener("a", listener);
    target.addEventListener("a", listener);
    target.addEventListener("a", { handleEvent: (event) => log.push(`object ${event.target === target}`) });
    target.addEventListener("a", () => log.push("once"), { once: true });
    await found.is("dispatched", [target.dispatchEvent(new Event("a")), target.dispatchEvent(new Event("a"))]);
    target.removeEventListener("a", listener);
    target.dispatchEvent(new Event("a"));
    await found.is("log", log);
    target.addEventListener("b", (event) => event.preventDefault());
    await found.is("prevented", target.dispatchEvent(new Event("b", { cancelable: true })));
    let detail;
    target.addEventListener("c", (event) => { detail = event.detail; });
    target.dispatchEvent(new CustomEvent("c", { detail: { x: 1 } }));
    await found.is("detail", detail);
    const controller = new AbortController();
    const { signal } = controller;
    let aborts = 0;
    signal.addEventListener("abort", () => { aborts += 1; });
    await found.is("before", [signal.aborted, signal.reason]);
    controller.abort();
    controller.abort("again");
    await found.is("aborted", [signal.aborted, signal.reason.name, aborts]);
    await found.refuses("throwIfAborted", () => signal.throwIfAborted());
    await found.is("with a reason", (() => { const c = new AbortController(); c.abort("why"); return c.signal.reason; })());
    await found.is("AbortSignal.abort", AbortSignal.abort("now").reason);
    const timeout = AbortSignal.timeout(10);
    await new Promise((resolve) => timeout.addEventListener("abort", resolve));
    await found.is("timeout", timeout.reason.name);
    await found.is("any", AbortSignal.any([new AbortController().signal, AbortSignal.abort("first")]).reason);
    await found.is("onabort", (() => { const c = new AbortController(); let called = false; c.signal.onabort = () => { called = true; }; c.abort(); return called; })());
    return found.response();
  },
};
