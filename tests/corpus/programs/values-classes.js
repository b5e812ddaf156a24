// Instances of classes lose their class; private and inherited members are not kept.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const { storage } = this.ctx;
    const found = new Transcript();
    class Point {
      #hidden = 1;
      x = 1;
      constructor(y) { this.y = y; }
      get sum() { return this.x + this.y + this.#hidden; }
      move() {}
    }
    class Point3 extends Point { z = 3; }
    const check = async (label, make) => {
      try {
        await storage.put("value", make());
        await found.is(label, storage.get("value"));
      } catch (error) {
        found.note(`${label} throws ${error.name}`);
      }
    };
    await check("an instance", () => new Point(2));
    await check("of a class that extends it", () => new Point3(2));
    await check("in an array", () => [new Point(1)]);
    class MyMap extends Map {}
    class MyArray extends Array {}
    class MyDate extends Date {}
    await check("a class that extends Map", () => new MyMap([[1, 2]]));
    await check("Array", () => MyArray.from([1, 2]));
    await check("Date", () => new MyDate(0));
    await check("an object with a prototype of its own", () => Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } }));
    await check("arguments", () => (function () { return arguments; })(1, 2));
    return found.response();
  }
}

export default one("SUBJECT");
