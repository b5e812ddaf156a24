// Pairs whose ends both stay here, and what the classes look like.
//> GET /worker
//> GET /object
//> GET /classes

import { DurableObject } from "cloudflare:workers";
import { Peer } from "./lib/peer.js";
import { Transcript } from "./lib/transcript.js";

async function talk() {
  const found = new Transcript();
  const [one, other] = new WebSocketPair();
  const left = new Peer(one);
  left.socket.send("before the other accepts");
  const right = new Peer(other);
  await found.is("waited", right.next());
  right.socket.send("back");
  await found.is("back", left.next());
  right.socket.send(new Uint8Array([1, 2]));
  await found.is("bytes", left.next());
  await found.is("states", [one.readyState, other.readyState]);
  left.socket.close(4004, "so");
  await found.is("state of who closed", one.readyState);
  await found.is("closes", right.next());
  await found.is("closed", left.next());
  await found.is("states", [one.readyState, other.readyState]);
  return found.response();
}

export class Subject extends DurableObject {
  fetch() {
    return talk();
  }
}

async function classes() {
  const found = new Transcript();
  const pair = new WebSocketPair();
  await found.is("keys", Object.keys(pair));
  await found.is("both are", [pair[0] instanceof WebSocket, pair[1] instanceof EventTarget]);
  await found.is("state", pair[0].readyState);
  await found.is("url", pair[0].url);
  await found.is("protocol", pair[0].protocol);
  await found.is("extensions", pair[0].extensions);
  await found.is("binary type", pair[0].binaryType);
  await found.is("tag", Object.prototype.toString.call(pair[0]));
  const names = ["CONNECTING", "OPEN", "CLOSING", "CLOSED"];
  await found.is("constants", names.map((name) => [WebSocket[name], WebSocket[`READY_STATE_${name}`], pair[0][name], pair[0][`READY_STATE_${name}`]]));
  const texts = new WebSocketRequestResponsePair("a", "b");
  await found.is("request and response", [texts.request, texts.response]);
  const event = new CloseEvent("close", { code: 1000, reason: "r", wasClean: true });
  await found.is("close event", [event.type, event.code, event.reason, event.wasClean]);
  return found.response();
}

export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/classes") return classes();
    return pathname === "/worker" ? talk() : env.SUBJECT.getByName("one").fetch(request);
  },
};
