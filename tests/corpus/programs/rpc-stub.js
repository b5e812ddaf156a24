// What a stub looks like to those who hold one.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  get() {
    return 1;
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const id = env.SUBJECT.idFromName("one");
    const stub = env.SUBJECT.get(id);
    await found.is("its id", stub.id.equals(id));
    await found.is("its name", stub.name);
    await found.is("the id's name", stub.id.name);
    const awaited = await stub;
    await found.is("it is no promise", awaited.id.equals(id));
    await found.is("typeof", typeof stub);
    await found.is("typeof a method", typeof stub.get);
    const method = stub.get;
    await found.throws("a method apart from its stub", () => method());
    await found.is("of a unique id", env.SUBJECT.get(env.SUBJECT.newUniqueId()).name);
    await found.is("in an array of calls", Promise.all([stub.get(), stub.get()]));
    await found.is("getByName", env.SUBJECT.getByName("one").id.equals(id));
    await found.is("getByName calls", env.SUBJECT.getByName("two").get());
    return found.response();
  },
};
