// A counter as it is often written: a Worker picks the object by ?name=, and paths say what to do.
//> GET /
//> GET /?name=A
//> GET /increment?name=A
//> GET /increment?name=A
//> GET /decrement?name=A
//> GET /increment?name=B
//> GET /?name=A
//! restart
//> GET /?name=A

import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  async getCounterValue() {
    return (await this.ctx.storage.get("value")) || 0;
  }

  async increment(amount = 1) {
    let value = (await this.ctx.storage.get("value")) || 0;
    value += amount;
    await this.ctx.storage.put("value", value);
    return value;
  }

  async decrement(amount = 1) {
    return this.increment(-amount);
  }
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const name = url.searchParams.get("name");
    if (!name) return new Response("Which counter? Try ?name=A", { status: 400 });
    const stub = env.COUNTER.getByName(name);
    let count;
    switch (url.pathname) {
      case "/increment":
        count = await stub.increment();
        break;
      case "/decrement":
        count = await stub.decrement();
        break;
      case "/":
        count = await stub.getCounterValue();
        break;
      default:
        return new Response("Not found", { status: 404 });
    }
    return new Response(`Durable Object '${name}' count: ${count}`);
  },
};
