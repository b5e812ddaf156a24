// What structured clones need to know of objects that have classes, see src/clone/.

import native from "dohost:native";
import { DOMException } from "dohost:errors";

const SECONDS = 1, BIG = 2, BIG_NEGATIVE = 3, OBJECT = 27, SET = 258, MAP = 259, REGEXP = 21066;

// Tags of RFC 8746, little endian.
const ARRAYS = [
  [64, Uint8Array], [68, Uint8ClampedArray], [69, Uint16Array], [70, Uint32Array], [71, BigUint64Array], [72, Int8Array],
  [77, Int16Array], [78, Int32Array], [79, BigInt64Array], [85, Float32Array], [86, Float64Array],
];
if (typeof Float16Array === "function") ARRAYS.push([84, Float16Array]);
const TAGS = new Map(ARRAYS.map(([tag, Type]) => [Type, tag]));
const TYPES = new Map(ARRAYS);

const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
const TypedArray = Object.getPrototypeOf(Uint8Array);
const elementsOf = Object.getOwnPropertyDescriptor(TypedArray.prototype, Symbol.toStringTag).get;

// Classes of the runtime and of the language whose objects cannot be cloned.
const refused = new Set([Promise, WeakMap, WeakSet, WeakRef]);

export function refuse(...classes) {
  for (const Class of classes) refused.add(Class);
}

const PLAIN = 0, EXOTIC = 1, INSTANCE = 2;
const objectPrototype = Object.prototype;

function kind(object) {
  const prototype = Object.getPrototypeOf(object);
  if (prototype === objectPrototype || prototype === null) return PLAIN;
  if (
    object instanceof Map || object instanceof Set || object instanceof Date || object instanceof RegExp ||
    object instanceof Error || object instanceof ArrayBuffer || ArrayBuffer.isView(object) || object instanceof Number ||
    object instanceof String || object instanceof Boolean || object instanceof BigInt || object instanceof Symbol
  ) {
    return EXOTIC;
  }
  for (const Class of refused) {
    if (object instanceof Class) return EXOTIC;
  }
  if (/Generator|Iterator/.test(object[Symbol.toStringTag])) return EXOTIC;
  return INSTANCE;
}

function refusal(value) {
  let text;
  if (typeof value === "function" || typeof value === "symbol") text = String(value);
  else text = `#<${value?.constructor?.name || "Object"}>`;
  return new DOMException(`${text} could not be cloned.`, "DataCloneError");
}

function refuseInstance(value) {
  const name = value?.constructor?.name || "Object";
  throw new DOMException(`Could not serialize object of type "${name}". This type does not support serialization.`, "DataCloneError");
}

function bytesOfBig(value) {
  const digits = value.toString(16);
  const even = digits.length % 2 ? "0" + digits : digits;
  return Uint8Array.from({ length: even.length / 2 }, (_, index) => parseInt(even.slice(2 * index, 2 * index + 2), 16));
}

// The parts of a value: a tag, and content of the kind that goes with it.
function dissect(value) {
  if (typeof value === "bigint") return value < 0n ? [BIG_NEGATIVE, bytesOfBig(-1n - value)] : [BIG, bytesOfBig(value)];
  if (typeof value === "function" || typeof value === "symbol") throw refusal(value);
  if (Array.isArray(value)) {
    const parts = ["Array", value.length];
    for (const key of Object.keys(value)) {
      const index = Number(key);
      parts.push(String(index) === key && index < value.length ? index : key, value[key]);
    }
    return [OBJECT, parts];
  }
  if (value instanceof Map) return [MAP, [...Map.prototype.entries.call(value)].flat()];
  if (value instanceof Set) return [SET, [...Set.prototype.values.call(value)]];
  if (value instanceof Date) {
    const milliseconds = Date.prototype.getTime.call(value);
    const seconds = milliseconds / 1000;
    if (Number.isNaN(milliseconds) || Math.round(seconds * 1000) === milliseconds) return [SECONDS, seconds];
    return [OBJECT, ["Date", milliseconds]];
  }
  if (value instanceof RegExp) return [REGEXP, [value.source, value.flags]];
  if (value instanceof Error) {
    const name = Object.hasOwn(ERRORS, value.name) ? value.name : "Error";
    const parts = [name, String(value.message), typeof value.stack === "string" ? value.stack : ""];
    const { message: _message, stack: _stack, cause: _cause, ...own } = value;
    const hasOwn = Object.keys(own).length > 0;
    if (Object.hasOwn(value, "cause") || hasOwn) parts.push(Object.hasOwn(value, "cause") ? [value.cause] : []);
    if (hasOwn) parts.push(own);
    return [OBJECT, parts];
  }
  if (value instanceof ArrayBuffer) return [OBJECT, ["ArrayBuffer", new Uint8Array(value)]];
  if (value instanceof DataView) {
    return [OBJECT, ["DataView", new Uint8Array(value.buffer, value.byteOffset, value.byteLength)]];
  }
  if (ArrayBuffer.isView(value)) {
    const Type = globalThis[elementsOf.call(value)];
    return [TAGS.get(Type), new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  }
  if (value instanceof Number) return [OBJECT, ["Number", Number.prototype.valueOf.call(value)]];
  if (value instanceof String) return [OBJECT, ["String", String.prototype.valueOf.call(value)]];
  if (value instanceof Boolean) return [OBJECT, ["Boolean", Boolean.prototype.valueOf.call(value)]];
  if (value instanceof BigInt) return [OBJECT, ["BigInt", BigInt.prototype.valueOf.call(value)]];
  throw refusal(value);
}

// A value of content that needs nothing but itself.
function assemble(tag, content) {
  switch (tag) {
    case SECONDS:
      return new Date(Math.round(content * 1000));
    case BIG:
    case BIG_NEGATIVE: {
      let digits = "0x0";
      for (const byte of content) digits += byte.toString(16).padStart(2, "0");
      return tag === BIG ? BigInt(digits) : -1n - BigInt(digits);
    }
    case REGEXP:
      return new RegExp(content[0], content[1]);
    default: {
      const Type = TYPES.get(tag);
      if (Type === undefined) throw new Error(`A structured clone has an array of an unknown type, ${tag}.`);
      return Type === Uint8Array ? content : new Type(content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength));
    }
  }
}

// Objects that others may refer to before all of their content is known, and what is put into them.
function empty(tag) {
  return tag === MAP ? new Map() : new Set();
}

function insert(collection, key, value) {
  if (collection instanceof Map) collection.set(key, value);
  else collection.add(key);
}

function named(name) {
  if (name === "Array") return [];
  if (Object.hasOwn(ERRORS, name)) return Object.create(null);
  return null;
}

function complete(made, name, parts) {
  switch (name) {
    case "Array":
      made.length = parts[0];
      for (let index = 1; index + 1 < parts.length; index += 2) made[parts[index]] = parts[index + 1];
      return made;
    case "ArrayBuffer":
      return parts[0];
    case "DataView":
      return new DataView(parts[0]);
    case "Date":
      return new Date(parts[0]);
    case "Number":
    case "String":
    case "Boolean":
    case "BigInt":
      return Object(parts[0]);
    default: {
      if (!Object.hasOwn(ERRORS, name)) throw new Error(`A structured clone has an object of an unknown type, ${name}.`);
      const [message, stack, cause = [], own = {}] = parts;
      const error = new ERRORS[name](message, cause.length > 0 ? { cause: cause[0] } : undefined);
      Object.defineProperty(error, "stack", { value: stack, writable: true, configurable: true });
      return Object.assign(error, own);
    }
  }
}

function define(object, key, value) {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

// UTF-8 as it would be if halves of surrogate pairs were characters.
function wtf8(text) {
  const bytes = [];
  for (const point of text) {
    const code = point.codePointAt(0);
    if (code >= 0xd800 && code <= 0xdfff) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(...native.utf8Encode(point));
  }
  return new Uint8Array(bytes);
}

function fromWtf8(bytes) {
  let text = "";
  for (let index = 0; index < bytes.length;) {
    const first = bytes[index];
    const count = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    let code = count === 1 ? first : first & (0x7f >> count);
    for (let next = 1; next < count; next++) code = (code << 6) | (bytes[index + next] & 63);
    text += String.fromCodePoint(code);
    index += count;
  }
  return text;
}

native.setCloneHelpers({ kind, dissect, refuseInstance, assemble, empty, insert, named, complete, define, wtf8, fromWtf8 });

export function structuredClone(value, options) {
  if (arguments.length === 0) throw new TypeError("structuredClone takes a value.");
  const copy = native.clone(value);
  for (const buffer of options?.transfer ?? []) buffer.transfer?.();
  return copy;
}
