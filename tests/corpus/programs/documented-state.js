// A counter in the form without a base class, as the first of the documentation's examples had it.
//> GET /value
//> GET /increment
//> GET /increment
//> GET /increment
//> GET /increment
//> GET /nothing
//! restart
//> GET /value

export class Counter {
  constructor(state, env) {
    this.state = state;
  }
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/increment") return this.increment();
    if (url.pathname === "/value") return this.getValue();
    return new Response("Not found", { status: 404 });
  }
  async increment() {
    let count = (await this.state.storage.get("count")) || 0;
    count++;
    await this.state.storage.put("count", count);
    return new Response(count.toString());
  }
  async getValue() {
    const count = (await this.state.storage.get("count")) || 0;
    return new Response(count.toString());
  }
}

export default {
  async fetch(request, env) {
    const id = env.COUNTER.idFromName("global");
    return env.COUNTER.get(id).fetch(request);
  },
};
