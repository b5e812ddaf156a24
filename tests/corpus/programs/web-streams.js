// ReadableStream: made, read, torn in two, cancelled, failed.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const numbers = (count) => {
      let n = 0;
      return new ReadableStream({
        pull(controller) {
          n += 1;
          if (n > count) controller.close();
          else controller.enqueue(n);
        },
      });
    };
    const all = async (stream) => {
      const values = [];
      for await (const value of stream) values.push(value);
      return values;
    };
    await found.is("iterated", all(numbers(3)));
    const reader = numbers(2).getReader();
    await found.is("read", [await reader.read(), await reader.read(), await reader.read()]);
    await found.is("closed", reader.closed);
    const [left, right] = numbers(3).tee();
    await found.is("torn in two", Promise.all([all(left), all(right)]));
    let cancelled;
    const endless = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(reason) { cancelled = reason; } });
    const endlessReader = endless.getReader();
    await endlessReader.read();
    await endlessReader.cancel("enough");
    await found.is("cancelled", cancelled);
    const failing = new ReadableStream({ start(c) { c.enqueue("one"); }, pull(c) { c.error(new RangeError("broken")); } });
    const failingReader = failing.getReader();
    await found.is("before it fails", failingReader.read());
    await found.is("it fails", failingReader.read());
    await found.refuses("a second reader", () => { const s = numbers(1); s.getReader(); return s.getReader(); });
    const stream = numbers(1);
    const released = stream.getReader();
    released.releaseLock();
    await found.is("released", stream.locked);
    await found.is("from an iterable", typeof ReadableStream.from === "function" ? await all(ReadableStream.from(["a", "b"])) : "missing");
    const text = new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("hello ")); c.enqueue(new TextEncoder().encode("stream")); c.close(); } });
    await found.is("as a body", new Response(text).text());
    await found.is("a body is bytes", (async () => (await new Response("ab").body.getReader().read()).value)());
    await found.refuses("a body that is no bytes", () => new Response(numbers(2)).text());
    return found.response();
  },
};
