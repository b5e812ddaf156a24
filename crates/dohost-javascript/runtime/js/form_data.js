// FormData of the XHR Standard, and multipart/form-data (RFC 7578) both ways.

import native from "dohost:native";
import { Blob, File, bytesOf } from "dohost:blob";

export class FormData {
  #entries = [];

  constructor(form) {
    if (form !== undefined) throw new TypeError("FormData takes no form here.");
  }

  append(name, value, filename) {
    this.#entries.push(entryOf(name, value, filename, arguments.length));
  }
  set(name, value, filename) {
    const entry = entryOf(name, value, filename, arguments.length);
    const first = this.#entries.findIndex((other) => other[0] === entry[0]);
    if (first < 0) {
      this.#entries.push(entry);
    } else {
      this.#entries[first] = entry;
      this.#entries = this.#entries.filter((other, index) => index <= first || other[0] !== entry[0]);
    }
  }
  delete(name) {
    name = String(name);
    this.#entries = this.#entries.filter((entry) => entry[0] !== name);
  }
  get(name) {
    name = String(name);
    return this.#entries.find((entry) => entry[0] === name)?.[1] ?? null;
  }
  getAll(name) {
    name = String(name);
    return this.#entries.filter((entry) => entry[0] === name).map((entry) => entry[1]);
  }
  has(name) {
    name = String(name);
    return this.#entries.some((entry) => entry[0] === name);
  }
  forEach(callback, self) {
    for (const [name, value] of this.#entries) callback.call(self, value, name, this);
  }
  *entries() {
    for (const [name, value] of this.#entries) yield [name, value];
  }
  *keys() {
    for (const [name] of this.#entries) yield name;
  }
  *values() {
    for (const [, value] of this.#entries) yield value;
  }
  get [Symbol.toStringTag]() {
    return "FormData";
  }
}
Object.defineProperty(FormData.prototype, Symbol.iterator, {
  value: FormData.prototype.entries, writable: true, configurable: true,
});

function entryOf(name, value, filename, count) {
  name = String(name).toWellFormed();
  if (value instanceof Blob) {
    const isNamed = count >= 3 && filename !== undefined;
    if (value instanceof File && !isNamed) return [name, value];
    return [name, new File([value], isNamed ? filename : "blob", { type: value.type })];
  }
  return [name, String(value).toWellFormed()];
}

const escape = (name) => name.replace(/\n/g, "%0A").replace(/\r/g, "%0D").replace(/"/g, "%22");

// The bytes of a form, with the boundary between its parts.
export function toMultipart(form) {
  const random = native.randomBytes(16);
  const boundary = "----dohost" + Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const parts = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(name)}"`;
    if (typeof value === "string") {
      parts.push(`${head}\r\n\r\n${value.replace(/\r?\n|\r/g, "\r\n")}\r\n`);
    } else {
      head += `; filename="${escape(value.name)}"\r\nContent-Type: ${value.type || "application/octet-stream"}`;
      parts.push(`${head}\r\n\r\n`, value, "\r\n");
    }
  }
  parts.push(`--${boundary}--\r\n`);
  return { boundary, bytes: bytesOf(new Blob(parts)) };
}

// Bytes as characters, so that they can be searched.
function asLatin1(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

export function fromMultipart(bytes, boundary) {
  const broken = () => new TypeError("The body is no multipart/form-data.");
  const text = asLatin1(bytes);
  const form = new FormData();
  const delimiter = `--${boundary}`;
  let at = text.indexOf(delimiter);
  if (at < 0) throw broken();
  for (;;) {
    at += delimiter.length;
    if (text.startsWith("--", at)) return form;
    if (!text.startsWith("\r\n", at)) throw broken();
    const headEnd = text.indexOf("\r\n\r\n", at);
    const end = text.indexOf(`\r\n${delimiter}`, Math.max(at, headEnd));
    if (headEnd < 0 || end < 0) throw broken();
    const head = native.utf8Decode(bytes.subarray(at, headEnd));
    const disposition = /^content-disposition:\s*form-data(.*)$/im.exec(head)?.[1];
    const name = /;\s*name="([^"]*)"/i.exec(disposition ?? "")?.[1];
    if (name === undefined) throw broken();
    const unescape = (part) => part.replace(/%0A/g, "\n").replace(/%0D/g, "\r").replace(/%22/g, '"');
    const filename = /;\s*filename="([^"]*)"/i.exec(disposition)?.[1];
    const content = bytes.slice(headEnd + 4, end);
    if (filename === undefined) {
      form.append(unescape(name), native.utf8Decode(content));
    } else {
      const type = /^content-type:\s*(.*?)\s*$/im.exec(head)?.[1] ?? "application/octet-stream";
      form.append(unescape(name), new File([content], unescape(filename), { type }));
    }
    at = end + 2;
  }
}
