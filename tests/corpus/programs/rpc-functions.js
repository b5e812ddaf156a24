// Functions and targets as arguments and results: calls that go on after the call.
//> GET /

import { DurableObject, RpcTarget } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

class Counter extends RpcTarget {
  #value = 0;
  increment(by = 1) {
    this.#value += by;
    return this.#value;
  }
  get value() {
    return this.#value;
  }
}

export class Subject extends DurableObject {
  makeCounter() {
    return new Counter();
  }
  makeFunction() {
    return (x) => x * 2;
  }
  async callBack(callback) {
    return `called back: ${await callback("from the object")}`;
  }
  async useCounter(counter) {
    await counter.increment();
    return counter.increment(5);
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.throws("a target", async () => {
      const counter = await stub.makeCounter();
      return [await counter.increment(), await counter.increment(2), await counter.value];
    });
    await found.throws("a function", async () => (await stub.makeFunction())(21));
    await found.throws("pipelined", () => stub.makeCounter().increment(3));
    await found.throws("a callback", () => stub.callBack((text) => text.toUpperCase()));
    await found.throws("a target as argument", () => stub.useCounter(new Counter()));
    return found.response();
  },
};
