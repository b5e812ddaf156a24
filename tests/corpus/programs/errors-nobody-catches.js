// Rejections and exceptions that nobody catches end neither the request nor the object.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  memory = 0;
  leave() {
    this.memory += 1;
    Promise.reject(new Error("nobody catches this"));
    setTimeout(() => {
      throw new Error("nor this");
    }, 1);
    queueMicrotask(() => {
      throw new Error("nor that");
    });
    return "left";
  }
  get() {
    return this.memory;
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    await found.is("left", stub.leave());
    await new Promise((resolve) => setTimeout(resolve, 30));
    await found.is("it lives on", stub.get());
    return found.response();
  },
};
