// `blockConcurrencyWhile` in a request: others wait until it is done, and it gives what its callback gives.
//> GET /block
//| GET /quick
//> GET /log
//> GET /values

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  log = [];

  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/log") return new Response(this.log.join("\n"));
    if (pathname === "/values") {
      const found = new Transcript();
      await found.is("what it gives", this.ctx.blockConcurrencyWhile(async () => ({ a: 1 })));
      await found.is("not async", this.ctx.blockConcurrencyWhile(() => 2));
      await found.is("in itself", this.ctx.blockConcurrencyWhile(() => this.ctx.blockConcurrencyWhile(async () => "inner")));
      await found.is("with storage", this.ctx.blockConcurrencyWhile(async () => {
        await this.ctx.storage.put("a", 1);
        return this.ctx.storage.get("a");
      }));
      return found.response();
    }
    if (pathname === "/block") {
      this.log.push("block begins");
      await this.ctx.blockConcurrencyWhile(async () => {
        await new Promise((resolve) => setTimeout(resolve, 150));
        this.log.push("block ends");
      });
      return new Response("blocked");
    }
    this.log.push("quick");
    return new Response("quick");
  }
}

export default one("SUBJECT");
