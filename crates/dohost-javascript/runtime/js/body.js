// The bodies of requests and responses.
//
// A body is whole (text or bytes, which most are) or a stream. A whole one becomes a stream only when the program asks for it.

import native from "dohost:native";
import { Blob, bytesOf } from "dohost:blob";
import { viewOf } from "dohost:encoding";
import { FormData, fromMultipart, toMultipart } from "dohost:form_data";
import { ReadableStream, collect, isDisturbed } from "dohost:streams";
import { URLSearchParams, parseForm } from "dohost:url";

const NOTHING = new Uint8Array(0);
export const TEXT_TYPE = "text/plain;charset=UTF-8";

// What somebody made a body of, as content and the type that it has by itself.
export function extract(source) {
  if (source === null || source === undefined) return { content: null, type: null };
  if (typeof source === "string") return { content: source.toWellFormed(), type: TEXT_TYPE };
  if (source instanceof ReadableStream) {
    if (source.locked || isDisturbed(source)) {
      throw new TypeError("This ReadableStream is disturbed (has already been read from), and cannot be used as a body.");
    }
    return { content: source, type: null };
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return { content: viewOf(source).slice(), type: null };
  if (source instanceof Blob) return { content: bytesOf(source), type: source.type || null };
  if (source instanceof URLSearchParams) {
    return { content: source.toString(), type: "application/x-www-form-urlencoded;charset=UTF-8" };
  }
  if (source instanceof FormData) {
    const { boundary, bytes } = toMultipart(source);
    return { content: bytes, type: `multipart/form-data; boundary=${boundary}` };
  }
  return { content: String(source).toWellFormed(), type: TEXT_TYPE };
}

// Bodies of the host that nobody reads any more are let go there too.
const forgotten = new FinalizationRegistry((number) => native.bodyDrop(number));

// Content that the host has under a number.
export function kept(number) {
  const content = { host: number };
  forgotten.register(content, number);
  return content;
}

// Such content as a stream.
function hostStream(content) {
  return new ReadableStream({
    type: "bytes",
    async pull(controller) {
      const bytes = await native.bodyRead(content.host);
      if (bytes === null) controller.close();
      else controller.enqueue(bytes);
    },
    cancel() {
      native.bodyDrop(content.host);
    },
  }, { highWaterMark: 0 });
}

let takeBody, cloneBody;

export class Body {
  // Text, a Uint8Array, a ReadableStream, `{ host: number }` for one that nobody has begun to read, or null.
  #content;
  #isUsed = false;

  static {
    // Takes the content away, as reading it does.
    takeBody = (body) => {
      body.#use();
      return body.#content;
    };
    cloneBody = (body) => {
      if (body.bodyUsed || (body.#content instanceof ReadableStream && body.#content.locked)) {
        throw new TypeError("Cannot clone a body that has been used.");
      }
      const stream = body.#asStream();
      if (!(body.#content instanceof ReadableStream)) return body.#content;
      const [one, other] = stream.tee();
      body.#content = one;
      return other;
    };
  }

  constructor(content) {
    this.#content = content;
  }

  #asStream() {
    if (this.#content !== null && typeof this.#content === "object" && "host" in this.#content) {
      this.#content = hostStream(this.#content);
    }
    return this.#content;
  }

  get body() {
    const content = this.#asStream();
    if (content === null || content instanceof ReadableStream) return content;
    const bytes = typeof content === "string" ? native.utf8Encode(content) : content;
    const wasUsed = this.#isUsed;
    this.#content = new ReadableStream({
      type: "bytes",
      start(controller) {
        if (bytes.length > 0 && !wasUsed) controller.enqueue(bytes);
        controller.close();
      },
    });
    return this.#content;
  }

  get bodyUsed() {
    return this.#isUsed || (this.#content instanceof ReadableStream && isDisturbed(this.#content));
  }

  #use() {
    if (this.#content === null) return;
    if (this.bodyUsed) {
      throw new TypeError("Body has already been used. It can only be used once. Use tee() first if you need to read it twice.");
    }
    if (this.#content instanceof ReadableStream && this.#content.locked) {
      throw new TypeError("This ReadableStream is currently locked to a reader.");
    }
    this.#isUsed = true;
  }

  async #bytes() {
    this.#use();
    return bytesOfContent(this.#content);
  }

  async text() {
    this.#use();
    const content = this.#content;
    if (typeof content === "string") return content.charCodeAt(0) === 0xfeff ? content.slice(1) : content;
    return native.utf8Decode(await bytesOfContent(content));
  }
  async json() {
    return JSON.parse(await this.text());
  }
  async arrayBuffer() {
    const bytes = await this.#bytes();
    return bytes.buffer.byteLength === bytes.length ? bytes.buffer : bytes.slice().buffer;
  }
  async bytes() {
    return this.#bytes();
  }
  async blob() {
    const type = this.headers.get("content-type") ?? "";
    return new Blob([await this.#bytes()], { type });
  }
  async formData() {
    const type = this.headers.get("content-type") ?? "";
    if (/^multipart\/form-data/i.test(type)) {
      const boundary = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
      if (!boundary) throw new TypeError("No boundary string in Content-Type header. The multipart/form-data MIME type requires a boundary parameter.");
      return fromMultipart(await this.#bytes(), boundary[1] ?? boundary[2]);
    }
    if (/^application\/x-www-form-urlencoded/i.test(type)) {
      const form = new FormData();
      for (const [name, value] of parseForm(await this.text())) form.append(name, value);
      return form;
    }
    throw new TypeError("Unrecognized Content-Type header value. FormData can only parse the following MIME types: multipart/form-data, application/x-www-form-urlencoded.");
  }
}

// A promise of the bytes, or the bytes.
function bytesOfContent(content) {
  if (content === null) return NOTHING;
  if (typeof content === "string") return native.utf8Encode(content);
  if (content instanceof Uint8Array) return content;
  if (content instanceof ReadableStream) return collect(content);
  return native.bodyReadAll(content.host);
}

// Whether content is there: text, bytes or null.
export function isWhole(content) {
  return content === null || typeof content === "string" || content instanceof Uint8Array;
}

export { cloneBody, takeBody };
