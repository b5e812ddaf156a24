// Which members the context, the storage, namespaces, ids and stubs have.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch() {
    const found = new Transcript();
    const check = async (label, object, names) => {
      for (const name of names) await found.throws(`${label}.${name}`, () => typeof object[name]);
    };
    const { ctx } = this;
    await check("ctx", ctx, [
      "id", "storage", "props", "exports", "waitUntil", "blockConcurrencyWhile", "abort", "acceptWebSocket", "getWebSockets", "getTags",
      "setWebSocketAutoResponse", "getWebSocketAutoResponse", "getWebSocketAutoResponseTimestamp", "setHibernatableWebSocketEventTimeout",
      "getHibernatableWebSocketEventTimeout", "facets",
    ]);
    await check("storage", ctx.storage, [
      "get", "put", "delete", "list", "deleteAll", "sync", "transaction", "transactionSync", "setAlarm", "getAlarm", "deleteAlarm", "kv", "sql",
      "getCurrentBookmark", "getBookmarkForTime", "onNextSessionRestoreBookmark",
    ]);
    await ctx.storage.transaction(async (txn) => {
      await check("txn", txn, ["get", "put", "delete", "list", "rollback", "setAlarm", "getAlarm", "deleteAlarm", "deleteAll"]);
    });
    return found.response();
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const { SUBJECT } = env;
    for (const name of ["idFromName", "idFromString", "newUniqueId", "get", "getByName", "jurisdiction"]) {
      await found.is(`namespace.${name}`, typeof SUBJECT[name]);
    }
    const id = SUBJECT.idFromName("one");
    for (const name of ["name", "toString", "equals", "jurisdiction"]) await found.is(`id.${name}`, typeof id[name]);
    found.note(await (await SUBJECT.get(id).fetch(request)).text());
    return found.response();
  },
};
