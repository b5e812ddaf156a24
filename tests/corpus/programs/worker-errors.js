// Handlers of a Worker: a promise of a promise, nothing, an odd status.
//> GET /promise
//> GET /nothing
//> GET /long

export default {
  async fetch(request, env, ctx) {
    switch (new URL(request.url).pathname) {
      case "/promise":
        return Promise.resolve(new Response("a promise of a promise"));
      case "/nothing":
        return undefined;
      case "/long":
        return new Response("long".repeat(5), { status: 299, statusText: "Odd" });
      default:
        return new Response(request.method);
    }
  },
};
