// Headers of the Fetch Standard.

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function nameOf(name) {
  name = String(name);
  if (!NAME.test(name)) throw new TypeError(`Invalid header name.`);
  return name.toLowerCase();
}

function valueOf(value) {
  value = String(value);
  if (isSpace(value.charCodeAt(0)) || isSpace(value.charCodeAt(value.length - 1))) {
    value = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  }
  if (value.includes("\n") || value.includes("\r") || value.includes("\0")) throw new TypeError(`Invalid header value.`);
  return value;
}

function isSpace(code) {
  return code === 32 || code === 9 || code === 10 || code === 13;
}

let makeFromRaw, rawOf;

export class Headers {
  // Pairs of lower-case name and value, in the order in which they came; or `name\nvalue\n…`, as the host gives headers, of which
  // most are never looked at.
  #content = "";
  #isImmutable = false;

  static {
    makeFromRaw = (raw, isImmutable) => {
      const headers = new Headers();
      headers.#content = raw;
      headers.#isImmutable = isImmutable;
      return headers;
    };
    rawOf = (headers) => {
      if (typeof headers.#content === "string") return headers.#content;
      let raw = "";
      for (const [name, value] of headers.#content) raw += name + "\n" + value + "\n";
      return raw;
    };
  }

  constructor(init) {
    if (init === undefined) return;
    if (init instanceof Headers) {
      this.#content = rawOf(init);
    } else if (typeof init !== "object" || init === null) {
      throw new TypeError("Headers are made of an object, a list of pairs, or other headers.");
    } else if (typeof init[Symbol.iterator] === "function") {
      for (const pair of init) {
        const [...parts] = pair;
        if (parts.length !== 2) throw new TypeError("Sequence initializer must only contain pairs.");
        this.append(parts[0], parts[1]);
      }
    } else {
      for (const name of Reflect.ownKeys(init)) {
        if (typeof name === "string" && Object.getOwnPropertyDescriptor(init, name)?.enumerable) this.append(name, init[name]);
      }
    }
  }

  #all() {
    if (typeof this.#content === "string") {
      const parts = this.#content.split("\n");
      const pairs = [];
      for (let index = 0; index + 1 < parts.length; index += 2) pairs.push([parts[index].toLowerCase(), parts[index + 1]]);
      this.#content = pairs;
    }
    return this.#content;
  }

  #change() {
    if (this.#isImmutable) throw new TypeError("Can't modify immutable headers.");
    return this.#all();
  }

  append(name, value) {
    name = nameOf(name);
    value = valueOf(value);
    this.#change().push([name, value]);
  }

  set(name, value) {
    name = nameOf(name);
    value = valueOf(value);
    const pairs = this.#change();
    const first = pairs.findIndex((pair) => pair[0] === name);
    if (first < 0) {
      pairs.push([name, value]);
    } else {
      pairs[first] = [name, value];
      this.#content = pairs.filter((pair, index) => index <= first || pair[0] !== name);
    }
  }

  delete(name) {
    name = nameOf(name);
    this.#content = this.#change().filter((pair) => pair[0] !== name);
  }

  get(name) {
    name = nameOf(name);
    let found = null;
    for (const pair of this.#all()) {
      if (pair[0] === name) found = found === null ? pair[1] : found + ", " + pair[1];
    }
    return found;
  }

  has(name) {
    name = nameOf(name);
    return this.#all().some((pair) => pair[0] === name);
  }

  getSetCookie() {
    return this.#all().filter((pair) => pair[0] === "set-cookie").map((pair) => pair[1]);
  }

  getAll(name) {
    if (nameOf(name) !== "set-cookie") {
      throw new TypeError('getAll() can only be used with the header name "Set-Cookie".');
    }
    return this.getSetCookie();
  }

  #sorted() {
    const combined = new Map();
    const cookies = [];
    for (const [name, value] of this.#all()) {
      if (name === "set-cookie") cookies.push([name, value]);
      else combined.set(name, combined.has(name) ? combined.get(name) + ", " + value : value);
    }
    return [...combined, ...cookies].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  }

  forEach(callback, self) {
    for (const [name, value] of this.#sorted()) callback.call(self, value, name, this);
  }

  *entries() {
    yield* this.#sorted();
  }

  *keys() {
    for (const [name] of this.#sorted()) yield name;
  }

  *values() {
    for (const [, value] of this.#sorted()) yield value;
  }

  get [Symbol.toStringTag]() {
    return "Headers";
  }
}
Object.defineProperty(Headers.prototype, Symbol.iterator, {
  value: Headers.prototype.entries, writable: true, configurable: true,
});

export { makeFromRaw, rawOf };
