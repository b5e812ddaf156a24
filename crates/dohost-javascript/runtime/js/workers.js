// The module `cloudflare:workers`.

import { logUncaught } from "dohost:errors";

export class DurableObject {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}

export class RpcTarget {}
export class RpcStub {}

// Filled when an instance begins: there are no variables before.
export const env = {};

export function waitUntil(promise) {
  // Whatever goes on keeps the instance; only what goes wrong has to be told.
  Promise.resolve(promise).catch((error) => logUncaught(error, "Uncaught (in waitUntil)"));
}
