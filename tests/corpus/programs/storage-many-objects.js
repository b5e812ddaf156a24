// A hundred objects, each with a value of its own, and each still there.
//> GET /
//! restart
//> GET /

import { DurableObject } from "cloudflare:workers";

export class Cell extends DurableObject {
  async add(n) {
    const value = ((await this.ctx.storage.get("value")) ?? 0) + n;
    await this.ctx.storage.put("value", value);
    return value;
  }
}

export default {
  async fetch(request, env) {
    const values = await Promise.all(Array.from({ length: 100 }, (_, n) => env.CELL.getByName(`cell ${n}`).add(n)));
    return Response.json([values.length, values.reduce((a, b) => a + b), values.every((value, n) => value % Math.max(n, 1) === 0)]);
  },
};
