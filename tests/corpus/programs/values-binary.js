// Buffers and views, stored and read back.
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
    await check("ArrayBuffer", new Uint8Array([1, 2, 255]).buffer);
    await check("an empty one", new ArrayBuffer(0));
    await check("Uint8Array", new Uint8Array([0, 1, 255]));
    await check("Int8Array", new Int8Array([0, -1, 127, -128]));
    await check("Uint8ClampedArray", new Uint8ClampedArray([0, 300, -5]));
    await check("Int16Array", new Int16Array([1, -32768]));
    await check("Uint16Array", new Uint16Array([1, 65535]));
    await check("Int32Array", new Int32Array([1, -(2 ** 31)]));
    await check("Uint32Array", new Uint32Array([1, 2 ** 32 - 1]));
    await check("Float32Array", new Float32Array([0.5, -0, NaN, Infinity]));
    await check("Float64Array", new Float64Array([0.1, -0, NaN, -Infinity]));
    await check("BigInt64Array", new BigInt64Array([1n, -(2n ** 63n)]));
    await check("BigUint64Array", new BigUint64Array([1n, 2n ** 64n - 1n]));
    await check("DataView", new DataView(new Uint8Array([1, 2, 3]).buffer));
    await check("in an object", { bytes: new Uint8Array([1]), list: [new Uint8Array([2])] });
    const buffer = new Uint8Array([1, 2, 3, 4]).buffer;
    await storage.put("value", { left: new Uint8Array(buffer, 0, 2), right: new Uint8Array(buffer, 2, 2) });
    const { left, right } = await storage.get("value");
    await found.is("two views", [left, right]);
    await found.is("of one buffer, still", left.buffer === right.buffer);
    const part = new Uint8Array(buffer).subarray(1, 3);
    await check("a part of a buffer", part);
    return found.response();
  }
}

export default one("SUBJECT");
