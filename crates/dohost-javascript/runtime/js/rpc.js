// Methods of objects: which there are, and how they are called.

import native from "dohost:native";
import { inWords, logUncaught } from "dohost:errors";
import { DurableObject } from "cloudflare:workers";

// What objects handle besides. None of these can be called by name.
export const HANDLERS = [
  "fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError", "connect", "scheduled", "queue", "tail", "trace",
  "email", "test",
];

const reserved = new Set([...HANDLERS, "constructor", "dup"]);

// Names of the methods of a class and of those that it extends.
export function methodsOf(Class) {
  const names = new Set();
  for (const prototype of prototypesOf(Class.prototype)) {
    for (const name of Object.getOwnPropertyNames(prototype)) {
      const property = Object.getOwnPropertyDescriptor(prototype, name);
      if (typeof property.value === "function" && !reserved.has(name)) names.add(name);
    }
  }
  return [...names].sort();
}

function* prototypesOf(prototype) {
  while (prototype !== null && prototype !== Object.prototype && prototype !== DurableObject.prototype) {
    yield prototype;
    prototype = Object.getPrototypeOf(prototype);
  }
}

// The property `name` of the object's class: its instances' own are private.
function find(instance, name) {
  if (reserved.has(name)) return undefined;
  for (const prototype of prototypesOf(Object.getPrototypeOf(instance))) {
    const property = Object.getOwnPropertyDescriptor(prototype, name);
    if (property !== undefined) return property;
  }
  return undefined;
}

const RESULT = 0, NO_SUCH_METHOD = 1, INVALID_ARGUMENTS = 2, EXCEPTION = 3;

export function call(instance, name, given, isJson) {
  if (!(instance instanceof DurableObject)) {
    return [EXCEPTION, "TypeError: The receiving Durable Object does not support RPC, because its class was not declared with `extends DurableObject`. In order to enable RPC, make sure your class extends the special class `DurableObject`, which can be imported from the module \"cloudflare:workers\"."];
  }
  if (reserved.has(name) && !isJson) {
    return [EXCEPTION, `TypeError: '${name}' is a reserved method and cannot be called over RPC.`];
  }
  const property = find(instance, name);
  if (property === undefined) {
    return isJson ? [NO_SUCH_METHOD] : [EXCEPTION, `TypeError: The RPC receiver does not implement the method "${name}".`];
  }
  const give = (result) => [RESULT, isJson ? JSON.stringify(result) ?? "null" : native.encode(result)];
  const fail = (error) => {
    logUncaught(error);
    return [EXCEPTION, inWords(error)];
  };
  const answer = (result) => {
    const isPromise = result !== null && typeof result === "object" && typeof result.then === "function";
    return isPromise ? Promise.resolve(result).then(give).catch(fail) : give(result);
  };
  let parameters;
  try {
    parameters = isJson ? JSON.parse(given) : native.decode(given);
    if (!Array.isArray(parameters) && (isJson || parameters !== undefined)) throw new TypeError("the arguments are no array");
  } catch (error) {
    return [INVALID_ARGUMENTS, inWords(error)];
  }
  try {
    const method = property.get ? property.get.call(instance) : property.value;
    // Without arguments it is no call, but the property is read.
    if (parameters === undefined) return answer(method);
    if (typeof method !== "function") return [EXCEPTION, `TypeError: "${name}" is not a function.`];
    return answer(Reflect.apply(method, instance, parameters));
  } catch (error) {
    return fail(error);
  }
}
