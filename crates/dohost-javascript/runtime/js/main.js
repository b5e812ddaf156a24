// What the host calls, and the names that programs find.

import native from "dohost:native";
import { DOMException, framesOf, inWords, logUncaught } from "dohost:errors";
import { CloseEvent, CustomEvent, ErrorEvent, Event, EventTarget, MessageEvent } from "dohost:event";
import { AbortController, AbortSignal } from "dohost:abort";
import { atob, btoa } from "dohost:base64";
import { Blob, File } from "dohost:blob";
import { kept, takeBody } from "dohost:body";
import { console } from "dohost:console";
import { CryptoKey, SubtleCrypto, crypto } from "dohost:crypto";
import { TextDecoder, TextEncoder } from "dohost:encoding";
import { fetch as fetchOut } from "dohost:fetch";
import { FormData } from "dohost:form_data";
import { Headers, rawOf } from "dohost:headers";
import { DurableObjectId } from "dohost:id";
import { DurableObjectNamespace, DurableObjectStub, makeNamespace } from "dohost:namespace";
import { dropStream, leaving, nextChunk } from "dohost:outgoing";
import { Request, incoming } from "dohost:request";
import { Response } from "dohost:response";
import { HANDLERS, call as callMethod, methodsOf } from "dohost:rpc";
import { DurableObjectState, sectionsOfConstruction } from "dohost:state";
import { DurableObjectStorage, DurableObjectTransaction, askBeforeAlarms } from "dohost:storage";
import * as streams from "dohost:streams";
import { refuse, structuredClone } from "dohost:structured";
import { clearTimeout, fire, scheduler, setInterval, setTimeout } from "dohost:timers";
import { URL, URLSearchParams } from "dohost:url";
import * as websocket from "dohost:websocket";
import { DurableObject, WorkerEntrypoint, env } from "cloudflare:workers";

const { asBytes: _asBytes, collect: _collect, isDisturbed: _isDisturbed, ...streamClasses } = streams;

const names = {
  AbortController, AbortSignal, Blob, CloseEvent, CryptoKey, CustomEvent, DOMException, DurableObjectId, DurableObjectNamespace,
  DurableObjectState, DurableObjectStorage, DurableObjectStub, DurableObjectTransaction, ErrorEvent, Event, EventTarget, File,
  FormData, Headers, MessageEvent, Request, Response, SubtleCrypto, TextDecoder, TextEncoder, URL, URLSearchParams,
  WebSocket: websocket.WebSocket, WebSocketPair: websocket.WebSocketPair,
  WebSocketRequestResponsePair: websocket.WebSocketRequestResponsePair,
  ...streamClasses, atob, btoa, clearInterval: clearTimeout, clearTimeout, console, crypto, fetch: fetchOut, scheduler,
  setInterval, setTimeout, structuredClone,
  queueMicrotask(callback) {
    if (typeof callback !== "function") throw new TypeError("queueMicrotask takes a function.");
    Promise.resolve().then(callback).catch((error) => logUncaught(error));
  },
  reportError: (error) => logUncaught(error),
  navigator: { userAgent: "Cloudflare-Workers", language: "en", hardwareConcurrency: 1 },
  performance: { now: () => Date.now(), timeOrigin: 0, mark() {}, measure() {}, toJSON: () => ({ timeOrigin: 0 }) },
  self: globalThis,
};
for (const [name, value] of Object.entries(names)) {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
}
// The engine's own recurses without looking at the stack, whose end would be a trap.
const JSON_DEPTH_MAX = 1000;
const parse = JSON.parse;
function parseJson(text, reviver) {
  if (typeof text === "string" && text.length > JSON_DEPTH_MAX && native.jsonDepth(text) > JSON_DEPTH_MAX) {
    throw new RangeError(`JSON is nested more than ${JSON_DEPTH_MAX} levels deep.`);
  }
  return parse(text, reviver);
}
Object.defineProperty(parseJson, "name", { value: "parse" });
Object.defineProperty(JSON, "parse", { value: parseJson, writable: true, configurable: true });
Object.defineProperty(Math, "random", { value: native.random, writable: true, configurable: true });
refuse(
  Headers, Request, Response, streams.ReadableStream, streams.WritableStream, streams.TransformStream, EventTarget, Event,
  Blob, FormData, URL, URLSearchParams, DurableObjectId, DurableObjectNamespace, DurableObjectState, DurableObjectStorage,
  DurableObjectStub, CryptoKey, websocket.WebSocketPair,
);

// The program: its classes by their names, and what answers requests from outside.
let classes;
let entry;

export function program(namespace) {
  classes = new Map();
  entry = undefined;
  const told = [];
  for (const name of Object.keys(namespace)) {
    const exported = namespace[name];
    if (name === "default") {
      if (typeof exported === "function" && exported.prototype instanceof WorkerEntrypoint) entry = exported;
      else if (typeof exported === "object" && exported !== null && typeof exported.fetch === "function") entry = exported;
    }
    if (!isObjectClass(exported)) continue;
    classes.set(name, exported);
    const handlers = HANDLERS.filter((handler) => typeof exported.prototype[handler] === "function");
    const methods = exported.prototype instanceof DurableObject ? methodsOf(exported) : [];
    told.push({ name, methods, handlers });
  }
  return { classes: told, worker: entry !== undefined };
}

function isObjectClass(exported) {
  if (typeof exported !== "function" || typeof exported.prototype !== "object" || exported.prototype === null) return false;
  if (exported === DurableObject || exported.prototype instanceof WorkerEntrypoint) return false;
  return exported.prototype instanceof DurableObject ||
    ["fetch", "alarm", "webSocketMessage"].some((handler) => typeof exported.prototype[handler] === "function");
}

let hasEnvironment = false;

// Variables and namespaces, once in the life of an instance.
function environment() {
  if (!hasEnvironment) {
    hasEnvironment = true;
    const variables = native.variables();
    for (let index = 0; index < variables.length; index += 2) env[variables[index]] = variables[index + 1];
    for (const binding of native.bindings()) env[binding] = makeNamespace(binding);
  }
  return env;
}

let instance;

// What a constructor sets is not looked at: the object is not there yet.
askBeforeAlarms(() => instance === undefined || typeof instance.alarm === "function");

// Gives null, or the exception in words.
export function construct() {
  const fail = (error) => {
    logUncaught(error, "Uncaught (in the constructor)");
    return inWords(error);
  };
  websocket.beObject();
  try {
    const Class = classes.get(native.objectClass());
    if (Class === undefined) return `the program exports no class ${native.objectClass()}`;
    const state = new DurableObjectState();
    instance = new Class(state, environment());
    const sections = sectionsOfConstruction(state);
    if (sections.length === 0) return null;
    return Promise.all(sections).then(() => null, fail);
  } catch (error) {
    return fail(error);
  }
}

// Gives status, headers and body (see `leaving`), or the exception in words.
export function fetch(method, url, headers, body) {
  try {
    if (typeof instance.fetch !== "function") throw new Error("Handler does not export a fetch() function.");
    const response = instance.fetch(requestOf(method, url, headers, body));
    return isPromise(response) ? packedLater(response, (response) => packed(response, headers)) : packed(response, headers);
  } catch (error) {
    return failObject(error);
  }
}

// With one promise more, and not two.
function packedLater(response, pack) {
  const packOrFail = (response) => {
    try {
      return pack(response);
    } catch (error) {
      return failObject(error);
    }
  };
  return Promise.resolve(response).then(packOrFail, failObject);
}

const isPromise = (value) => typeof value === "object" && value !== null && typeof value.then === "function";

function failObject(error) {
  logUncaught(error);
  return inWords(error);
}

function requireResponse(response) {
  if (!(response instanceof Response)) {
    throw new TypeError("Incorrect type for Promise: the Promise did not resolve to 'Response'.");
  }
  if (response.type === "error") throw new TypeError("Return value from serve handler must not be an error response (like Response.error())");
  return response;
}

// `body` is bytes, null, or the number of a body that the host has.
function requestOf(method, url, headers, body) {
  if (typeof body !== "number") return incoming(method, url, headers, body);
  const hasNoBody = (method === "GET" || method === "HEAD") && !/^(content-length|transfer-encoding)$/mi.test(headers);
  if (hasNoBody) native.bodyDrop(body);
  return incoming(method, url, headers, hasNoBody ? null : kept(body));
}

const UPGRADE = /^upgrade\nwebsocket$/mi;

function packed(response, headersOfRequest) {
  requireResponse(response);
  if (response.webSocket !== null) {
    if (!UPGRADE.test(headersOfRequest)) {
      throw new TypeError('Worker tried to return a WebSocket in a response to a request which did not contain the header "Upgrade: websocket".');
    }
    const ticket = websocket.leave(response.webSocket);
    return [response.status, `${rawOf(response.headers)}dohost-websocket\n${ticket}\n`, null];
  }
  return [response.status, rawOf(response.headers), leaving(takeBody(response))];
}

// Gives null, or the exception in words.
export function alarm(scheduledTime, retryCount, isRetry) {
  // If it has no handler, the alarm was set by a program that had one.
  return eventOf(() => instance.alarm?.({ scheduledTime, retryCount, isRetry }));
}

// Calls a handler whose result says nothing.
function eventOf(handler) {
  try {
    const result = handler();
    return isPromise(result) ? Promise.resolve(result).then(() => null, failObject) : null;
  } catch (error) {
    return failObject(error);
  }
}

export function call(method, given, isJson) {
  return callMethod(instance, method, given, isJson);
}

// Gives status, headers and body (see `leaving`), or the exception in words.
export function worker(method, url, headers, body) {
  try {
    const response = answerOf(requestOf(method, url, headers, body));
    const isHead = method === "HEAD";
    const pack = (response) => (isHead ? withoutBody(response) : packed(response, headers));
    return isPromise(response) ? packedLater(response, pack) : pack(response);
  } catch (error) {
    return failObject(error);
  }
}

function answerOf(request) {
  if (entry === undefined) throw new Error("Handler does not export a fetch() function.");
  const ctx = new ExecutionContext();
  if (typeof entry === "function") return new entry(ctx, environment()).fetch(request);
  return entry.fetch(request, environment(), ctx);
}

class ExecutionContext {
  waitUntil(promise) {
    Promise.resolve(promise).catch((error) => logUncaught(error, "Uncaught (in waitUntil)"));
  }
  passThroughOnException() {}
  get props() {
    return {};
  }
}

function withoutBody(response) {
  return [requireResponse(response).status, rawOf(response.headers), null];
}

export { dropStream, nextChunk };

// Events of WebSockets. They give null, or the exception in words.

export function webSocketMessage(number, data) {
  return eventOf(() => websocket.message(instance, number, data));
}

export function webSocketClose(number, code, reason, wasClean) {
  return eventOf(() => websocket.closed(instance, number, code, reason, wasClean));
}

export function webSocketError(number, reason) {
  return eventOf(() => websocket.failed(instance, number, reason));
}

export const timer = fire;

// Promises that were rejected while nobody listened.
const unheard = new Map();

export function rejection(promise, reason, isHandled) {
  if (isHandled) unheard.delete(promise);
  else unheard.set(promise, reason);
}

export function reportRejections() {
  const reasons = [...unheard.values()];
  unheard.clear();
  for (const reason of reasons) logUncaught(reason, "Uncaught (in promise)");
}

// Each function begins with the shapes of one that has nothing, then a length, then a name, too. The engine forgets a shape that
// nothing has, and would make the second anew for each function: this has it.
const withLength = Object.create(Function.prototype, { length: { value: 0, configurable: true } });

// The engine takes what is small from arenas of 4 KiB, one for each size, and gives an arena back as soon as nothing is left in it.
// Where what lives on just fills its arenas each request would have thirty of them made. So something small stays, of each size, in
// an arena that was empty.
const ARENA_BYTES = 4096;
const HEADER_BYTES = 8;
const staying = [withLength];
// As it is before the program changes it.
const Small = ArrayBuffer;

export function keepArenas() {
  for (let size = 16; size <= 512; size += size < 128 ? 8 : size < 256 ? 16 : 32) {
    const all = [];
    while (all.length < 2 * ARENA_BYTES / size) all[all.length] = new Small(size - HEADER_BYTES);
    staying[staying.length] = all[all.length - 1];
  }
}

export function explain(thrown) {
  return [inWords(thrown), framesOf(thrown)];
}

