// Values as people read them in a log.

import { atLength } from "dohost:errors";

const DEPTH_MAX = 2;
const ITEMS_MAX = 100;
const LINE_MAX = 76;

export function format(values) {
  const rest = [...values];
  const parts = [];
  if (typeof rest[0] === "string" && rest[0].includes("%") && rest.length > 1) {
    const pattern = rest.shift();
    parts.push(pattern.replace(/%[sdifjoOc%]/g, (directive) => {
      if (directive === "%%") return "%";
      if (rest.length === 0) return directive;
      const value = rest.shift();
      switch (directive) {
        case "%s": return typeof value === "string" ? value : typeof value === "object" ? inspect(value, 1) : String(value);
        case "%d": return typeof value === "bigint" ? `${value}n` : String(Number(value));
        case "%i": return String(parseInt(value));
        case "%f": return String(parseFloat(value));
        case "%j": return JSON.stringify(value);
        case "%c": return "";
        default: return inspect(value);
      }
    }));
  }
  for (const value of rest) parts.push(typeof value === "string" ? value : inspect(value));
  return parts.join(" ");
}

export function inspect(value, depth = DEPTH_MAX, seen = []) {
  switch (typeof value) {
    case "string": return quote(value);
    case "bigint": return `${value}n`;
    case "symbol": return String(value);
    case "number": return Object.is(value, -0) ? "-0" : String(value);
    case "function": {
      const isClass = /^class\b/.test(Function.prototype.toString.call(value));
      const name = value.name === "" ? "(anonymous)" : value.name;
      return isClass ? `[class ${name}]` : value.name === "" ? `[Function (anonymous)]` : `[Function: ${name}]`;
    }
    case "object": return value === null ? "null" : inspectObject(value, depth, seen);
    default: return String(value);
  }
}

function quote(text) {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes("`") ? "`" : "'";
  const escaped = JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"');
  return mark + (mark === "'" ? escaped.replace(/'/g, "\\'") : escaped) + mark;
}

function inspectObject(object, depth, seen) {
  if (seen.includes(object)) return "[Circular *1]";
  try {
    return inspectKnown(object, depth, [...seen, object]);
  } catch {
    return "[object that cannot be looked at]";
  }
}

function inspectKnown(object, depth, seen) {
  const prototype = Object.getPrototypeOf(object);
  const name = prototype === null ? "[Object: null prototype]" : prototype.constructor?.name ?? "Object";
  const inside = (value) => inspect(value, depth - 1, seen);

  if (object instanceof Error) return atLength(object);
  if (object instanceof Date) return Number.isNaN(object.getTime()) ? "Invalid Date" : object.toISOString();
  if (object instanceof RegExp) return String(object);
  if (object instanceof Promise) return "Promise { <pending> }";
  if (object instanceof WeakMap || object instanceof WeakSet) return `${name} { <items unknown> }`;
  if (object instanceof Number || object instanceof String || object instanceof Boolean) return `[${name}: ${inspect(object.valueOf())}]`;
  if (depth < 0) return Array.isArray(object) ? "[Array]" : `[${name}]`;

  if (Array.isArray(object)) {
    const items = [];
    for (let index = 0; index < Math.min(object.length, ITEMS_MAX); index++) {
      items.push(index in object ? inside(object[index]) : "<empty item>");
    }
    more(items, object.length);
    return braces(name === "Array" ? "" : `${name}(${object.length}) `, "[", items, "]");
  }
  if (ArrayBuffer.isView(object) && !(object instanceof DataView)) {
    const items = Array.from(object.subarray(0, ITEMS_MAX), inside);
    more(items, object.length);
    return braces(`${name}(${object.length}) `, "[", items, "]");
  }
  if (object instanceof ArrayBuffer) return `ArrayBuffer { byteLength: ${object.byteLength} }`;
  if (object instanceof Map) {
    const items = [...object].slice(0, ITEMS_MAX).map(([key, value]) => `${inside(key)} => ${inside(value)}`);
    more(items, object.size);
    return braces(`${name}(${object.size}) `, "{", items, "}");
  }
  if (object instanceof Set) {
    const items = [...object].slice(0, ITEMS_MAX).map(inside);
    more(items, object.size);
    return braces(`${name}(${object.size}) `, "{", items, "}");
  }

  const items = [];
  const keys = Reflect.ownKeys(object).filter((key) => Object.getOwnPropertyDescriptor(object, key)?.enumerable);
  for (const key of keys.slice(0, ITEMS_MAX)) {
    const property = Object.getOwnPropertyDescriptor(object, key);
    const shown = typeof key === "symbol" ? `[${String(key)}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key);
    const value = property.get ? (property.set ? "[Getter/Setter]" : "[Getter]") : property.set ? "[Setter]" : inside(property.value);
    items.push(`${shown}: ${value}`);
  }
  more(items, keys.length);
  // What objects of the web's classes have are getters of the class.
  if (keys.length === 0 && prototype !== Object.prototype && prototype !== null && Symbol.toStringTag in object) {
    for (const key of Object.getOwnPropertyNames(prototype)) {
      if (Object.getOwnPropertyDescriptor(prototype, key).get && key !== "body" && key !== "signal") {
        items.push(`${key}: ${inside(object[key])}`);
      }
    }
    if (typeof object.entries === "function" && items.length === 0) {
      for (const [key, value] of object.entries()) items.push(`${quote(String(key))}: ${inside(value)}`);
    }
  }
  return braces(prototype === Object.prototype ? "" : `${name} `, "{", items, "}");
}

function more(items, count) {
  if (count > ITEMS_MAX) items.push(`... ${count - ITEMS_MAX} more item${count - ITEMS_MAX === 1 ? "" : "s"}`);
}

function braces(name, open, items, close) {
  if (items.length === 0) return `${name}${open}${close}`;
  const line = `${name}${open} ${items.join(", ")} ${close}`;
  if (line.length <= LINE_MAX && !line.includes("\n")) return line;
  return `${name}${open}\n${items.map((item) => "  " + item.replace(/\n/g, "\n  ")).join(",\n")}\n${close}`;
}
