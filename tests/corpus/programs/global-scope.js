// What modules do when they are loaded: compute, but no I/O, no timers, no chance. State of modules is shared by objects.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

const attempts = {};
for (const [name, work] of Object.entries({
  timer: () => setTimeout(() => {}, 1),
  fetch: () => fetch("http://example.com/"),
  random: () => crypto.randomUUID(),
  bytes: () => crypto.getRandomValues(new Uint8Array(4)),
})) {
  try {
    const value = work();
    if (value instanceof Promise) value.catch(() => {});
    attempts[name] = value instanceof Promise ? "a promise" : "allowed";
  } catch (error) {
    attempts[name] = error.name;
  }
}
const now = Date.now();
const table = new Map([["a", [1, 2]], ["b", new Date(0)]]);
const encoder = new TextEncoder();
let shared = 0;

export class Subject extends DurableObject {
  next() {
    shared += 1;
    return shared > 0;
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    await found.is("attempts", attempts);
    await found.is("the date then", now);
    await found.is("the date now is later", Date.now() > 1.7e12);
    await found.is("values", [table, encoder.encode("a")]);
    await found.is("state", env.SUBJECT.getByName("one").next());
    return found.response();
  },
};
