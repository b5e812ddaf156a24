// Values that contain themselves, or something twice.
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
    const self = { name: "self" };
    self.self = self;
    await check("an object in itself", self);
    const list = [1];
    list.push(list, [list]);
    await check("an array in itself", list);
    const map = new Map();
    map.set(map, map);
    await check("a Map in itself", map);
    const set = new Set();
    set.add(set);
    await check("a Set in itself", set);
    const shared = { x: 1 };
    await check("one object twice", [shared, { again: shared }, shared]);
    const date = new Date(0);
    await check("one date twice", [date, date]);
    const parent = { children: [] };
    parent.children.push({ parent }, { parent });
    await check("parent and children", parent);
    return found.response();
  }
}

export default one("SUBJECT");
