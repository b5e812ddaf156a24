// The counter of guests/counter, written for workerd: /counter/NAME/increment and /counter/NAME/value.
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

export default {
  async fetch(request, env) {
    const name = request.url.split("/")[4];
    if (name === undefined) return new Response("not found\n", { status: 404 });
    return env.COUNTER.get(env.COUNTER.idFromName(name)).fetch(request);
  },
};
