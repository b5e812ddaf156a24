// What WebSockets and their part of `ctx` refuse.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Transcript } from "./lib/transcript.js";

const pair = () => Object.values(new WebSocketPair());

export class Subject extends DurableObject {
  fetch(request) {
    if (new URL(request.url).pathname !== "/not-asked-for") return this.all();
    const [client, server] = pair();
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  async all() {
    const found = new Transcript();
    const { ctx } = this;
    const [, unused] = pair();
    await found.throws("send too early", () => unused.send("x"));
    await found.throws("close too early", () => unused.close(1000));
    const [, server] = pair();
    server.accept();
    server.accept();
    await found.throws("hibernating later", () => ctx.acceptWebSocket(server));
    await found.throws("tags of others", () => ctx.getTags(server));
    const [other, hibernatable] = pair();
    ctx.acceptWebSocket(hibernatable, ["a"]);
    await found.throws("accept", () => hibernatable.accept());
    await found.throws("twice", () => ctx.acceptWebSocket(hibernatable));
    await found.throws("both ends", () => ctx.acceptWebSocket(other));
    const [accepted, itsEnd] = pair();
    accepted.accept();
    await found.throws("after the other end", () => ctx.acceptWebSocket(itsEnd));
    await found.refuses("no WebSocket", () => ctx.acceptWebSocket({}));

    const tags = (count) => Array.from({ length: count }, (_, index) => `tag ${index}`);
    const accepts = (tags) => () => ctx.acceptWebSocket(pair()[1], tags);
    await found.throws("10 tags", accepts(tags(10)));
    await found.throws("11 tags", accepts(tags(11)));
    await found.throws("11 of which two are the same", accepts([...tags(10), "tag 0"]));
    await found.throws("a tag of 256", accepts(["x".repeat(256)]));
    await found.throws("a tag of 257", accepts(["x".repeat(257)]));
    await found.throws("no tag", accepts([]));

    for (const code of [0, 999, 1004, 1005, 1006, 1015, 5000, -1]) await found.throws(`close ${code}`, () => server.close(code));
    await found.throws("a reason alone", () => server.close(undefined, "why"));
    await found.throws("a long reason", () => server.close(1000, "x".repeat(124)));
    await found.throws("a reason that is long in bytes", () => server.close(1000, "é".repeat(62)));
    await found.throws("close", () => server.close(1000, "é".repeat(61)));
    await found.throws("send after close", () => server.send("x"));
    await found.throws("close again", () => server.close(77));
    await found.is("state", server.readyState);

    await found.throws("a large attachment", () => hibernatable.serializeAttachment(new Uint8Array(1)));
    await found.refuses("too large an attachment", () => hibernatable.serializeAttachment(new Uint8Array(17_000)));
    await found.refuses("a function", () => hibernatable.serializeAttachment(() => {}));
    await found.is("is as it was", hibernatable.deserializeAttachment());
    await found.is("of one that nobody accepted", pair()[0].deserializeAttachment());

    const long = "x".repeat(2049);
    await found.throws("a long request", () => ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(long, "")));
    await found.throws("a long response", () => ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("", long)));
    await found.is("no auto-response", ctx.getWebSocketAutoResponse());
    await found.refuses("no pair", () => ctx.setWebSocketAutoResponse({}));
    await found.refuses("half a pair", () => new WebSocketRequestResponsePair("x"));
    await found.throws("a long timeout", () => ctx.setHibernatableWebSocketEventTimeout(604_800_001));
    await found.throws("a timeout", () => ctx.setHibernatableWebSocketEventTimeout(604_800_000));
    await found.is("the timeout", ctx.getHibernatableWebSocketEventTimeout());
    ctx.setHibernatableWebSocketEventTimeout();
    await found.is("no timeout", ctx.getHibernatableWebSocketEventTimeout());

    await found.throws("another status", () => new Response(null, { webSocket: pair()[0] }));
    await found.refuses("101 alone", () => new Response(null, { status: 101 }));
    await found.refuses("no WebSocket in a response", () => new Response(null, { status: 101, webSocket: {} }));
    await found.throws("clone", () => new Response(null, { status: 101, webSocket: pair()[0] }).clone());
    await found.refuses("fetch of a web socket URL", () => new WebSocket("ftp://example.com"));
    await found.refuses("a fragment", () => new WebSocket("ws://example.com/#x"));
    await found.refuses("no URL", () => new WebSocket("x"));
    await found.refuses("protocols twice", () => new WebSocket("ws://example.com/", ["a", "a"]));
    await found.refuses("no protocol", () => new WebSocket("ws://example.com/", "a b"));
    return found.response();
  }
}

export class Client extends DurableObject {
  async fetch() {
    const found = new Transcript();
    const subject = this.env.SUBJECT.getByName("one");
    await found.throws("no upgrade", () => subject.fetch("http://subject/not-asked-for"));
    return found.response();
  }
}

export default {
  async fetch(request, env) {
    const text = await (await env.SUBJECT.getByName("one").fetch("http://subject/all")).text();
    return new Response(`${text}${await (await env.CLIENT.getByName("one").fetch(request)).text()}`);
  },
};
