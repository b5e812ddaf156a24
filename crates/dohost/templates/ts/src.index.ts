import { DurableObject } from "cloudflare:workers";

/** A counter. Each name has one of its own, with a store of its own. */
export class Counter extends DurableObject<Env> {
  async value(): Promise<number> {
    return (await this.ctx.storage.get<number>("count")) ?? 0;
  }

  async increment(by = 1): Promise<number> {
    const count = (await this.value()) + by;
    await this.ctx.storage.put("count", count);
    return count;
  }
}

/** Gets every request, and asks the counter that the request names. */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const url = new URL(request.url);
    const counter = env.COUNTER.getByName(url.searchParams.get("name") ?? "global");
    switch (url.pathname) {
      case "/":
        return new Response(`${await counter.value()}\n`);
      case "/increment":
        return new Response(`${await counter.increment()}\n`);
      default:
        return new Response("Not found\n", { status: 404 });
    }
  },
};
