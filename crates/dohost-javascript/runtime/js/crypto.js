// Web Crypto: random numbers, digests, HMAC and AES-GCM.

import native from "dohost:native";
import { DOMException } from "dohost:errors";
import { viewOf } from "dohost:encoding";
import { WritableStream } from "dohost:streams";

const DIGESTS = ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "MD5"];
const BLOCKS = { "SHA-1": 64, "SHA-256": 64, "SHA-384": 128, "SHA-512": 128 };
const RANDOM_BYTES_MAX = 65536;

function algorithmOf(algorithm) {
  return typeof algorithm === "string" ? { name: algorithm.toUpperCase() } : { ...algorithm, name: String(algorithm?.name).toUpperCase() };
}

function digestName(algorithm) {
  const name = algorithmOf(algorithm).name;
  if (!DIGESTS.includes(name)) throw new DOMException(`Unrecognized or unimplemented digest algorithm requested: "${name}".`, "NotSupportedError");
  return name;
}

const PRIVATE = Symbol("private");
let bytesOf;

export class CryptoKey {
  #parts;
  static {
    bytesOf = (key) => key.#parts.bytes;
  }
  constructor(key, parts) {
    if (key !== PRIVATE) throw new TypeError("Illegal constructor");
    this.#parts = parts;
  }
  get type() {
    return "secret";
  }
  get extractable() {
    return this.#parts.extractable;
  }
  get algorithm() {
    return this.#parts.algorithm;
  }
  get usages() {
    return [...this.#parts.usages];
  }
  get [Symbol.toStringTag]() {
    return "CryptoKey";
  }
}

function makeKey(bytes, algorithm, extractable, usages) {
  const { name, hash, length } = algorithmOf(algorithm);
  let description;
  if (name === "HMAC") description = { name, hash: { name: digestName(hash) }, length: length ?? bytes.length * 8 };
  else if (name === "AES-GCM") description = { name, length: bytes.length * 8 };
  else throw new DOMException(`Unrecognized key algorithm "${name}": HMAC and AES-GCM are there.`, "NotSupportedError");
  if (name === "AES-GCM" && ![16, 32].includes(bytes.length)) {
    throw new DOMException("AES-GCM takes a key of 128 or 256 bits here.", "DataError");
  }
  return new CryptoKey(PRIVATE, { bytes, algorithm: description, extractable: Boolean(extractable), usages: [...usages] });
}

function requireUsage(key, algorithm, usage) {
  const { name } = algorithmOf(algorithm);
  if (key.algorithm.name !== name) throw new DOMException("The key is one of another algorithm.", "InvalidAccessError");
  if (!key.usages.includes(usage)) throw new DOMException(`Requested key usage "${usage}" does not match any usage listed in this CryptoKey.`, "InvalidAccessError");
}

const toBase64Url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
const fromBase64Url = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (byte) => byte.charCodeAt(0));

export class SubtleCrypto {
  constructor(key) {
    if (key !== PRIVATE) throw new TypeError("Illegal constructor");
  }

  async digest(algorithm, data) {
    return native.digest(digestName(algorithm), viewOf(data)).buffer;
  }

  async generateKey(algorithm, extractable, usages) {
    const { name, hash, length } = algorithmOf(algorithm);
    const bits = length ?? (name === "HMAC" ? 8 * BLOCKS[digestName(hash)] : 256);
    return makeKey(native.randomBytes(bits / 8), algorithm, extractable, usages);
  }

  async importKey(format, data, algorithm, extractable, usages) {
    if (format === "raw") return makeKey(viewOf(data).slice(), algorithm, extractable, usages);
    if (format === "jwk" && data?.kty === "oct") return makeKey(fromBase64Url(data.k), algorithm, extractable, usages);
    throw new DOMException(`Keys of the format "${format}" are not supported: raw, and jwk of secrets, are.`, "NotSupportedError");
  }

  async exportKey(format, key) {
    if (!key.extractable) throw new DOMException("Attempt to export non-extractable key.", "InvalidAccessError");
    if (format === "raw") return bytesOf(key).slice().buffer;
    if (format === "jwk") return { kty: "oct", k: toBase64Url(bytesOf(key)), ext: true, key_ops: key.usages };
    throw new DOMException(`Keys of the format "${format}" are not supported.`, "NotSupportedError");
  }

  async sign(algorithm, key, data) {
    requireUsage(key, algorithm, "sign");
    return native.hmac(key.algorithm.hash.name, bytesOf(key), viewOf(data)).buffer;
  }

  async verify(algorithm, key, signature, data) {
    requireUsage(key, algorithm, "verify");
    const expected = native.hmac(key.algorithm.hash.name, bytesOf(key), viewOf(data));
    const given = viewOf(signature);
    return given.length === expected.length && this.timingSafeEqual(expected, given);
  }

  async encrypt(algorithm, key, data) {
    requireUsage(key, algorithm, "encrypt");
    return this.#aes(true, algorithm, key, data).buffer;
  }

  async decrypt(algorithm, key, data) {
    requireUsage(key, algorithm, "decrypt");
    const text = this.#aes(false, algorithm, key, data);
    if (text === null) throw new DOMException("Decryption failed. This could be due to a ciphertext authentication failure, bad padding, incorrect CryptoKey, or another algorithm-specific reason.", "OperationError");
    return text.buffer;
  }

  #aes(encrypts, { iv, additionalData, tagLength = 128 }, key, data) {
    if (tagLength !== 128) throw new DOMException("AES-GCM has a tag of 128 bits here.", "NotSupportedError");
    return native.aesGcm(encrypts, bytesOf(key), viewOf(iv), viewOf(data), additionalData ? viewOf(additionalData) : new Uint8Array(0));
  }

  timingSafeEqual(one, other) {
    one = viewOf(one);
    other = viewOf(other);
    if (one.length !== other.length) throw new TypeError("Input buffers must have the same byte length");
    let difference = 0;
    for (let index = 0; index < one.length; index++) difference |= one[index] ^ other[index];
    return difference === 0;
  }
}

export class DigestStream extends WritableStream {
  #digest;
  constructor(algorithm) {
    const name = digestName(algorithm);
    const chunks = [];
    let resolve, reject;
    const digest = new Promise((...functions) => ([resolve, reject] = functions));
    digest.catch(() => {});
    super({
      write: (chunk) => void chunks.push(typeof chunk === "string" ? native.utf8Encode(chunk) : viewOf(chunk).slice()),
      close: async () => resolve(native.digest(name, await new Blob(chunks).bytes()).buffer),
      abort: reject,
    });
    this.#digest = digest;
  }
  get digest() {
    return this.#digest;
  }
}

export const crypto = {
  subtle: new SubtleCrypto(PRIVATE),
  DigestStream,
  getRandomValues(array) {
    if (!ArrayBuffer.isView(array) || array instanceof DataView || array instanceof Float32Array || array instanceof Float64Array) {
      throw new DOMException("getRandomValues takes an array of integers.", "TypeMismatchError");
    }
    if (array.byteLength > RANDOM_BYTES_MAX) {
      throw new DOMException(`getRandomValues() only accepts buffers of size <= 64K but provided ${array.byteLength} bytes.`, "QuotaExceededError");
    }
    viewOf(array).set(native.randomBytes(array.byteLength));
    return array;
  },
  randomUUID() {
    const bytes = native.randomBytes(16);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  },
};
