// What an object knows of its own id, reached by name, by text and by a unique id.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  own() {
    return [this.ctx.id.toString(), this.ctx.id.name];
  }
  same(text) {
    return this.ctx.id.equals(this.env.SUBJECT.idFromString(text));
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const named = env.SUBJECT.idFromName("näme 😀/");
    const [text, name] = await env.SUBJECT.get(named).own();
    await found.is("its text", text === named.toString());
    await found.is("its name", name);
    await found.is("equal", env.SUBJECT.get(named).same(named.toString()));
    const unique = env.SUBJECT.newUniqueId();
    await found.is("a unique id", (await env.SUBJECT.get(unique).own())[0] === unique.toString());
    await found.is("has no name", (await env.SUBJECT.get(unique).own())[1]);
    const byText = env.SUBJECT.get(env.SUBJECT.idFromString(env.SUBJECT.idFromName("other").toString()));
    await found.is("by text the name is not known", (await byText.own())[1]);
    return found.response();
  },
};
