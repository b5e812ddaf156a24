// Streams of the Streams Standard, with what Workers add to them.
//
// Queues count chunks, or what a strategy says. Byte streams hand over whole chunks; a BYOB reader copies them into the view that it
// was given.

class Deferred {
  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Whoever is interested looks; nobody has to.
    this.promise.catch(() => {});
  }
}

function sizeOf(strategy, standard) {
  const size = strategy?.size;
  const highWaterMark = strategy?.highWaterMark ?? standard;
  if (typeof highWaterMark !== "number" || Number.isNaN(highWaterMark) || highWaterMark < 0) {
    throw new RangeError("A highWaterMark is a number of 0 or more.");
  }
  return { size: size ? (chunk) => size(chunk) : () => 1, highWaterMark };
}

export class CountQueuingStrategy {
  #highWaterMark;
  constructor({ highWaterMark }) {
    this.#highWaterMark = highWaterMark;
  }
  get highWaterMark() {
    return this.#highWaterMark;
  }
  get size() {
    return () => 1;
  }
}

export class ByteLengthQueuingStrategy {
  #highWaterMark;
  constructor({ highWaterMark }) {
    this.#highWaterMark = highWaterMark;
  }
  get highWaterMark() {
    return this.#highWaterMark;
  }
  get size() {
    return (chunk) => chunk.byteLength;
  }
}

// What a stream is inside; the classes below are its faces.
class Readable {
  state = "readable";
  error = undefined;
  queue = [];
  queued = 0;
  isDisturbed = false;
  closesAfterQueue = false;
  reader = null;
  // Reads that wait for chunks.
  waiting = [];
  isPulling = false;
  pullsAgain = false;
  isStarted = false;

  constructor(source, strategy) {
    this.source = source;
    this.isBytes = source.type === "bytes";
    if (source.type !== undefined && !this.isBytes) throw new RangeError(`Invalid type: ${source.type}`);
    const { size, highWaterMark } = sizeOf(strategy, this.isBytes ? 0 : 1);
    this.size = this.isBytes ? (chunk) => chunk.byteLength : size;
    this.highWaterMark = highWaterMark;
    this.controller = makeController(this);
  }

  start() {
    const started = this.source.start?.call(this.source, this.controller);
    Promise.resolve(started).then(
      () => {
        this.isStarted = true;
        this.pull();
      },
      (error) => this.fail(error),
    );
  }

  get desiredSize() {
    if (this.state === "errored") return null;
    return this.state === "closed" ? 0 : this.highWaterMark - this.queued;
  }

  pull() {
    if (!this.isStarted || this.state !== "readable" || this.closesAfterQueue) return;
    if (this.waiting.length === 0 && this.desiredSize <= 0) return;
    if (this.isPulling) {
      this.pullsAgain = true;
      return;
    }
    this.isPulling = true;
    let pulled;
    try {
      pulled = this.source.pull?.call(this.source, this.controller);
    } catch (error) {
      this.fail(error);
      return;
    }
    Promise.resolve(pulled).then(
      () => {
        this.isPulling = false;
        if (this.pullsAgain) {
          this.pullsAgain = false;
          this.pull();
        }
      },
      (error) => this.fail(error),
    );
  }

  enqueue(chunk) {
    if (this.state !== "readable" || this.closesAfterQueue) {
      throw new TypeError("The stream is closed or has failed: nothing can be enqueued.");
    }
    if (this.isBytes) {
      if (!ArrayBuffer.isView(chunk)) throw new TypeError("A byte stream takes views of buffers.");
      if (chunk.byteLength === 0) throw new TypeError("A byte stream takes no empty chunks.");
    }
    if (this.waiting.length > 0) {
      this.waiting.shift().give(chunk);
    } else {
      let size;
      try {
        size = Number(this.size(chunk));
        if (!(size >= 0) || size === Infinity) throw new RangeError("The size of a chunk is a finite number of 0 or more.");
      } catch (error) {
        this.fail(error);
        throw error;
      }
      this.queue.push([chunk, size]);
      this.queued += size;
    }
    this.pull();
  }

  close() {
    if (this.state !== "readable" || this.closesAfterQueue) throw new TypeError("The stream is closed already.");
    this.closesAfterQueue = true;
    if (this.queue.length === 0) this.end();
  }

  end() {
    this.state = "closed";
    for (const read of this.waiting.splice(0)) read.end();
    this.reader?.closed.resolve(undefined);
    this.onEnd?.();
  }

  fail(error) {
    if (this.state !== "readable") return;
    this.state = "errored";
    this.error = error;
    this.queue = [];
    this.queued = 0;
    for (const read of this.waiting.splice(0)) read.fail(error);
    this.reader?.closed.reject(error);
  }

  // Gives the next chunk to `read`, which has `give`, `end` and `fail`.
  read(read) {
    this.isDisturbed = true;
    if (this.queue.length > 0) {
      const [chunk, size] = this.queue.shift();
      this.queued = Math.max(0, this.queued - size);
      if (this.closesAfterQueue && this.queue.length === 0) this.end();
      else this.pull();
      read.give(chunk);
    } else if (this.state === "closed") {
      read.end();
    } else if (this.state === "errored") {
      read.fail(this.error);
    } else {
      this.waiting.push(read);
      this.pull();
    }
  }

  // Puts a rest back that a reader did not take.
  unread(chunk) {
    this.queue.unshift([chunk, chunk.byteLength]);
    this.queued += chunk.byteLength;
    if (this.state === "closed") {
      this.state = "readable";
      this.closesAfterQueue = true;
    }
  }

  async cancel(reason) {
    this.isDisturbed = true;
    if (this.state === "closed") return;
    if (this.state === "errored") throw this.error;
    this.queue = [];
    this.queued = 0;
    this.end();
    await this.source.cancel?.call(this.source, reason);
  }
}

let makeController, insideOf;

export class ReadableStreamDefaultController {
  #stream;
  constructor(key, stream) {
    if (key !== PRIVATE) throw new TypeError("Illegal constructor");
    this.#stream = stream;
  }
  get desiredSize() {
    return this.#stream.desiredSize;
  }
  enqueue(chunk) {
    this.#stream.enqueue(chunk);
  }
  close() {
    this.#stream.close();
  }
  error(error) {
    this.#stream.fail(error);
  }
  get byobRequest() {
    return null;
  }
}
export class ReadableByteStreamController extends ReadableStreamDefaultController {}

const PRIVATE = Symbol("private");
makeController = (stream) => stream.isBytes
  ? new ReadableByteStreamController(PRIVATE, stream)
  : new ReadableStreamDefaultController(PRIVATE, stream);

export class ReadableStream {
  #inside;

  static {
    insideOf = (stream) => stream.#inside;
  }

  constructor(source = {}, strategy = {}) {
    this.#inside = new Readable(source ?? {}, strategy);
    this.#inside.start();
  }

  static from(iterable) {
    const iterator = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(await value);
      },
      async cancel(reason) {
        await iterator.return?.(reason);
      },
    }, { highWaterMark: 0 });
  }

  get locked() {
    return this.#inside.reader !== null;
  }

  async cancel(reason) {
    if (this.locked) throw new TypeError("This ReadableStream is currently locked to a reader.");
    await this.#inside.cancel(reason);
  }

  getReader(options) {
    const mode = options?.mode;
    if (mode === undefined) return new ReadableStreamDefaultReader(this);
    if (String(mode) !== "byob") throw new TypeError(`Invalid mode: ${mode}`);
    return new ReadableStreamBYOBReader(this);
  }

  pipeThrough(transform, options) {
    const { readable, writable } = transform;
    this.pipeTo(writable, options).catch(() => {});
    return readable;
  }

  async pipeTo(destination, { preventClose = false, preventAbort = false, preventCancel = false, signal } = {}) {
    const reader = this.getReader();
    const writer = destination.getWriter();
    const aborted = signal && new Promise((_, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
    aborted?.catch(() => {});
    const within = (promise) => (aborted ? Promise.race([aborted, promise]) : promise);
    try {
      for (;;) {
        await within(writer.ready);
        let next;
        try {
          next = await within(reader.read());
        } catch (error) {
          if (!preventAbort) await writer.abort(error).catch(() => {});
          throw error;
        }
        if (next.done) break;
        writer.write(next.value).catch(() => {});
      }
      if (!preventClose) await within(writer.close());
      else await within(writer.ready);
    } catch (error) {
      if (signal?.aborted && !preventAbort) await writer.abort(error).catch(() => {});
      if (!preventCancel) await reader.cancel(error).catch(() => {});
      throw error;
    } finally {
      reader.releaseLock();
      writer.releaseLock();
    }
  }

  tee() {
    const reader = this.getReader();
    const isBytes = this.#inside.isBytes;
    const branches = [];
    const reasons = [];
    const cancelled = new Deferred();
    let isReading = false;
    const pull = async () => {
      if (isReading) return;
      isReading = true;
      try {
        const { done, value } = await reader.read();
        isReading = false;
        branches.forEach((branch, index) => {
          if (reasons[index] !== undefined) return;
          if (done) branch.close();
          else branch.enqueue(isBytes && index === 1 ? value.slice() : value);
        });
        if (done) cancelled.resolve();
      } catch (error) {
        for (const branch of branches) branch.error(error);
        cancelled.resolve();
      }
    };
    const branch = (index) => new ReadableStream({
      type: isBytes ? "bytes" : undefined,
      start(controller) {
        branches[index] = controller;
      },
      pull,
      cancel(reason) {
        reasons[index] = [reason];
        if (reasons[0] && reasons[1]) {
          reader.cancel([reasons[0][0], reasons[1][0]]).then(cancelled.resolve, cancelled.reject);
        }
        return cancelled.promise;
      },
    });
    return [branch(0), branch(1)];
  }

  async *values({ preventCancel = false } = {}) {
    const reader = this.getReader();
    let isDone = false;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) {
          isDone = true;
          return;
        }
        yield value;
      }
    } catch (error) {
      isDone = true;
      throw error;
    } finally {
      if (!isDone && !preventCancel) await reader.cancel();
      reader.releaseLock();
    }
  }

  get [Symbol.toStringTag]() {
    return "ReadableStream";
  }
}
Object.defineProperty(ReadableStream.prototype, Symbol.asyncIterator, {
  value: ReadableStream.prototype.values, writable: true, configurable: true,
});

class Reader {
  #stream;
  #closed = new Deferred();

  constructor(stream) {
    const inside = insideOf(stream);
    if (inside.reader !== null) throw new TypeError("This ReadableStream is currently locked to a reader.");
    this.#stream = inside;
    inside.reader = { closed: this.#closed };
    if (inside.state === "closed") this.#closed.resolve(undefined);
    if (inside.state === "errored") this.#closed.reject(inside.error);
  }

  get closed() {
    return this.#closed.promise;
  }

  async cancel(reason) {
    if (this.#stream === null) throw new TypeError("This reader has been released.");
    await this.#stream.cancel(reason);
  }

  releaseLock() {
    if (this.#stream === null) return;
    const released = new TypeError("This ReadableStream reader has been released.");
    for (const read of this.#stream.waiting.splice(0)) read.fail(released);
    if (this.#stream.state === "readable") {
      this.#closed.reject(released);
    } else {
      this.#closed = new Deferred();
      this.#closed.reject(released);
    }
    this.#stream.reader = null;
    this.#stream = null;
  }

  _take(give, end) {
    return new Promise((resolve, reject) => {
      if (this.#stream === null) throw new TypeError("This ReadableStream reader has been released.");
      const stream = this.#stream;
      stream.read({ give: (chunk) => resolve(give(chunk, stream)), end: () => resolve(end()), fail: reject });
    });
  }
}

export class ReadableStreamDefaultReader extends Reader {
  read() {
    return this._take((value) => ({ value, done: false }), () => ({ value: undefined, done: true }));
  }
}

export class ReadableStreamBYOBReader extends Reader {
  constructor(stream) {
    if (!insideOf(stream).isBytes) throw new TypeError("This ReadableStream does not support BYOB reads.");
    super(stream);
  }
  read(view) {
    if (!ArrayBuffer.isView(view)) return Promise.reject(new TypeError("read() takes a view of a buffer."));
    if (view.byteLength === 0) return Promise.reject(new TypeError("read() takes a view that is not empty."));
    const filled = (count) => view.constructor === DataView
      ? new DataView(view.buffer, view.byteOffset, count)
      : new view.constructor(view.buffer, view.byteOffset, Math.floor(count / view.BYTES_PER_ELEMENT));
    return this._take((chunk, stream) => {
      const bytes = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const count = Math.min(bytes.length, view.byteLength);
      new Uint8Array(view.buffer, view.byteOffset, count).set(bytes.subarray(0, count));
      if (count < bytes.length) stream.unread(bytes.subarray(count));
      return { value: filled(count), done: false };
    }, () => ({ value: filled(0), done: true }));
  }
}

class Writable {
  state = "writable";
  error = undefined;
  queue = [];
  queued = 0;
  isWriting = false;
  writer = null;
  isStarted = false;
  closing = null;
  abortController = null;

  constructor(sink, strategy) {
    if (sink.type !== undefined) throw new RangeError(`Invalid type: ${sink.type}`);
    this.sink = sink;
    const { size, highWaterMark } = sizeOf(strategy, 1);
    this.size = size;
    this.highWaterMark = highWaterMark;
    this.ready = new Deferred();
    this.closed = new Deferred();
    this.abortController = new AbortController();
    this.controller = {
      error: (error) => this.fail(error),
      signal: this.abortController.signal,
    };
    if (this.highWaterMark > 0) this.ready.resolve();
  }

  start() {
    Promise.resolve(this.sink.start?.call(this.sink, this.controller)).then(
      () => {
        this.isStarted = true;
        this.advance();
      },
      (error) => {
        this.isStarted = true;
        this.fail(error);
      },
    );
  }

  get desiredSize() {
    if (this.state === "errored" || this.state === "erroring") return null;
    return this.state === "closed" ? 0 : this.highWaterMark - this.queued;
  }

  write(chunk) {
    if (this.state === "errored") return Promise.reject(this.error);
    if (this.closing || this.state === "closed") {
      return Promise.reject(new TypeError("This WritableStream has been closed."));
    }
    let size;
    try {
      size = Number(this.size(chunk));
    } catch (error) {
      this.fail(error);
      return Promise.reject(error);
    }
    const done = new Deferred();
    this.queue.push({ chunk, size, done });
    this.queued += size;
    if (this.desiredSize <= 0 && this.desiredSize + size > 0) this.ready = new Deferred();
    this.advance();
    return done.promise;
  }

  advance() {
    if (!this.isStarted || this.isWriting || this.state !== "writable") return;
    if (this.queue.length > 0) {
      const { chunk, size, done } = this.queue[0];
      this.isWriting = true;
      let written;
      try {
        written = Promise.resolve(this.sink.write?.call(this.sink, chunk, this.controller));
      } catch (error) {
        written = Promise.reject(error);
      }
      written.then(
        () => {
          this.isWriting = false;
          this.queue.shift();
          this.queued = Math.max(0, this.queued - size);
          done.resolve();
          if (this.state === "writable" && this.desiredSize > 0) this.ready.resolve();
          this.advance();
        },
        (error) => {
          this.isWriting = false;
          this.queue.shift();
          done.reject(error);
          this.fail(error);
        },
      );
    } else if (this.closing) {
      this.isWriting = true;
      let closed;
      try {
        closed = Promise.resolve(this.sink.close?.call(this.sink, this.controller));
      } catch (error) {
        closed = Promise.reject(error);
      }
      closed.then(
        () => {
          this.state = "closed";
          this.closing.resolve();
          this.closed.resolve();
        },
        (error) => {
          this.closing.reject(error);
          this.isWriting = false;
          this.fail(error);
        },
      );
    }
  }

  close() {
    if (this.state === "errored") return Promise.reject(this.error);
    if (this.closing || this.state === "closed") {
      return Promise.reject(new TypeError("This WritableStream has been closed."));
    }
    this.closing = new Deferred();
    this.ready.resolve();
    this.advance();
    return this.closing.promise;
  }

  fail(error) {
    if (this.state !== "writable") return;
    this.state = "errored";
    this.error = error;
    const pending = this.isWriting ? this.queue.splice(1) : this.queue.splice(0);
    for (const { done } of pending) done.reject(error);
    this.ready.reject(error);
    if (this.ready.promise) {
      this.ready = new Deferred();
      this.ready.reject(error);
    }
    this.closing?.reject(error);
    this.closed.reject(error);
  }

  async abort(reason) {
    if (this.state !== "writable") return;
    this.abortController.abort(reason);
    this.fail(reason);
    await this.sink.abort?.call(this.sink, reason);
  }
}

let writableOf;

export class WritableStream {
  #inside;
  static {
    writableOf = (stream) => stream.#inside;
  }
  constructor(sink = {}, strategy = {}) {
    this.#inside = new Writable(sink ?? {}, strategy);
    this.#inside.start();
  }
  get locked() {
    return this.#inside.writer !== null;
  }
  getWriter() {
    return new WritableStreamDefaultWriter(this);
  }
  async abort(reason) {
    if (this.locked) throw new TypeError("This WritableStream is currently locked to a writer.");
    await this.#inside.abort(reason);
  }
  async close() {
    if (this.locked) throw new TypeError("This WritableStream is currently locked to a writer.");
    await this.#inside.close();
  }
  get [Symbol.toStringTag]() {
    return "WritableStream";
  }
}

export class WritableStreamDefaultWriter {
  #stream;
  constructor(stream) {
    const inside = writableOf(stream);
    if (inside.writer !== null) throw new TypeError("This WritableStream is currently locked to a writer.");
    inside.writer = this;
    this.#stream = inside;
  }
  #inside() {
    if (this.#stream === null) throw new TypeError("This WritableStream writer has been released.");
    return this.#stream;
  }
  get desiredSize() {
    return this.#inside().desiredSize;
  }
  get ready() {
    return this.#stream === null ? Promise.reject(new TypeError("This writer has been released.")) : this.#stream.ready.promise;
  }
  get closed() {
    return this.#stream === null ? Promise.reject(new TypeError("This writer has been released.")) : this.#stream.closed.promise;
  }
  async write(chunk) {
    await this.#inside().write(chunk);
  }
  async close() {
    await this.#inside().close();
  }
  async abort(reason) {
    await this.#inside().abort(reason);
  }
  releaseLock() {
    if (this.#stream === null) return;
    this.#stream.writer = null;
    this.#stream = null;
  }
}

export class TransformStream {
  #readable;
  #writable;

  constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
    transformer ??= {};
    let readable;
    const wanted = { next: new Deferred() };
    const controller = {
      enqueue: (chunk) => readable.enqueue(chunk),
      error: (error) => {
        insideOf(this.#readable).fail(error);
        writableOf(this.#writable).fail(error);
      },
      terminate: () => {
        insideOf(this.#readable).close();
        writableOf(this.#writable).fail(new TypeError("The stream was terminated."));
      },
      get desiredSize() {
        return readable.desiredSize;
      },
    };
    this.#readable = new ReadableStream({
      start(own) {
        readable = own;
      },
      pull() {
        wanted.next.resolve();
      },
      cancel: async (reason) => {
        writableOf(this.#writable).fail(reason);
        await transformer.cancel?.call(transformer, reason);
      },
      type: transformer.readableType,
    }, { highWaterMark: 0, ...readableStrategy });
    this.#writable = new WritableStream({
      start: async () => {
        await transformer.start?.call(transformer, controller);
      },
      write: async (chunk) => {
        const inside = insideOf(this.#readable);
        // What is written waits until somebody reads.
        while (inside.state === "readable" && inside.waiting.length === 0 && inside.desiredSize <= 0) {
          wanted.next = new Deferred();
          inside.pull();
          await wanted.next.promise;
        }
        if (inside.state === "errored") throw inside.error;
        try {
          if (transformer.transform) await transformer.transform(chunk, controller);
          else readable.enqueue(chunk);
        } catch (error) {
          inside.fail(error);
          throw error;
        }
      },
      close: async () => {
        const inside = insideOf(this.#readable);
        try {
          await transformer.flush?.call(transformer, controller);
        } catch (error) {
          inside.fail(error);
          throw error;
        }
        if (inside.state === "readable" && !inside.closesAfterQueue) inside.close();
      },
      abort: async (reason) => {
        insideOf(this.#readable).fail(reason);
        await transformer.cancel?.call(transformer, reason);
      },
    }, writableStrategy);
  }

  get readable() {
    return this.#readable;
  }
  get writable() {
    return this.#writable;
  }
  get [Symbol.toStringTag]() {
    return "TransformStream";
  }
}

function asBytes(chunk) {
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (typeof chunk === "string") return new TextEncoder().encode(chunk);
  throw new TypeError("This TransformStream is being used as a byte stream, but received an object of non-ArrayBuffer/ArrayBufferView type on its writable side.");
}

export class IdentityTransformStream extends TransformStream {
  constructor(strategy) {
    super({ transform: (chunk, controller) => {
      const bytes = asBytes(chunk);
      if (bytes.length > 0) controller.enqueue(bytes);
    }, readableType: "bytes" }, strategy);
  }
}

export class FixedLengthStream extends TransformStream {
  constructor(length, strategy) {
    let left = Number(length);
    super({
      transform(chunk, controller) {
        const bytes = asBytes(chunk);
        left -= bytes.length;
        if (left < 0) throw new TypeError("Attempt to write too many bytes through a FixedLengthStream.");
        if (bytes.length > 0) controller.enqueue(bytes);
      },
      flush() {
        if (left > 0) throw new TypeError("FixedLengthStream did not see all expected bytes before close().");
      },
      readableType: "bytes",
    }, strategy);
  }
}

export class TextEncoderStream extends TransformStream {
  constructor() {
    const encoder = new TextEncoder();
    super({ transform: (chunk, controller) => {
      const bytes = encoder.encode(String(chunk));
      if (bytes.length > 0) controller.enqueue(bytes);
    } });
  }
  get encoding() {
    return "utf-8";
  }
}

export class TextDecoderStream extends TransformStream {
  #decoder;
  constructor(label, options) {
    const decoder = new TextDecoder(label, options);
    const emit = (text, controller) => {
      if (text !== "") controller.enqueue(text);
    };
    super({
      transform: (chunk, controller) => emit(decoder.decode(chunk, { stream: true }), controller),
      flush: (controller) => emit(decoder.decode(), controller),
    });
    this.#decoder = decoder;
  }
  get encoding() {
    return this.#decoder.encoding;
  }
  get fatal() {
    return this.#decoder.fatal;
  }
  get ignoreBOM() {
    return this.#decoder.ignoreBOM;
  }
}

// Whether anything was read of a stream.
export function isDisturbed(stream) {
  return insideOf(stream).isDisturbed;
}

// All bytes of a stream, as one array.
export async function collect(stream) {
  const reader = stream.getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const bytes = typeof value === "string" ? refuseText() : asBytes(value);
    chunks.push(bytes);
    length += bytes.length;
  }
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function refuseText() {
  throw new TypeError("This ReadableStream did not return bytes.");
}

export { asBytes };
