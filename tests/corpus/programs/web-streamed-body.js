// Bodies that are streams, from a Worker and through an object.
//> GET /worker
//> GET /object
//> POST /upper -d some text
//> POST /count -d 0123456789

import { DurableObject } from "cloudflare:workers";

export class Subject extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/count") {
      let bytes = 0;
      for await (const chunk of request.body) bytes += chunk.length;
      return new Response(`${bytes} bytes`);
    }
    return new Response(slowly(["from ", "an ", "object"]));
  }
}

function slowly(parts) {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async start(controller) {
      for (const part of parts) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        controller.enqueue(encoder.encode(part));
      }
      controller.close();
    },
  });
}

export default {
  async fetch(request, env) {
    switch (new URL(request.url).pathname) {
      case "/worker":
        return new Response(slowly(["from ", "a ", "Worker"]));
      case "/upper": {
        const upper = new TransformStream({
          transform(chunk, controller) {
            controller.enqueue(new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase()));
          },
        });
        return new Response(request.body.pipeThrough(upper));
      }
      default:
        return env.SUBJECT.getByName("one").fetch(request);
    }
  },
};
