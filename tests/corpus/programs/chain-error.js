// An exception goes back through a chain of objects, and each may catch it.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Chain extends DurableObject {
  async through(depth) {
    if (depth === 0) throw new RangeError("at the end");
    return this.env.CHAIN.getByName(`${depth - 1}`).through(depth - 1);
  }
  async catching(depth) {
    try {
      return await this.through(depth);
    } catch (error) {
      return `caught ${error.name}: ${error.message}, remote ${error.remote}`;
    }
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    await found.is("to the Worker", env.CHAIN.getByName("2").through(2));
    await found.is("caught by an object", env.CHAIN.getByName("c").catching(2));
    return found.response();
  },
};
