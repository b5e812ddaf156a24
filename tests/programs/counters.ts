// A Worker that counts by name: GET /increment?name=A, /decrement?name=A, /?name=A.
import { DurableObject } from "cloudflare:workers";

export interface Env {
  COUNTERS: DurableObjectNamespace<Counter>;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    const name = url.searchParams.get("name");
    if (name === null) {
      return new Response("Say which counter: ?name=A", { status: 400 });
    }
    const counter = env.COUNTERS.get(env.COUNTERS.idFromName(name));
    let count: number;
    switch (url.pathname) {
      case "/increment":
        count = await counter.increment();
        break;
      case "/decrement":
        count = await counter.decrement();
        break;
      case "/":
        count = await counter.value();
        break;
      default:
        return new Response("Not found", { status: 404 });
    }
    return new Response(`Counter '${name}' is at ${count}`);
  },
} satisfies ExportedHandler<Env>;

export class Counter extends DurableObject<Env> {
  async value(): Promise<number> {
    return (await this.ctx.storage.get<number>("value")) ?? 0;
  }

  async increment(by = 1): Promise<number> {
    const value = (await this.value()) + by;
    await this.ctx.storage.put("value", value);
    return value;
  }

  async decrement(by = 1): Promise<number> {
    return this.increment(-by);
  }
}
