// Arguments and results of methods, by structured clone.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  nothing() {}
  echo(value) {
    return value;
  }
  async later(value) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return value;
  }
  count(...values) {
    return values.length;
  }
  sum(a, b = 10) {
    return a + b;
  }
  change(value) {
    value.changed = true;
    return value;
  }
}

export default {
  async fetch(request, env) {
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const found = new Transcript();
    await found.is("nothing", stub.nothing());
    for (const [name, value] of Object.entries({
      undefined: undefined, null: null, true: true, number: 1.5, "minus zero": -0, nan: NaN, text: "héllo 😀", bigint: 2n ** 70n,
      array: [1, , 3], object: { b: 1, a: [undefined] }, map: new Map([[{ k: 1 }, new Set([1])]]), date: new Date(86400000), pattern: /a/g,
      bytes: new Uint8Array([1, 2, 3]), buffer: new ArrayBuffer(2), error: new RangeError("as a value"), "own error": Object.assign(new Error("x"), { name: "Own" }),
    })) {
      await found.is(name, stub.echo(value));
    }
    await found.is("later", stub.later({ a: 1 }));
    await found.is("no arguments", stub.count());
    await found.is("three", stub.count(1, undefined, 3));
    await found.is("trailing undefined", stub.count(1, undefined));
    await found.is("a default", stub.sum(1));
    await found.is("a default for undefined", stub.sum(1, undefined));
    const mine = { a: 1 };
    await found.is("changed there", stub.change(mine));
    await found.is("not here", mine);
    const self = { name: "self" };
    self.self = self;
    await found.is("cyclic", stub.echo(self));
    await found.is("a large text", (await stub.echo("x".repeat(300_000))).length);
    return found.response();
  },
};
