// Blob and File of the File API.

import native from "dohost:native";
import { viewOf } from "dohost:encoding";
import { ReadableStream } from "dohost:streams";

let bytesOf;

export class Blob {
  #bytes;
  #type;

  static {
    bytesOf = (blob) => blob.#bytes;
  }

  constructor(parts = [], options = {}) {
    if (typeof parts !== "object" || parts === null || typeof parts[Symbol.iterator] !== "function") {
      throw new TypeError("A Blob is made of a list of parts.");
    }
    const chunks = [];
    let length = 0;
    for (const part of parts) {
      const chunk = part instanceof Blob ? part.#bytes
        : ArrayBuffer.isView(part) || part instanceof ArrayBuffer ? viewOf(part)
        : native.utf8Encode(String(part).toWellFormed());
      chunks.push(chunk);
      length += chunk.length;
    }
    this.#bytes = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      this.#bytes.set(chunk, at);
      at += chunk.length;
    }
    const type = String(options?.type ?? "");
    this.#type = /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();
  }
  get size() {
    return this.#bytes.length;
  }
  get type() {
    return this.#type;
  }
  slice(start = 0, end = this.size, type = "") {
    const part = new Blob([], { type });
    part.#bytes = this.#bytes.slice(start, end);
    return part;
  }
  async text() {
    return native.utf8Decode(this.#bytes);
  }
  async arrayBuffer() {
    return this.#bytes.slice().buffer;
  }
  async bytes() {
    return this.#bytes.slice();
  }
  stream() {
    const bytes = this.#bytes;
    return new ReadableStream({
      type: "bytes",
      start(controller) {
        if (bytes.length > 0) controller.enqueue(bytes.slice());
        controller.close();
      },
    });
  }
  get [Symbol.toStringTag]() {
    return "Blob";
  }
}

export class File extends Blob {
  #name;
  #lastModified;
  constructor(parts, name, options = {}) {
    super(parts, options);
    if (arguments.length < 2) throw new TypeError("A File has a name.");
    this.#name = String(name);
    this.#lastModified = options?.lastModified ?? Date.now();
  }
  get name() {
    return this.#name;
  }
  get lastModified() {
    return this.#lastModified;
  }
  get [Symbol.toStringTag]() {
    return "File";
  }
}

export { bytesOf };
