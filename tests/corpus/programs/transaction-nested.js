// A transaction in a transaction: the inner one can be undone alone, the outer one undoes both.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    await storage.put("a", 1);
    await storage.transaction(async (outer) => {
      await outer.put("outer", 1);
      await storage.transaction(async (inner) => {
        await inner.put("inner", 1);
      });
      await found.is("inside", storage.list());
    });
    await found.is("both", storage.list());
    await found.is("the inner one throws", storage.transaction(async (outer) => {
      await outer.put("outer", 2);
      try {
        await storage.transaction(async (inner) => {
          await inner.put("inner", 2);
          throw new Error("inner");
        });
      } catch (error) {
        return error.message;
      }
    }));
    await found.is("only the outer one", storage.list());
    await found.is("the outer one throws", storage.transaction(async (outer) => {
      await outer.put("outer", 3);
      await storage.transaction(async (inner) => inner.put("inner", 3));
      throw new Error("outer");
    }));
    await found.is("neither", storage.list());
    return found.response();
  }
}

export default one("SUBJECT");
