// Ids of objects.

const PRIVATE = Symbol("private");
let isOf;

export class DurableObjectId {
  #text;
  #name;
  #binding;

  static {
    isOf = (id, binding) => #text in id && (id.#binding === binding || id.#binding === null);
  }

  constructor(key, text, name, binding) {
    if (key !== PRIVATE) throw new TypeError("Illegal constructor");
    this.#text = text;
    this.#binding = binding;
    this.#name = name ?? undefined;
  }
  get name() {
    return this.#name;
  }
  toString() {
    return this.#text;
  }
  equals(other) {
    return #text in other && this.#text === other.#text;
  }
  get [Symbol.toStringTag]() {
    return "DurableObjectId";
  }
}

// `binding` is that of the namespace which made the id, null for the object's own.
export function makeId(text, name, binding) {
  return new DurableObjectId(PRIVATE, text, name, binding);
}

export function isId(value) {
  return value instanceof DurableObjectId;
}

export { isOf };
