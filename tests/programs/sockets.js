// WebSockets in all the ways in which a program can have them.

import { DurableObject } from "cloudflare:workers";

// They hibernate: the object sleeps, and its members are forgotten.
export class Room extends DurableObject {
  life = Math.random();

  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      this.lives = ((await ctx.storage.get("lives")) ?? 0) + 1;
      await ctx.storage.put("lives", this.lives);
    });
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/log") return Response.json((await this.ctx.storage.get("log")) ?? []);
    if (request.headers.get("upgrade") !== "websocket") return new Response("a WebSocket is needed", { status: 426 });
    const { 0: client, 1: server } = new WebSocketPair();
    const name = searchParams.get("name");
    this.ctx.acceptWebSocket(server, [name, "all"]);
    server.serializeAttachment({ name, since: new Date(0), heard: 0 });
    const protocol = request.headers.get("sec-websocket-protocol")?.split(", ").at(-1);
    return new Response(null, { status: 101, webSocket: client, headers: protocol ? { "sec-websocket-protocol": protocol } : {} });
  }

  async webSocketMessage(socket, message) {
    const attachment = socket.deserializeAttachment();
    attachment.heard++;
    socket.serializeAttachment(attachment);
    if (typeof message !== "string") return socket.send(message);
    const [word, ...rest] = message.split(" ");
    switch (word) {
      case "say":
        for (const other of this.ctx.getWebSockets("all")) other.send(`${attachment.name}: ${rest.join(" ")}`);
        break;
      case "life":
        socket.send(String(this.life));
        break;
      case "lives":
        socket.send(String(this.lives));
        break;
      case "me":
        socket.send(JSON.stringify([attachment, this.ctx.getTags(socket), this.ctx.getWebSockets(attachment.name)[0] === socket]));
        break;
      case "answered":
        socket.send(String(this.ctx.getWebSocketAutoResponseTimestamp(socket) instanceof Date));
        break;
      case "close":
        socket.close(Number(rest[0]), rest[1]);
        break;
      case "throw":
        throw new Error("on purpose");
      default:
        socket.send(`what is ${word}?`);
    }
  }

  async webSocketClose(socket, code, reason, wasClean) {
    const log = (await this.ctx.storage.get("log")) ?? [];
    log.push([socket.deserializeAttachment().name, this.ctx.getTags(socket), code, reason, wasClean, socket.readyState]);
    await this.ctx.storage.put("log", log);
  }
}

// They have listeners, and keep the object from sleeping.
export class Plain extends DurableObject {
  count = 0;

  fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    server.binaryType = "arraybuffer";
    server.accept();
    server.send("welcome");
    server.addEventListener("message", ({ data }) => {
      if (data === "close") server.close(4000, "as asked");
      else server.send(typeof data === "string" ? `${++this.count} ${data}` : data);
    });
    return new Response(null, { status: 101, webSocket: client });
  }
}

// Those to a server elsewhere.
export class Away extends DurableObject {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const target = searchParams.get("to");
    if (pathname === "/through") return fetch(target, request);
    const heard = [];
    const until = (socket, words) => new Promise((resolve) => {
      socket.addEventListener("message", ({ data }) => {
        heard.push(data);
        const word = words.shift();
        if (word === undefined) socket.close(1000, "enough");
        else socket.send(word);
      });
      socket.addEventListener("error", ({ message }) => heard.push(`error: ${message !== ""}`));
      socket.addEventListener("close", ({ code, reason }) => resolve(heard.push([code, reason])));
    });
    if (pathname === "/fetch") {
      const response = await fetch(target, { headers: { Upgrade: "websocket" } });
      if (response.webSocket === null) return new Response(`${response.status} ${await response.text()}`);
      const ends = until(response.webSocket, ["one", "two"]);
      response.webSocket.accept();
      await ends;
    } else {
      const socket = new WebSocket(target.replace("http:", "ws:"));
      heard.push(socket.readyState);
      socket.onopen = () => heard.push(socket.readyState);
      await until(socket, ["one"]);
    }
    return Response.json(heard);
  }
}

// Hands everything on to the object that the path names.
export default {
  fetch(request, env) {
    const url = new URL(request.url);
    const [, binding, name, ...path] = url.pathname.split("/");
    url.pathname = path.join("/");
    return env[binding].getByName(name).fetch(new Request(url, request));
  },
};
