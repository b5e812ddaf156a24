// Ids: which are equal, what they look like.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const { LEFT, RIGHT } = env;
    const a = LEFT.idFromName("a");
    await found.is("the same name", a.equals(LEFT.idFromName("a")));
    await found.is("another name", a.equals(LEFT.idFromName("b")));
    await found.is("the same name in another class", String(a) === String(RIGHT.idFromName("a")));
    await found.is("its name", a.name);
    await found.is("as text", /^[0-9a-f]{64}$/.test(a.toString()));
    await found.is("the text is the same each time", `${a}` === LEFT.idFromName("a").toString());
    await found.is("names are text", LEFT.idFromName(1).equals(LEFT.idFromName("1")));
    await found.is("the empty name", LEFT.idFromName("").name);
    await found.is("another spelling of é", LEFT.idFromName("é").equals(LEFT.idFromName("e\u0301")));
    const unique = LEFT.newUniqueId();
    await found.is("unique ids differ", unique.equals(LEFT.newUniqueId()));
    await found.is("a unique id is equal to itself", unique.equals(unique));
    await found.is("it has no name", unique.name);
    await found.is("as text", /^[0-9a-f]{64}$/.test(`${unique}`));
    const parsed = LEFT.idFromString(a.toString());
    await found.is("from text", parsed.equals(a));
    await found.is("its name is lost", parsed.name);
    await found.is("from the text of a unique id", LEFT.idFromString(`${unique}`).equals(unique));
    return found.response();
  },
};

export class Left extends DurableObject {}
export class Right extends DurableObject {}
