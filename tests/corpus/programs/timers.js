// Timers in an object: order, arguments, clearing, and that a request waits for them only if it awaits them.
//> GET /order
//> GET /clear
//> GET /after
//> GET /seen

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  seen = [];

  async fetch(request) {
    const found = new Transcript();
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    switch (new URL(request.url).pathname) {
      case "/order": {
        const log = [];
        setTimeout(() => log.push("40"), 40);
        setTimeout(() => log.push("10"), 10);
        setTimeout(() => log.push("0, first"), 0);
        setTimeout(() => log.push("0, second"), 0);
        setTimeout((...values) => log.push(`with ${values.join()}`), 20, 1, "two");
        queueMicrotask(() => log.push("microtask"));
        Promise.resolve().then(() => log.push("promise"));
        log.push("now");
        await sleep(80);
        await found.is("order", log);
        await found.is("a promise in a timer", new Promise((resolve) => setTimeout(() => resolve(Promise.resolve("nested")), 1)));
        break;
      }
      case "/clear": {
        const log = [];
        const timer = setTimeout(() => log.push("never"), 5);
        clearTimeout(timer);
        let ticks = 0;
        const interval = setInterval(() => {
          ticks += 1;
          if (ticks === 3) clearInterval(interval);
        }, 5);
        clearTimeout(undefined);
        clearTimeout(12345);
        await sleep(80);
        await found.is("cleared", log);
        await found.is("ticks", ticks);
        break;
      }
      case "/after":
        setTimeout(() => this.seen.push("after the answer"), 1);
        await found.is("at once", this.seen);
        break;
      case "/seen":
        await sleep(60);
        await found.is("seen", this.seen);
    }
    return found.response();
  }
}

export default one("SUBJECT");
