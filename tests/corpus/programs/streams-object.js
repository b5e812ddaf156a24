// Bodies of an object come as they are made, and go as they come.
//> GET /response
//> GET /both
//> GET /cancelled
//> GET /through
//> GET /fails
//> GET /fixed

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

const text = (bytes) => (bytes === undefined ? undefined : new TextDecoder().decode(bytes));
const bytes = (text) => new TextEncoder().encode(text);

export class Subject extends DurableObject {
  async fetch(request) {
    switch (new URL(request.url).pathname) {
      case "/response":
        return new Response(new ReadableStream({
          start: (controller) => {
            this.controller = controller;
          },
        }));
      case "/both":
      case "/through":
        return new Response(request.body.pipeThrough(new TransformStream({
          transform(chunk, controller) {
            controller.enqueue(bytes(text(chunk).toUpperCase()));
          },
        })), { headers: { "x-own": "yes" }, status: 201 });
      case "/fails":
        return new Response(new ReadableStream({
          async pull(controller) {
            if (this.isSecond) {
              await scheduler.wait(50);
              controller.error(new Error("no more"));
            }
            this.isSecond = true;
            controller.enqueue(bytes("one"));
          },
        }, { highWaterMark: 0 }));
      case "/fixed": {
        const { readable, writable } = new FixedLengthStream(5);
        const writer = writable.getWriter();
        writer.write(bytes("12345"));
        writer.close();
        return new Response(readable);
      }
    }
  }

  write(text) {
    this.controller.enqueue(bytes(text));
  }
  close() {
    this.controller.close();
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const { pathname } = new URL(request.url);
    const subject = env.SUBJECT.getByName(pathname);
    switch (pathname) {
      case "/response": {
        const response = await subject.fetch("http://subject/response");
        await found.is("the head comes first", response.status);
        const reader = response.body.getReader();
        for (const word of ["one", "two"]) {
          const next = reader.read();
          await subject.write(word);
          await found.is(word, text((await next).value));
        }
        await subject.close();
        await found.is("end", (await reader.read()).done);
        break;
      }
      case "/both": {
        const { readable, writable } = new IdentityTransformStream();
        const writer = writable.getWriter();
        const response = await subject.fetch("http://subject/both", { method: "POST", body: readable });
        const reader = response.body.getReader();
        for (const letter of ["a", "b", "c"]) {
          const [, { value }] = await Promise.all([writer.write(bytes(letter)), reader.read()]);
          await found.is(letter, text(value));
        }
        await writer.close();
        await found.is("end", (await reader.read()).done);
        break;
      }
      case "/cancelled": {
        const response = await subject.fetch("http://subject/response");
        const reader = response.body.getReader();
        const next = reader.read();
        await subject.write("one");
        await next;
        await reader.cancel();
        await scheduler.wait(50);
        await found.is("it", subject.write("two").then(() => undefined, () => undefined));
        break;
      }
      case "/through": {
        const response = await subject.fetch("http://subject/through", { method: "PUT", body: new Response("small letters").body });
        await found.is("status", response.status);
        await found.is("header", response.headers.get("x-own"));
        await found.is("text", response.text());
        const large = await subject.fetch("http://subject/through", { method: "PUT", body: new Response("x".repeat(1_000_000)).body });
        await found.is("a large one", (await large.text()).length);
        break;
      }
      case "/fails": {
        const response = await subject.fetch("http://subject/fails");
        const reader = response.body.getReader();
        await found.is("first", text((await reader.read()).value));
        let error = false;
        try {
          while (!(await reader.read()).done);
        } catch {
          error = true;
        }
        await found.is("then it fails", error);
        break;
      }
      case "/fixed":
        await found.is("text", (await subject.fetch("http://subject/fixed")).text());
        break;
    }
    return found.response();
  },
};
