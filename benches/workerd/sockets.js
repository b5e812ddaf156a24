// The echo of guests/sockets, written for workerd: a websocket to /sockets/NAME/ that hibernates.
import { DurableObject } from "cloudflare:workers";

export class Sockets extends DurableObject {
  async fetch() {
    const [client, server] = Object.values(new WebSocketPair());
    this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }

  webSocketMessage(socket, message) {
    socket.send(message);
  }
}

export default {
  async fetch(request, env) {
    const name = request.url.split("/")[4];
    if (name === undefined) return new Response("not found\n", { status: 404 });
    return env.SOCKETS.get(env.SOCKETS.idFromName(name)).fetch(request);
  },
};
