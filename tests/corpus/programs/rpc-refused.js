// Values that no call can carry.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

class Point {
  x = 1;
}

export class Subject extends DurableObject {
  take() {
    return "taken";
  }
  symbol() {
    return Symbol("s");
  }
  weak() {
    return new WeakMap();
  }
  point() {
    return new Point();
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.throws("a symbol", () => stub.take(Symbol("s")));
    await found.throws("a WeakMap", () => stub.take(new WeakMap()));
    await found.throws("an instance of a class", () => stub.take(new Point()));
    await found.throws("a symbol as result", () => stub.symbol());
    await found.throws("a WeakMap as result", () => stub.weak());
    await found.throws("an instance as result", () => stub.point());
    await found.is("it lives on", stub.take(1));
    return found.response();
  },
};
