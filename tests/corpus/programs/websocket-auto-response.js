// A text that the runtime answers by itself.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Peer } from "./lib/peer.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  messages = [];

  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  webSocketMessage(socket, message) {
    this.messages.push(message);
    socket.send(`object: ${message}`);
  }
  set(request, response) {
    this.ctx.setWebSocketAutoResponse(request === undefined ? undefined : new WebSocketRequestResponsePair(request, response));
  }
  get() {
    const pair = this.ctx.getWebSocketAutoResponse();
    return pair === null ? null : [pair.request, pair.response];
  }
  when() {
    return this.ctx.getWebSockets().map((socket) => {
      const time = this.ctx.getWebSocketAutoResponseTimestamp(socket);
      return time === null ? null : time instanceof Date && Date.now() - time.getTime() < 10_000;
    });
  }
  takeMessages() {
    return this.messages.splice(0);
  }
}

export class Client extends DurableObject {
  async fetch() {
    const found = new Transcript();
    const subject = this.env.SUBJECT.getByName("one");
    await found.is("none", subject.get());
    const peer = await Peer.connect(subject);
    await found.is("before", peer.ask("ping"));
    await subject.set("ping", "pong");
    await found.is("the pair", subject.get());
    await found.is("not yet", subject.when());
    await found.is("answered", peer.ask("ping"));
    await found.is("just now", subject.when());
    await found.is("another text", peer.ask("ping "));
    await found.is("bytes", peer.ask(new TextEncoder().encode("ping")));
    await subject.set("", "nothing");
    await found.is("an empty text", peer.ask(""));
    await found.is("the one before", peer.ask("ping"));
    await subject.set();
    await found.is("none", subject.get());
    await found.is("after", peer.ask(""));
    await found.is("the object got", (await subject.takeMessages()).map((message) => (typeof message === "string" ? message : message.byteLength)));
    return found.response();
  }
}

export default one("CLIENT");
