// URL and URLSearchParams of the URL Standard. Parsing is the host language's.

import native from "dohost:native";

// Places of `parts` in src/host/url.rs, after the text itself.
const [SCHEME, USER, USER_END, PASSWORD, PASSWORD_END, HOST, HOST_END, PORT, PORT_END, PATH, PATH_END, QUERY_END, ORIGIN] =
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13];

let followQuery;

export class URL {
  #parts;
  #params = null;

  static {
    followQuery = (url, query) => {
      url.#parts = native.urlSet(url.#parts[0], "search", query);
    };
  }

  constructor(url, base = undefined) {
    const parts = native.urlParse(String(url), base === undefined ? undefined : String(base));
    if (parts === null) throw new TypeError("Invalid URL string.");
    this.#parts = parts;
  }

  static canParse(url, base) {
    return native.urlParse(String(url), base === undefined ? undefined : String(base)) !== null;
  }

  static parse(url, base) {
    try {
      return new URL(url, base);
    } catch {
      return null;
    }
  }

  #part(from, to) {
    const parts = this.#parts;
    return parts[0].slice(parts[from], parts[to]);
  }

  #set(part, value) {
    this.#parts = native.urlSet(this.#parts[0], part, String(value));
    if (this.#params !== null) fill(this.#params, this.search);
  }

  get href() {
    return this.#parts[0];
  }
  set href(value) {
    const parts = native.urlParse(String(value), undefined);
    if (parts === null) throw new TypeError("Invalid URL string.");
    this.#parts = parts;
    if (this.#params !== null) fill(this.#params, this.search);
  }
  get origin() {
    return this.#parts[ORIGIN] ?? this.protocol + "//" + this.host;
  }
  get protocol() {
    return this.#parts[0].slice(0, this.#parts[SCHEME] + 1);
  }
  set protocol(value) {
    this.#set("protocol", value);
  }
  get username() {
    return this.#part(USER, USER_END);
  }
  set username(value) {
    this.#set("username", value);
  }
  get password() {
    return this.#part(PASSWORD, PASSWORD_END);
  }
  set password(value) {
    this.#set("password", value);
  }
  get host() {
    return this.#part(HOST, PORT_END);
  }
  set host(value) {
    this.#set("host", value);
  }
  get hostname() {
    return this.#part(HOST, HOST_END);
  }
  set hostname(value) {
    this.#set("hostname", value);
  }
  get port() {
    return this.#part(PORT, PORT_END);
  }
  set port(value) {
    this.#set("port", value);
  }
  get pathname() {
    return this.#part(PATH, PATH_END);
  }
  set pathname(value) {
    this.#set("pathname", value);
  }
  get search() {
    const search = this.#part(PATH_END, QUERY_END);
    return search === "?" ? "" : search;
  }
  set search(value) {
    this.#set("search", value);
  }
  get hash() {
    const hash = this.#parts[0].slice(this.#parts[QUERY_END]);
    return hash === "#" ? "" : hash;
  }
  set hash(value) {
    this.#set("hash", value);
  }
  get searchParams() {
    if (this.#params === null) {
      this.#params = new URLSearchParams(this.search);
      follow(this.#params, this);
    }
    return this.#params;
  }
  toString() {
    return this.href;
  }
  toJSON() {
    return this.href;
  }
  get [Symbol.toStringTag]() {
    return "URL";
  }
}

let follow, fill;

export class URLSearchParams {
  #pairs = [];
  #url = null;

  static {
    follow = (params, url) => {
      params.#url = url;
    };
    fill = (params, search) => {
      params.#pairs = parseForm(search);
    };
  }

  constructor(init = "") {
    if (typeof init === "object" && init !== null) {
      if (typeof init[Symbol.iterator] === "function") {
        for (const pair of init) {
          const [...parts] = pair;
          if (parts.length !== 2) throw new TypeError("Sequence initializer must only contain pairs.");
          this.#pairs.push([wellFormed(parts[0]), wellFormed(parts[1])]);
        }
      } else {
        for (const name of Object.keys(init)) this.#pairs.push([wellFormed(name), wellFormed(init[name])]);
      }
    } else {
      this.#pairs = parseForm(String(init));
    }
  }

  #changed() {
    if (this.#url !== null) followQuery(this.#url, this.toString());
  }

  get size() {
    return this.#pairs.length;
  }
  append(name, value) {
    this.#pairs.push([wellFormed(name), wellFormed(value)]);
    this.#changed();
  }
  delete(name, value) {
    name = wellFormed(name);
    this.#pairs = this.#pairs.filter((pair) => pair[0] !== name || (value !== undefined && pair[1] !== String(value)));
    this.#changed();
  }
  get(name) {
    name = String(name);
    return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
  }
  getAll(name) {
    name = String(name);
    return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
  }
  has(name, value) {
    name = String(name);
    return this.#pairs.some((pair) => pair[0] === name && (value === undefined || pair[1] === String(value)));
  }
  set(name, value) {
    name = wellFormed(name);
    value = wellFormed(value);
    const first = this.#pairs.findIndex((pair) => pair[0] === name);
    if (first < 0) {
      this.#pairs.push([name, value]);
    } else {
      this.#pairs[first][1] = value;
      this.#pairs = this.#pairs.filter((pair, index) => index <= first || pair[0] !== name);
    }
    this.#changed();
  }
  sort() {
    this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
    this.#changed();
  }
  forEach(callback, self) {
    for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
  }
  *entries() {
    for (const [name, value] of this.#pairs) yield [name, value];
  }
  *keys() {
    for (const [name] of this.#pairs) yield name;
  }
  *values() {
    for (const [, value] of this.#pairs) yield value;
  }
  toString() {
    return this.#pairs.map(([name, value]) => formEncode(name) + "=" + formEncode(value)).join("&");
  }
  get [Symbol.toStringTag]() {
    return "URLSearchParams";
  }
}
Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, {
  value: URLSearchParams.prototype.entries, writable: true, configurable: true,
});

function wellFormed(text) {
  return String(text).toWellFormed();
}

function formEncode(text) {
  return encodeURIComponent(text).replace(/[!'()~]|%20/g, (found) =>
    found === "%20" ? "+" : "%" + found.charCodeAt(0).toString(16).toUpperCase());
}

function formDecode(text) {
  text = text.replaceAll("+", " ");
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Not all of it is well formed: byte by byte.
    const bytes = [];
    for (let index = 0; index < text.length; index++) {
      const hex = text.slice(index + 1, index + 3);
      if (text[index] === "%" && /^[0-9a-fA-F]{2}$/.test(hex)) {
        bytes.push(parseInt(hex, 16));
        index += 2;
      } else {
        const point = String.fromCodePoint(text.codePointAt(index));
        bytes.push(...native.utf8Encode(point.toWellFormed()));
        index += point.length - 1;
      }
    }
    return native.decoderRun(native.decoderNew("utf-8", true), new Uint8Array(bytes), false, true);
  }
}

// The pairs of `application/x-www-form-urlencoded`.
export function parseForm(text) {
  if (text.startsWith("?")) text = text.slice(1);
  const pairs = [];
  for (const part of text.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const [name, value] = equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
    pairs.push([formDecode(name), formDecode(value)]);
  }
  return pairs;
}
