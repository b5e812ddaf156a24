// Namespaces and stubs: how objects are reached.

import native from "dohost:native";
import { unlessAborted } from "dohost:abort";
import { takeBody } from "dohost:body";
import { fromWords } from "dohost:errors";
import { redirected } from "dohost:fetch";
import { rawOf } from "dohost:headers";
import { isId, makeId } from "dohost:id";
import { leaving } from "dohost:outgoing";
import { Request } from "dohost:request";
import { received } from "dohost:response";

const PRIVATE = Symbol("private");

// Stubs that nobody has any more are let go on the other side too.
const forgotten = new FinalizationRegistry((number) => native.stubDrop(number));

export class DurableObjectNamespace {
  #binding;

  constructor(key, binding) {
    if (key !== PRIVATE) throw new TypeError("Illegal constructor");
    this.#binding = binding;
  }
  newUniqueId(options) {
    refuseJurisdiction(options?.jurisdiction);
    return makeId(native.newUniqueId(this.#binding), undefined, this.#binding);
  }
  idFromName(name) {
    if (arguments.length === 0) throw new TypeError("idFromName() takes a name.");
    name = String(name);
    return makeId(native.idFromName(this.#binding, name.toWellFormed()), name, this.#binding);
  }
  idFromString(text) {
    return makeId(native.idFromString(this.#binding, String(text)), undefined, this.#binding);
  }
  get(id, options) {
    refuseJurisdiction(options?.jurisdiction);
    if (!isId(id)) throw new TypeError("get() takes an id, as idFromName() and the like give it.");
    // What made the id may be another class, which the host sees.
    const number = id.name === undefined
      ? native.stubById(this.#binding, id.toString())
      : this.#named(id);
    return makeStub(number, id);
  }
  #named(id) {
    if (native.idFromName(this.#binding, id.name) !== id.toString()) return native.stubById(this.#binding, id.toString());
    return native.stubByName(this.#binding, id.name);
  }
  getByName(name, options) {
    refuseJurisdiction(options?.jurisdiction);
    return this.get(this.idFromName(name), options);
  }
  getExisting(id, options) {
    return this.get(id, options);
  }
  jurisdiction(jurisdiction) {
    refuseJurisdiction(jurisdiction);
    return this;
  }
  get [Symbol.toStringTag]() {
    return "DurableObjectNamespace";
  }
}

function refuseJurisdiction(jurisdiction) {
  if (jurisdiction === undefined || jurisdiction === null) return;
  throw new Error("Jurisdiction restrictions are not implemented in dohost.");
}

export function makeNamespace(binding) {
  return new DurableObjectNamespace(PRIVATE, binding);
}

// The face of stubs, for instanceof.
export class DurableObjectStub {
  constructor(key) {
    if (key !== PRIVATE) throw new TypeError("Illegal constructor");
  }
}

class Stub {
  constructor(number, id) {
    this.number = number;
    this.id = id;
    this.methods = new Map();
    this.fetch = (input, init) => fetchOf(this, input, init);
  }

  method(name) {
    let method = this.methods.get(name);
    if (method === undefined) {
      method = propertyOf((...parameters) => callOf(this, name, parameters), () => callOf(this, name));
      this.methods.set(name, method);
    }
    return method;
  }
}

const traps = {
  get({ stub }, name) {
    switch (name) {
      case "fetch": return stub.fetch;
      case "id": return stub.id;
      case "name": return stub.id.name;
      // A stub that is awaited is no promise.
      case "then": return undefined;
      case "constructor": return DurableObjectStub;
      case Symbol.toStringTag: return "DurableObject";
      case Symbol.dispose: return () => {};
      case "dup": return () => makeStub(stub.number, stub.id);
      case "connect": return () => {
        throw new Error("connect() is not there: objects take requests and calls.");
      };
      default: return typeof name === "symbol" ? undefined : stub.method(name);
    }
  },
  set() {
    return false;
  },
  has(_, name) {
    return name === "fetch" || name === "id" || name === "name";
  },
  getPrototypeOf() {
    return DurableObjectStub.prototype;
  },
  ownKeys() {
    return [];
  },
};

function makeStub(number, id) {
  const stub = new Stub(number, id);
  forgotten.register(stub, number);
  return new Proxy({ stub }, traps);
}

function fetchOf(stub, input, init) {
  let request;
  try {
    request = input instanceof Request && init === undefined ? input : new Request(input, init);
    const content = takeBody(request);
    const send = (method, url, headers, content) => native.stubFetch(stub.number, method, url, headers, leaving(content));
    const reply = Promise.resolve(send(request.method, request.url, rawOf(request.headers), content));
    const again = async (method, url, headers, content) => partsOf(await send(method, url, headers, content));
    const response = reply.then((parts) => {
      const [status, headers, body] = partsOf(parts);
      return redirected(request, content, received(status, headers, body, request.url, false), again);
    });
    return init?.signal ? unlessAborted(init.signal, response) : response;
  } catch (error) {
    return Promise.reject(error);
  }
}

// Status, headers and body, if there are.
function partsOf(reply) {
  if (!Array.isArray(reply)) throw failure(reply);
  return reply;
}

// What a stub has under a name: a function that can be called, or be awaited, which reads the property of the object.
function propertyOf(call, read) {
  return new Proxy(call, {
    get(_, name) {
      if (name === "then" || name === "catch" || name === "finally") {
        return (...callbacks) => read()[name](...callbacks);
      }
      if (typeof name === "symbol" || name in call) return call[name];
      const inner = async () => (await read())[name];
      return propertyOf(async (...parameters) => (await inner())(...parameters), inner);
    },
  });
}

// Without parameters the property is read.
async function callOf(stub, name, parameters) {
  if (native.stubIsDynamic(stub.number)) {
    const reply = await native.stubCall(stub.number, name, native.encode(parameters));
    if (!Array.isArray(reply)) throw failure(reply);
    return reply[0];
  }
  // Methods with types, which have names of their own style: `addItem` is `add-item`.
  const reply = await native.stubCallJson(stub.number, kebab(name), toJson(parameters));
  if (typeof reply !== "string") throw failure(reply);
  return JSON.parse(reply);
}

const kebab = (name) => name.replace(/([a-z0-9])([A-Z])/g, "$1-$2").toLowerCase();

function toJson(parameters) {
  return JSON.stringify(parameters, (_, value) => {
    if (typeof value === "bigint") return JSON.rawJSON ? JSON.rawJSON(String(value)) : Number(value);
    if (value instanceof Uint8Array) return Array.from(value);
    return value;
  });
}

// The exception of a call that brought no reply.
function failure({ message, remote, retryable, overloaded }) {
  // What an object was reset for is what its program said, if it was the program that did it.
  const reason = /^the object was reset: ([^]*)$/.exec(message);
  const error = remote || reason ? fromWords(reason?.[1] ?? message) : new Error(message);
  if (remote) error.remote = true;
  if (retryable) error.retryable = true;
  if (overloaded) error.overloaded = true;
  return error;
}
