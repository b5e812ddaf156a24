// TransformStream, WritableStream, pipes, and the streams of text.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const all = async (stream) => {
      const values = [];
      for await (const value of stream) values.push(value);
      return values;
    };
    const from = (values) => new ReadableStream({ start(c) { for (const value of values) c.enqueue(value); c.close(); } });
    const double = () => new TransformStream({ transform: (n, c) => { c.enqueue(n); c.enqueue(n * 2); }, flush: (c) => c.enqueue("end") });
    await found.is("transformed", all(from([1, 2]).pipeThrough(double())));
    const written = [];
    const sink = new WritableStream({ write: (value) => { written.push(value); }, close: () => { written.push("closed"); } });
    await from(["a", "b"]).pipeTo(sink);
    await found.is("written", written);
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    writer.write("x");
    writer.write("y");
    writer.close();
    await found.is("identity", all(readable));
    const encoded = from(["hé", "llo"]).pipeThrough(new TextEncoderStream());
    await found.is("encoded", all(encoded));
    const bytes = new TextEncoder().encode("é😀");
    await found.is("decoded across chunks", (await all(from([bytes.slice(0, 1), bytes.slice(1, 4), bytes.slice(4)]).pipeThrough(new TextDecoderStream()))).join(""));
    const aborted = [];
    const other = new WritableStream({ abort: (reason) => { aborted.push(reason); } }).getWriter();
    await other.abort("why");
    await found.is("aborted", aborted);
    await found.is("a response through a transform", new Response(new Response("abc").body.pipeThrough(new TransformStream())).text());
    await found.refuses("an error in transform", () => all(from([1]).pipeThrough(new TransformStream({ transform() { throw new RangeError("t"); } }))));
    return found.response();
  },
};
