// Each object has a store of its own, and each class has objects of its own.
//> GET /left/a
//> GET /left/a
//> GET /left/b
//> GET /right/a
//> GET /right/a
//> GET /left/a

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

class Counter extends DurableObject {
  async fetch() {
    const value = ((await this.ctx.storage.get("value")) ?? 0) + 1;
    this.ctx.storage.put("value", value);
    return new Response(`${this.constructor.name} ${value}`);
  }
}

export class Left extends Counter {}
export class Right extends Counter {}

export default {
  fetch(request, env) {
    const [, side, name] = new URL(request.url).pathname.split("/");
    const namespace = side === "left" ? env.LEFT : env.RIGHT;
    return namespace.get(namespace.idFromName(name)).fetch(request);
  },
};
