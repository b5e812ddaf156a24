// The guests of guests/counter and guests/bench, written for workerd: /counter/NAME/increment, /counter/NAME/value,
// /bench/NAME/echo, /bench/NAME/store and /bench/NAME/stored.
import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  async fetch(request) {
    const count = (await this.ctx.storage.get("count")) ?? 0;
    if (!request.url.endsWith("/increment")) return new Response(String(count));
    // Not awaited: the output gate holds the response back until the value is on disk, as it does in dohost.
    this.ctx.storage.put("count", count + 1);
    return new Response(String(count + 1));
  }
}

export class Bench extends DurableObject {
  async fetch(request) {
    if (request.url.endsWith("/echo")) return new Response("ok");
    if (request.url.endsWith("/stored")) return new Response(await this.ctx.storage.get("value"));
    this.ctx.storage.put("value", await request.arrayBuffer());
    return new Response("ok");
  }
}

export default {
  async fetch(request, env) {
    const [, , , kind, name] = request.url.split("/");
    const namespace = { counter: env.COUNTER, bench: env.BENCH }[kind];
    if (namespace === undefined || name === undefined) return new Response("not found\n", { status: 404 });
    return namespace.get(namespace.idFromName(name)).fetch(request);
  },
};
