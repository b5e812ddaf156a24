// WebSockets with listeners, which are accepted by themselves.
//> GET /echo
//> GET /before
//> GET /after
//> GET /closes
//> GET /handlers
//> GET /headers

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";
import { Peer } from "./lib/peer.js";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  log = [];

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const [client, server] = Object.values(new WebSocketPair());
    if (searchParams.has("binary")) server.binaryType = searchParams.get("binary");
    server.addEventListener("message", (event) => {
      const { data } = event;
      if (typeof data !== "string") {
        server.send(`${data.constructor.name} ${data.size ?? data.byteLength}`);
      } else if (data === "close") {
        server.close(4000, "closed by the object");
      } else if (data === "empty") {
        server.close();
      } else {
        server.send(`${event.type} ${event.target === server} ${data}`);
      }
    });
    server.addEventListener("close", ({ code, reason, wasClean }) => {
      this.log.push(`close ${code} ${JSON.stringify(reason)} ${wasClean} ${server.readyState}`);
    });
    if (pathname === "/handlers") {
      server.onmessage = ({ data }) => server.send(`handler ${data}`);
      server.onclose = ({ code }) => this.log.push(`handler ${code}`);
    }
    if (pathname === "/after") setTimeout(() => server.accept(), 100);
    else server.accept();
    if (pathname === "/before") {
      server.send("one");
      server.send(new Uint8Array([2]));
      server.close(3333, "at once");
    }
    return new Response(null, { status: 101, webSocket: client, headers: { "x-own": "yes", "sec-websocket-protocol": "two" } });
  }

  takeLog() {
    return this.log.splice(0);
  }

  count() {
    return this.ctx.getWebSockets().length;
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
        await found.is("text", peer.ask("hello"));
        await found.is("bytes", peer.ask(new Uint8Array(3)));
        await found.is("not among those that hibernate", subject.count());
        const other = await Peer.connect(subject, "/?binary=arraybuffer");
        await found.is("as buffers", other.ask(new Uint8Array(3)));
        break;
      }
      case "/before": {
        const peer = await Peer.connect(subject, "/before");
        await found.is("first", peer.next());
        await found.is("second", peer.next());
        await found.is("third", peer.next());
        break;
      }
      case "/after": {
        const peer = await Peer.connect(subject, "/after");
        await found.is("waits", peer.ask("early"));
        break;
      }
      case "/closes": {
        for (const how of ["close", "empty"]) {
          const peer = await Peer.connect(subject);
          await found.is(`${how} of the object`, peer.ask(how));
          await scheduler.wait(50);
          await found.is(`${how} says`, subject.takeLog());
        }
        for (const how of [[], [1000], [1001, "away"], [4000, "bye"]]) {
          const peer = await Peer.connect(subject);
          peer.socket.close(...how);
          await found.is(`${how} of the client`, peer.next());
          await scheduler.wait(50);
          await found.is(`${how} says`, subject.takeLog());
        }
        break;
      }
      case "/handlers": {
        const peer = await Peer.connect(subject, "/handlers");
        await found.is("both", [await peer.ask("a"), await peer.next()].sort());
        peer.socket.close(1000);
        await peer.next();
        await scheduler.wait(50);
        await found.is("log", (await subject.takeLog()).sort());
        break;
      }
      case "/headers": {
        const peer = await Peer.connect(subject, "/", { "sec-websocket-protocol": "one, two" });
        await found.is("own", peer.response.headers.get("x-own"));
        await found.is("protocol", peer.response.headers.get("sec-websocket-protocol"));
        await found.is("url", peer.socket.url);
        await found.is("extensions", peer.socket.extensions);
        break;
      }
    }
    return found.response();
  }
}

export default one("CLIENT");
