import { DurableObject } from "cloudflare:workers";

export class Hostile extends DurableObject {
  async increment() {
    const count = ((await this.ctx.storage.get("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    return count;
  }

  async loop() {
    await this.ctx.storage.put("count", 1000);
    for (;;) {}
  }

  async hog() {
    const all = [];
    for (;;) all.push(new Uint8Array(1 << 20).fill(1));
  }

  async recurse() {
    const deeper = (n) => deeper(n + 1) + 1;
    return deeper(0);
  }

  async reject() {
    Promise.reject(new Error("nobody waits for this"));
    return "fine";
  }

  async never() {
    await new Promise(() => {});
  }

  async fail() {
    await this.ctx.storage.put("count", 7);
    throw new TypeError("as it is");
  }

  #secret() {
    return 1;
  }
}
