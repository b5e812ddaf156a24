// WebSockets that may hibernate: handlers, tags, attachments, and how they close.
//> GET /echo
//> GET /tags
//> GET /attachments
//> GET /same
//> GET /closes-itself
//> GET /is-closed
//> GET /throws
//> GET /order

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Peer } from "./lib/peer.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  log = [];

  fetch(request) {
    const { searchParams } = new URL(request.url);
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, searchParams.getAll("tag"));
    if (searchParams.has("attach")) server.serializeAttachment({ given: searchParams.get("attach"), at: new Date(0) });
    this.last = server;
    return new Response(null, { status: 101, webSocket: client });
  }

  async webSocketMessage(socket, message) {
    if (typeof message !== "string") return socket.send(message);
    const [word, argument] = message.split(" ");
    switch (word) {
      case "tags":
        return socket.send(JSON.stringify(this.ctx.getTags(socket)));
      case "attachment":
        return socket.send(JSON.stringify(socket.deserializeAttachment()));
      case "attach":
        return socket.serializeAttachment(argument);
      case "same":
        return socket.send(`${socket === this.last} ${this.ctx.getWebSockets().includes(socket)} ${socket.readyState}`);
      case "close":
        return socket.close(Number(argument), "as asked");
      case "empty":
        return socket.close();
      case "twice":
        socket.close(3001, "once");
        socket.close(3002, "twice");
        this.log.push(`then ${socket.readyState}`);
        try {
          socket.send("more");
        } catch (error) {
          this.log.push(`${error.name}: ${error.message}`);
        }
        return;
      case "throw":
        throw new Error("thrown on purpose");
      case "later":
        await scheduler.wait(Number(argument));
        return socket.send(message);
      default:
        return socket.send(`${word}!`);
    }
  }

  webSocketClose(socket, code, reason, wasClean) {
    const { readyState } = socket;
    this.log.push(`close ${code} ${JSON.stringify(reason)} ${wasClean} ${readyState} ${JSON.stringify(socket.deserializeAttachment())}`);
  }

  webSocketError(socket, error) {
    this.log.push(`error ${error}`);
  }

  takeLog() {
    return this.log.splice(0);
  }

  count(tag) {
    return this.ctx.getWebSockets(tag).length;
  }
}

export class Client extends DurableObject {
  async fetch(request) {
    const found = new Transcript();
    const { pathname } = new URL(request.url);
    const subject = this.env.SUBJECT.getByName(pathname);
    switch (pathname) {
      case "/echo": {
        const peer = await Peer.connect(subject);
        await found.is("status", peer.response.status);
        await found.is("body", peer.response.body);
        await found.is("state", peer.socket.readyState);
        await found.is("text", peer.ask("hello"));
        await found.is("no text", peer.ask(""));
        await found.is("not ASCII", peer.ask("é€𝄞"));
        await found.is("bytes", peer.ask(new Uint8Array([0, 255, 1]).subarray(1)));
        await found.is("no bytes", peer.ask(new ArrayBuffer(0)));
        await found.is("a number", peer.ask(12.5));
        await found.is("large", (await peer.ask("x".repeat(300_000))).length);
        peer.socket.close(1000);
        break;
      }
      case "/tags": {
        const red = await Peer.connect(subject, "/?tag=red&tag=warm&tag=red");
        const blue = await Peer.connect(subject, "/?tag=blue");
        const none = await Peer.connect(subject);
        await found.is("all", subject.count());
        await found.is("red", subject.count("red"));
        await found.is("blue", subject.count("blue"));
        await found.is("green", subject.count("green"));
        await found.is("tags of red", JSON.parse(await red.ask("tags")).sort());
        await found.is("tags of blue", blue.ask("tags"));
        await found.is("tags of none", none.ask("tags"));
        red.socket.close();
        await red.next();
        await found.is("without red", subject.count("red"));
        await found.is("the others", subject.count());
        break;
      }
      case "/attachments": {
        const without = await Peer.connect(subject);
        await found.is("none", without.ask("attachment"));
        const given = await Peer.connect(subject, "/?attach=first");
        await found.is("given", given.ask("attachment"));
        given.socket.send("attach second");
        await found.is("another", given.ask("attachment"));
        await given.ask("close 1000");
        await scheduler.wait(50);
        await found.is("at the end", subject.takeLog());
        break;
      }
      case "/same": {
        const peer = await Peer.connect(subject);
        await found.is("the handler's", peer.ask("same"));
        break;
      }
      case "/closes-itself": {
        for (const how of ["close 1000", "close 1001", "close 1008", "close 1011", "close 4999", "empty", "twice"]) {
          const peer = await Peer.connect(subject);
          await found.is(`${how} of the object`, peer.ask(how));
          await scheduler.wait(50);
          await found.is(`${how} says`, subject.takeLog());
        }
        break;
      }
      case "/is-closed": {
        const peer = await Peer.connect(subject);
        await found.is("close", peer.ask("close 1000"));
        await found.is("count", subject.count());
        await found.refuses("send", () => peer.socket.send("more"));
        await found.refuses("close", () => peer.socket.close(1000));
        await found.refuses("accept", () => peer.socket.accept());
        await found.is("state", peer.socket.readyState);
        break;
      }
      case "/throws": {
        const peer = await Peer.connect(subject);
        peer.socket.send("throw");
        await found.is("it lives on", peer.ask("hello"));
        break;
      }
      case "/order": {
        const peer = await Peer.connect(subject);
        for (let number = 0; number < 5; number++) peer.socket.send(String(number));
        const words = [];
        for (let number = 0; number < 5; number++) words.push(await peer.next());
        await found.is("of messages", words);
        // Handlers interleave where they wait.
        peer.socket.send("later 60");
        peer.socket.send("later 20");
        peer.socket.send("at once");
        await found.is("of answers", [await peer.next(), await peer.next(), await peer.next()]);
        break;
      }
    }
    return found.response();
  }
}

export default one("CLIENT");
