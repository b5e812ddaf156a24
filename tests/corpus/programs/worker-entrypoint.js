// A Worker as a class.
//> GET /
//> GET /again

import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";

export class Subject extends DurableObject {
  count = 0;
  next() {
    this.count += 1;
    return this.count;
  }
}

export default class extends WorkerEntrypoint {
  calls = 0;
  async fetch(request) {
    this.calls += 1;
    const count = await this.env.SUBJECT.getByName("one").next();
    this.ctx.waitUntil(Promise.resolve());
    return Response.json({ path: new URL(request.url).pathname, count, calls: this.calls, greeting: this.env.GREETING });
  }
}
