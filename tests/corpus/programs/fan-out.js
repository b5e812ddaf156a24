// One object calls many others at once and puts their answers together.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Leaf extends DurableObject {
  async square(n) {
    await this.ctx.storage.put("n", n);
    return n * n;
  }
  async fetch() {
    return Response.json({ n: await this.ctx.storage.get("n") });
  }
}

export class Root extends DurableObject {
  async sum(count) {
    const leaves = Array.from({ length: count }, (_, n) => this.env.LEAF.getByName(`leaf ${n}`));
    const squares = await Promise.all(leaves.map((leaf, n) => leaf.square(n)));
    const stored = await Promise.all(leaves.map(async (leaf) => (await (await leaf.fetch("http://leaf/")).json()).n));
    const settled = await Promise.allSettled([leaves[0].square(3), leaves[1].none()]);
    return { sum: squares.reduce((a, b) => a + b), stored, settled: settled.map(({ status }) => status) };
  }
}

export default {
  async fetch(request, env) {
    return Response.json(await env.ROOT.getByName("root").sum(12));
  },
};
