// While a request waits for a timer or for another object, others run: what they read before may be old.
//> GET /unsafe
//| GET /unsafe
//| GET /unsafe
//> GET /value

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  value = 0;

  async fetch(request) {
    if (new URL(request.url).pathname === "/value") return new Response(`${this.value}`);
    const before = this.value;
    await new Promise((resolve) => setTimeout(resolve, 150));
    this.value = before + 1;
    return new Response(`${this.value}`);
  }
}

export default one("SUBJECT");
