// Ids that are none, or those of another class.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const { LEFT, RIGHT } = env;
    const id = LEFT.idFromName("a").toString();
    await found.throws("too short", () => LEFT.idFromString("abc"));
    await found.throws("empty", () => LEFT.idFromString(""));
    await found.throws("no hexadecimal digits", () => LEFT.idFromString("z".repeat(64)));
    await found.throws("made up", () => LEFT.idFromString("0".repeat(64)));
    await found.throws("of another class", () => RIGHT.idFromString(id));
    await found.throws("with one digit changed", () => LEFT.idFromString(id.replace(/./, (digit) => (digit === "0" ? "1" : "0"))));
    await found.throws("too long", () => LEFT.idFromString(`${id}00`));
    await found.is("in capitals", LEFT.idFromString(id.toUpperCase()).equals(LEFT.idFromName("a")));
    await found.refuses("get of a text", () => LEFT.get(id));
    await found.refuses("get of nothing", () => LEFT.get());
    await found.refuses("idFromName of nothing", () => LEFT.idFromName());
    return found.response();
  },
};

export class Left extends DurableObject {}
export class Right extends DurableObject {}
