// A bucket of tokens in an object, as a limit of rate is often written.
//> GET /

import { DurableObject } from "cloudflare:workers";

export class Limiter extends DurableObject {
  static capacity = 3;

  constructor(ctx, env) {
    super(ctx, env);
    this.tokens = Limiter.capacity;
  }

  take() {
    if (this.tokens === 0) return { taken: false, left: 0 };
    this.tokens -= 1;
    return { taken: true, left: this.tokens };
  }
}

export default {
  async fetch(request, env) {
    const stub = env.LIMITER.getByName("client");
    const answers = [];
    for (let i = 0; i < 5; i += 1) answers.push(await stub.take());
    return Response.json(answers);
  },
};
