// The client's side of a WebSocket, in an object: what comes is read one by one.

export class Peer {
  #come = [];
  #waiting = [];

  // Connects to an object; a response without a WebSocket is an error.
  static async connect(stub, target = "/", headers = {}) {
    const response = await stub.fetch(`http://subject${target}`, { headers: { Upgrade: "websocket", ...headers } });
    if (response.webSocket === null) throw new Error(`${response.status} ${await response.text()}`);
    return new Peer(response.webSocket, response);
  }

  constructor(socket, response = null) {
    this.socket = socket;
    this.response = response;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#comes(data));
    socket.addEventListener("close", ({ code, reason, wasClean }) => this.#comes({ code, reason, wasClean, state: socket.readyState }));
    socket.addEventListener("error", ({ message }) => this.#comes(new Error(message)));
    socket.accept();
  }

  #comes(what) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(what);
    else this.#come.push(what);
  }

  next() {
    if (this.#come.length > 0) return Promise.resolve(this.#come.shift());
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  ask(message) {
    this.socket.send(message);
    return this.next();
  }
}
