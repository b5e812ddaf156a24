// Bodies of objects that are streams.

import { DurableObject } from "cloudflare:workers";

const bytes = (text) => new TextEncoder().encode(text);

export class Streamer extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/upper":
        return new Response(
          request.body
            .pipeThrough(new TextDecoderStream())
            .pipeThrough(new TransformStream({ transform: (text, controller) => controller.enqueue(text.toUpperCase()) }))
            .pipeThrough(new TextEncoderStream()),
        );
      case "/from":
        return fetch(url.searchParams.get("to"), { method: request.method, body: request.body });
      case "/steps": {
        const { readable, writable } = new TransformStream();
        this.writer = writable.getWriter();
        return new Response(readable, { status: 201, headers: { "x-own": "yes" } });
      }
      case "/write":
        await this.writer.write(bytes(url.searchParams.get("text")));
        return new Response("written");
      case "/close":
        await this.writer.close();
        return new Response("closed");
      case "/endless":
        this.cancelled = false;
        return new Response(new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: () => {
            this.cancelled = true;
          },
        }));
      case "/cancelled":
        return new Response(String(this.cancelled));
      case "/mebibytes": {
        let left = 16 * Number(url.searchParams.get("count"));
        return new Response(new ReadableStream({
          pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(65_536)) : controller.close()),
        }));
      }
      case "/count": {
        let count = 0;
        for await (const chunk of request.body) count += chunk.length;
        return new Response(String(count));
      }
      case "/breaks":
        return new Response(new ReadableStream({
          async pull(controller) {
            if (this.isSecond) {
              await scheduler.wait(50);
              throw new Error("no more");
            }
            this.isSecond = true;
            controller.enqueue(bytes("one"));
          },
        }, { highWaterMark: 0 }));
    }
    return new Response("?", { status: 404 });
  }
}

// What stands in front, if it is the default export.
export const worker = {
  fetch: (request, env) => env.STREAMER.getByName("a").fetch(request),
};
