// TextEncoder and TextDecoder of the Encoding Standard.

import native from "dohost:native";

export class TextEncoder {
  get encoding() {
    return "utf-8";
  }
  encode(text = "") {
    return native.utf8Encode(String(text).toWellFormed());
  }
  encodeInto(text, destination) {
    text = String(text).toWellFormed();
    let read = 0;
    let written = 0;
    for (const point of text) {
      const bytes = native.utf8Encode(point);
      if (written + bytes.length > destination.length) break;
      destination.set(bytes, written);
      written += bytes.length;
      read += point.length;
    }
    return { read, written };
  }
  get [Symbol.toStringTag]() {
    return "TextEncoder";
  }
}

const NOTHING = new Uint8Array(0);

export class TextDecoder {
  #encoding;
  #fatal;
  #ignoreBOM;
  // A decoder that has not seen its last bytes.
  #decoder = null;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    const encoding = native.encodingName(String(label).trim());
    if (encoding === undefined || encoding === null) throw new RangeError(`"${label}" is not a valid encoding.`);
    this.#encoding = encoding;
    this.#fatal = Boolean(fatal);
    this.#ignoreBOM = Boolean(ignoreBOM);
  }
  get encoding() {
    return this.#encoding;
  }
  get fatal() {
    return this.#fatal;
  }
  get ignoreBOM() {
    return this.#ignoreBOM;
  }
  decode(input, { stream = false } = {}) {
    const bytes = input === undefined ? NOTHING : viewOf(input);
    this.#decoder ??= native.decoderNew(this.#encoding, this.#ignoreBOM);
    const decoder = this.#decoder;
    this.#decoder = null;
    const text = native.decoderRun(decoder, bytes, this.#fatal, !stream);
    if (stream) this.#decoder = decoder;
    return text;
  }
  get [Symbol.toStringTag]() {
    return "TextDecoder";
  }
}

// The bytes behind a buffer or any view of one.
export function viewOf(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new TypeError("Expected an ArrayBuffer or a view of one.");
}
