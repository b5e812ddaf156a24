// Each line that a mistake is expected on has one.
import { DurableObject, waitUntil } from "cloudflare:workers";

export class Counter extends DurableObject<Env> {
  async value(): Promise<number> {
    return (await this.ctx.storage.get<number>("count")) ?? 0;
  }

  async increment(by = 1): Promise<number> {
    const count = (await this.value()) + by;
    await this.ctx.storage.put("count", count);
    return count;
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const url = new URL(request.url);
    const id: DurableObjectId = env.COUNTER.idFromName(url.searchParams.get("name") ?? "global");
    const counter: DurableObjectStub<Counter> = env.COUNTER.get(id);
    // What a method gives at once, a stub gives as a promise.
    const said: number = await env.ROOM.getByName("lobby").say("hello", ["a"]);
    ctx.waitUntil(env.OLD.getByName("one").fetch("http://old/", { method: "POST", body: "text" }));

    // @ts-expect-error there is no such method
    await counter.decrement();
    // @ts-expect-error it takes a number
    await counter.increment("1");
    // @ts-expect-error a stub gives promises
    const value: number = counter.value();
    // @ts-expect-error only the host calls it
    await env.ROOM.getByName("lobby").alarm();
    // @ts-expect-error nothing is bound by this name
    env.NOBODY;

    await scheduler.wait(1);
    const same: boolean = crypto.subtle.timingSafeEqual(new Uint8Array(1), new Uint8Array(1).buffer);
    const stream = new crypto.DigestStream("SHA-256");
    const { readable, writable } = new FixedLengthStream(5);
    void new Response("hello").body?.pipeThrough(new IdentityTransformStream()).pipeTo(writable);
    waitUntil(stream.digest);
    env.COUNTER.get(env.COUNTER.newUniqueId({}), { locationHint: "weur" });
    // @ts-expect-error there is one machine, and no promise where it is
    env.COUNTER.newUniqueId({ jurisdiction: "eu" });
    void [same, readable, ctx.props];

    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(env.TOKEN));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const copy = structuredClone({ digest, value });
    return Response.json({ said, copy, uuid: crypto.randomUUID(), is_same: id.equals(counter.id) });
  },
} satisfies ExportedHandler<Env>;
