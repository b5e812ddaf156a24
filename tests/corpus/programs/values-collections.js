// Objects, arrays, Maps and Sets, with whatever is in them.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const check = async (label, value) => {
      await storage.put("value", value);
      await found.is(label, storage.get("value"));
    };
    await check("an object", { b: 1, a: { c: [1, "two", null] } });
    await check("names that are numbers come first", { b: 1, 2: "two", 1: "one" });
    await check("undefined is a value in an object", { a: undefined, b: [undefined] });
    await check("an empty object and array", [{}, []]);
    await check("a Map", new Map([["a", 1], [2, "b"], [{ x: 1 }, [1]], [NaN, NaN], [-0, 1]]));
    await check("a Set", new Set([1, "1", { a: 1 }, null, undefined]));
    await check("an empty Map and Set", [new Map(), new Set()]);
    await check("a Map in a Map in a Set", new Set([new Map([[new Map([[1, 2]]), 3]])]));
    await check("a Map is not changed by properties", Object.assign(new Map([[1, 2]]), { extra: 1 }));
    await check("__proto__ as a name", JSON.parse('{"__proto__": 1, "a": 2}'));
    await check("no prototype", Object.assign(Object.create(null), { a: 1 }));
    await check("only own enumerable properties", Object.defineProperty(Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } }), "hidden", { value: 2 }));
    await check("a getter is read", { get a() { return 1; } });
    await check("a symbol as name is left out", { [Symbol("s")]: 1, a: 2 });
    let deep = "bottom";
    for (let i = 0; i < 200; i += 1) deep = [deep];
    await storage.put("deep", deep);
    let value = await storage.get("deep");
    let depth = 0;
    while (Array.isArray(value)) [value, depth] = [value[0], depth + 1];
    await found.is("deep", [value, depth]);
    return found.response();
  }
}

export default one("SUBJECT");
