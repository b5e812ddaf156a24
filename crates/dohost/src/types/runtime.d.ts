// What programs on dohost have beyond the language: objects, their stores, and each other.
// Request, Response, fetch and the rest of the web come from TypeScript itself: "lib": ["ESNext", "WebWorker"].

/** The id of an object: 64 hexadecimal digits. */
interface DurableObjectId {
  /** The name that the id was made from, if it was made from one. */
  readonly name?: string;
  toString(): string;
  equals(other: DurableObjectId): boolean;
}

/** What an object may be asked by way of its stub: its methods, which all give promises there. */
type DurableObjectMethods<T> = {
  [K in keyof T as K extends DurableObjectReserved ? never : T[K] extends (...parameters: any[]) => any ? K : never]:
    T[K] extends (...parameters: infer P) => infer R ? (...parameters: P) => Promise<Awaited<R>> : never;
};

/** What only the host calls. */
type DurableObjectReserved = "fetch" | "alarm" | "webSocketMessage" | "webSocketClose" | "webSocketError" | "connect" | "dup";

/** Speaks to one object of the class T. */
type DurableObjectStub<T = undefined> = DurableObjectMethods<T> & {
  readonly id: DurableObjectId;
  readonly name?: string;
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
};

/** All objects of the class T. */
interface DurableObjectNamespace<T = undefined> {
  newUniqueId(options?: { jurisdiction?: undefined }): DurableObjectId;
  idFromName(name: string): DurableObjectId;
  idFromString(id: string): DurableObjectId;
  get(id: DurableObjectId, options?: DurableObjectPlace): DurableObjectStub<T>;
  getByName(name: string, options?: DurableObjectPlace): DurableObjectStub<T>;
}

/** Where an object should be: there is one machine, so it says nothing. */
interface DurableObjectPlace {
  locationHint?: string;
}

interface DurableObjectGetOptions {
  allowConcurrency?: boolean;
  noCache?: boolean;
}

interface DurableObjectPutOptions {
  allowConcurrency?: boolean;
  allowUnconfirmed?: boolean;
  noCache?: boolean;
}

interface DurableObjectListOptions {
  start?: string;
  startAfter?: string;
  end?: string;
  prefix?: string;
  reverse?: boolean;
  limit?: number;
  allowConcurrency?: boolean;
  noCache?: boolean;
}

/** The store while a transaction is open. */
interface DurableObjectTransaction {
  get<T = unknown>(key: string, options?: DurableObjectGetOptions): Promise<T | undefined>;
  get<T = unknown>(keys: string[], options?: DurableObjectGetOptions): Promise<Map<string, T>>;
  list<T = unknown>(options?: DurableObjectListOptions): Promise<Map<string, T>>;
  put<T>(key: string, value: T, options?: DurableObjectPutOptions): Promise<void>;
  put<T>(entries: Record<string, T>, options?: DurableObjectPutOptions): Promise<void>;
  delete(key: string, options?: DurableObjectPutOptions): Promise<boolean>;
  delete(keys: string[], options?: DurableObjectPutOptions): Promise<number>;
  /** When `alarm` will be called, in milliseconds since 1970; null if it will not. */
  getAlarm(options?: DurableObjectGetOptions): Promise<number | null>;
  setAlarm(scheduledTime: number | Date, options?: DurableObjectPutOptions): Promise<void>;
  deleteAlarm(options?: DurableObjectPutOptions): Promise<void>;
  rollback(): void;
}

/** What an object has stored: values that structured clone knows, by keys. */
interface DurableObjectStorage extends Omit<DurableObjectTransaction, "rollback"> {
  deleteAll(options?: DurableObjectPutOptions): Promise<void>;
  transaction<T>(closure: (transaction: DurableObjectTransaction) => Promise<T>): Promise<T>;
  sync(): Promise<void>;
}

/** Why `alarm` is called. */
interface AlarmInvocationInfo {
  /** For when it was set, in milliseconds since 1970. */
  readonly scheduledTime: number;
  readonly retryCount: number;
  readonly isRetry: boolean;
}

/** What an object is given: who it is, and what it has stored. */
interface DurableObjectState {
  readonly id: DurableObjectId;
  readonly props: {};
  readonly storage: DurableObjectStorage;
  blockConcurrencyWhile<T>(callback: () => Promise<T>): Promise<T>;
  waitUntil(promise: Promise<unknown>): void;
  abort(reason?: string): void;
  /** The host holds the WebSocket from now on: the object may sleep until something comes. Up to 10 tags. */
  acceptWebSocket(socket: WebSocket, tags?: string[]): void;
  /** Those that were accepted so and are open: with this tag, or all. */
  getWebSockets(tag?: string): WebSocket[];
  getTags(socket: WebSocket): string[];
  /** A text that the host answers by itself; none without a pair. */
  setWebSocketAutoResponse(pair?: WebSocketRequestResponsePair): void;
  getWebSocketAutoResponse(): WebSocketRequestResponsePair | null;
  getWebSocketAutoResponseTimestamp(socket: WebSocket): Date | null;
  setHibernatableWebSocketEventTimeout(milliseconds?: number): void;
  getHibernatableWebSocketEventTimeout(): number | null;
}

interface WebSocket {
  accept(options?: { allowHalfOpen?: boolean }): void;
  /** Leaves a value with the WebSocket, which is there when the object wakes. Up to 16,384 bytes. */
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): any;
}

/** Two WebSockets that are each other's end. */
declare const WebSocketPair: { new (): { 0: WebSocket; 1: WebSocket } & Iterable<WebSocket> };

/** What the host answers to a text by itself. Up to 2,048 bytes each. */
declare class WebSocketRequestResponsePair {
  constructor(request: string, response: string);
  readonly request: string;
  readonly response: string;
}

interface ResponseInit {
  /** The end for the client, with status 101. */
  webSocket?: WebSocket | null;
}

interface Response {
  /** Of a request with the header `Upgrade: websocket`. To be accepted before it is used. */
  readonly webSocket: WebSocket | null;
}

/** What a class of objects may have. One that extends nothing says that it `implements DurableObject`. */
interface DurableObject {
  fetch?(request: Request): Response | Promise<Response>;
  alarm?(info?: AlarmInvocationInfo): void | Promise<void>;
}

interface Scheduler {
  /** Other events run meanwhile. */
  wait(milliseconds: number, options?: { signal?: AbortSignal }): Promise<void>;
}

interface SubtleCrypto {
  /** Whether they are the same, in a time that does not tell where they differ. They must be of one length. */
  timingSafeEqual(one: ArrayBuffer | ArrayBufferView, other: ArrayBuffer | ArrayBufferView): boolean;
}

/** Takes what is written to it, and gives its digest when it is closed. */
interface DigestStream extends WritableStream<string | ArrayBuffer | ArrayBufferView> {
  readonly digest: Promise<ArrayBuffer>;
}

interface Crypto {
  readonly DigestStream: { new (algorithm: AlgorithmIdentifier): DigestStream };
}

/** Passes bytes on. */
declare class IdentityTransformStream extends TransformStream<ArrayBuffer | ArrayBufferView | string, Uint8Array> {
  constructor(strategy?: QueuingStrategy);
}

/** Passes just so many bytes on: a response whose body is its `readable` has a `content-length`. */
declare class FixedLengthStream extends TransformStream<ArrayBuffer | ArrayBufferView | string, Uint8Array> {
  constructor(length: number | bigint, strategy?: QueuingStrategy);
}

/** What a Worker is given beside the request. */
interface ExecutionContext {
  readonly props: {};
  waitUntil(promise: Promise<unknown>): void;
  passThroughOnException(): void;
}

/** A default export. */
interface ExportedHandler<Env = unknown> {
  fetch?(request: Request, env: Env, ctx: ExecutionContext): Response | Promise<Response>;
}

declare module "cloudflare:workers" {
  /** The class of an object that other guests call by its methods. */
  export abstract class DurableObject<E = Env> {
    protected readonly ctx: DurableObjectState;
    protected readonly env: E;
    constructor(ctx: DurableObjectState, env: E);
    fetch?(request: Request): Response | Promise<Response>;
    alarm?(info?: AlarmInvocationInfo): void | Promise<void>;
    webSocketMessage?(socket: WebSocket, message: string | ArrayBuffer): void | Promise<void>;
    webSocketClose?(socket: WebSocket, code: number, reason: string, wasClean: boolean): void | Promise<void>;
    webSocketError?(socket: WebSocket, error: unknown): void | Promise<void>;
  }

  /** A Worker as a class. */
  export abstract class WorkerEntrypoint<E = Env> {
    protected readonly ctx: ExecutionContext;
    protected readonly env: E;
    constructor(ctx: ExecutionContext, env: E);
    fetch?(request: Request): Response | Promise<Response>;
  }

  /** Bindings and variables, wherever one is. */
  export const env: Env;

  /** Lets the instance live until this is settled. */
  export function waitUntil(promise: Promise<unknown>): void;
}

declare module "*.txt" {
  const text: string;
  export default text;
}

declare module "*.html" {
  const text: string;
  export default text;
}

declare module "*.sql" {
  const text: string;
  export default text;
}
