// A Worker calls an object, which calls another one of its class, and so on; each remembers what came by.
//> GET /3
//> GET /0
//> GET /5

import { DurableObject } from "cloudflare:workers";

export class Link extends DurableObject {
  async pass(depth, path) {
    const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    const here = [...path, `${this.ctx.id.name}:${count}`];
    return depth === 0 ? here : this.env.LINK.getByName(`link ${depth - 1}`).pass(depth - 1, here);
  }
}

export default {
  async fetch(request, env) {
    const depth = Number(new URL(request.url).pathname.slice(1));
    return Response.json(await env.LINK.getByName(`link ${depth}`).pass(depth, []));
  },
};
