// ctx of an object: DurableObjectState.

import native from "dohost:native";
import { inWords, logUncaught } from "dohost:errors";
import { makeId } from "dohost:id";
import { DurableObjectStorage } from "dohost:storage";
import * as websocket from "dohost:websocket";

let sectionsOfConstruction;

export class DurableObjectState {
  #id = null;
  #storage = new DurableObjectStorage();
  // While the object is constructed nothing else enters anyhow; what has to be waited for is gathered here.
  #construction = [];

  static {
    sectionsOfConstruction = (state) => {
      const sections = state.#construction;
      state.#construction = null;
      return sections;
    };
  }

  get id() {
    this.#id ??= makeId(native.objectId(), native.objectName() ?? undefined, null);
    return this.#id;
  }
  get storage() {
    return this.#storage;
  }
  get props() {
    return {};
  }
  waitUntil(promise) {
    Promise.resolve(promise).catch((error) => logUncaught(error, "Uncaught (in waitUntil)"));
  }
  passThroughOnException() {}
  abort(reason) {
    native.abort(reason === undefined ? undefined : reason instanceof Error ? reason.message : String(reason));
  }
  blockConcurrencyWhile(callback) {
    if (typeof callback !== "function") throw new TypeError("blockConcurrencyWhile() takes a function.");
    if (this.#construction !== null) {
      const section = Promise.resolve().then(callback);
      section.catch(() => {});
      this.#construction.push(section);
      return section;
    }
    return exclusively(callback);
  }
  acceptWebSocket(socket, tags) {
    websocket.acceptWebSocket(socket, tags);
  }
  getWebSockets(tag) {
    return websocket.getWebSockets(tag);
  }
  getTags(socket) {
    return websocket.getTags(socket);
  }
  setWebSocketAutoResponse(pair) {
    websocket.setAutoResponse(pair);
  }
  getWebSocketAutoResponse() {
    return websocket.getAutoResponse();
  }
  getWebSocketAutoResponseTimestamp(socket) {
    return websocket.autoResponseTimestamp(socket);
  }
  setHibernatableWebSocketEventTimeout(milliseconds) {
    websocket.setEventTimeout(milliseconds);
  }
  getHibernatableWebSocketEventTimeout() {
    return websocket.getEventTimeout();
  }
  get [Symbol.toStringTag]() {
    return "DurableObjectState";
  }
}

async function exclusively(callback) {
  const section = await native.sectionBegin();
  try {
    return await callback();
  } catch (error) {
    logUncaught(error, "Uncaught (in blockConcurrencyWhile)");
    // The object is reset, and everybody who waits for it hears why.
    native.abort(inWords(error));
  } finally {
    native.sectionEnd(section);
  }
}

export { sectionsOfConstruction };
