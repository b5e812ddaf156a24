// Methods of the prototype can be called; what an instance has itself, what is private, and the handlers cannot.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

class Base extends DurableObject {
  inherited() {
    return "inherited";
  }
  overridden() {
    return "base";
  }
}

export class Subject extends Base {
  field = "a field";
  arrow = () => "an arrow";
  #secret() {
    return "secret";
  }
  static shared() {
    return "static";
  }
  method() {
    return `a method, with ${this.#secret()}`;
  }
  overridden() {
    return `${super.overridden()}, overridden`;
  }
  async fetch() {
    return new Response("fetched");
  }
  ["with space"]() {
    return "a name with a space";
  }
  _underscore() {
    return "underscore";
  }
}

export default {
  async fetch(request, env) {
    const stub = env.SUBJECT.get(env.SUBJECT.idFromName("one"));
    const found = new Transcript();
    for (const name of ["method", "inherited", "overridden", "with space", "_underscore", "none", "arrow", "shared", "secret", "#secret", "__proto__x", "alarm", "webSocketMessage"]) {
      await found.throws(name, () => stub[name]());
    }
    for (const name of ["field", "arrow", "none"]) await found.throws(`${name} read`, () => stub[name]);
    await found.refuses("the constructor", () => stub.constructor());
    await found.is("fetch is not a method", (await stub.fetch("http://object/")).text());
    return found.response();
  },
};
