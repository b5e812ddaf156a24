// A value as text. Says what JSON does not: undefined, -0, holes, cycles, what kind of collection or array it is.

export function show(value, seen = new Map()) {
  switch (typeof value) {
    case "string":
      return value.length > 500 ? `${value.length} characters` : JSON.stringify(value);
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : showObject(value, seen);
    default:
      return String(value);
  }
}

function showObject(value, seen) {
  if (seen.has(value)) return `#${seen.get(value)}`;
  seen.set(value, seen.size);
  const all = (values) => values.map((item) => show(item, seen)).join(", ");

  if (Array.isArray(value)) return `[${showItems(value, seen)}]${showRest(value, seen)}`;
  if (value instanceof Date) return `Date(${Number.isNaN(value.getTime()) ? "invalid" : value.toISOString()})`;
  if (value instanceof RegExp) return `RegExp(${value} at ${value.lastIndex})`;
  if (value instanceof Map) return `Map(${[...value].map(([key, item]) => `${show(key, seen)} => ${show(item, seen)}`).join(", ")})`;
  if (value instanceof Set) return `Set(${all([...value])})`;
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${[...new Uint8Array(value)].join(" ")})`;
  if (value instanceof DataView) return `DataView(${[...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)].join(" ")})`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${all([...value])})`;
  if (value instanceof Error) {
    const cause = "cause" in value ? `, cause ${show(value.cause, seen)}` : "";
    return `Error(${value.name}: ${value.message}${cause})`;
  }
  if (value instanceof Number || value instanceof String || value instanceof Boolean || value instanceof BigInt) {
    return `Object(${show(value.valueOf())})`;
  }
  const kind = value.constructor === Object ? "" : `${value.constructor?.name ?? "no prototype"} `;
  return `${kind}{${showEntries(value, Object.keys(value), seen)}}`;
}

// Holes are no undefined.
function showItems(array, seen) {
  if (array.length > 20) return `${array.length} items`;
  return Array.from(array, (item, index) => (index in array ? show(item, seen) : "hole")).join(", ");
}

function showRest(array, seen) {
  const keys = Object.keys(array).filter((key) => !/^\d+$/.test(key));
  return keys.length === 0 ? "" : ` with {${showEntries(array, keys, seen)}}`;
}

function showEntries(object, keys, seen) {
  return keys.map((key) => `${key}: ${show(object[key], seen)}`).join(", ");
}
