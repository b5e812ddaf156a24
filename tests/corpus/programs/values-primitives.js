// Plain values, stored and read back.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    const values = {
      true: true, false: false, null: null, zero: 0, "minus zero": -0, one: 1, "minus one": -1, half: 0.5, tiny: 5e-324,
      large: 2 ** 53, "2**31": 2 ** 31, "-2**31": -(2 ** 31), "2**32": 2 ** 32, huge: 1.7976931348623157e308, nan: NaN, infinity: Infinity, "minus infinity": -Infinity,
      "": "the empty name", empty: "", text: "héllo wörld", emoji: "😀", "lone surrogate": "a\ud800b", nul: "a\u0000b",
      bigint: 10n, "bigint zero": 0n, "bigint minus": -10n, "bigint large": 2n ** 100n, "bigint minus large": -(2n ** 64n), "bigint 2**64": 2n ** 64n,
    };
    for (const [name, value] of Object.entries(values)) {
      await storage.put(`v ${name}`, value);
      await found.is(name, storage.get(`v ${name}`));
    }
    await storage.put("boxed", [new Number(1), new String("text"), new Boolean(false), Object(1n)]);
    await found.is("boxed", storage.get("boxed"));
    return found.response();
  }
}

export default one("SUBJECT");
