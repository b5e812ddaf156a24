// While an object waits for another object, requests for it run; its own calls come back to it too.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Front extends DurableObject {
  log = [];

  async slow() {
    this.log.push("slow begins");
    const text = await (await this.env.BACK.getByName("b").fetch("http://back/")).text();
    this.log.push(`slow ends with ${text}`);
    return text;
  }

  quick() {
    this.log.push("quick");
    return this.log.length;
  }

  all() {
    return this.log;
  }
}

export class Back extends DurableObject {
  async fetch() {
    await new Promise((resolve) => setTimeout(resolve, 100));
    return new Response("back");
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const front = env.FRONT.getByName("f");
    const slow = front.slow();
    await found.is("meanwhile", front.quick());
    await found.is("slow", slow);
    await found.is("log", front.all());
    return found.response();
  },
};
