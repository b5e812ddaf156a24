// ctx.storage: the object's store.

import native from "dohost:native";

const KEY_BYTES_MAX = 2048;
const KEYS_MAX = 128;
// The last time that a Date can be.
const TIME_MAX = 8.64e15;

// Whether the object may set an alarm, which the program knows.
let mayHaveAlarms = () => true;

export function askBeforeAlarms(ask) {
  mayHaveAlarms = ask;
}

function timeOf(time) {
  const milliseconds = time instanceof Date ? time.getTime() : typeof time === "number" ? time : NaN;
  if (Number.isNaN(milliseconds)) {
    throw new TypeError("Failed to execute 'setAlarm' on 'DurableObjectStorage': parameter 1 is not of type 'Date'.");
  }
  if (milliseconds <= 0) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
  return Math.min(milliseconds, TIME_MAX);
}

function keyOf(key, method) {
  if (typeof key !== "string") {
    if (key === undefined) throw new TypeError(`${method}() called with undefined key.`);
    // A symbol is no key.
    key = `${key}`;
  }
  // Three bytes at most for each unit.
  if (key.length * 3 > KEY_BYTES_MAX) {
    const length = native.utf8Encode(key.toWellFormed()).length;
    if (length > KEY_BYTES_MAX) {
      throw new RangeError(`Keys cannot be larger than ${KEY_BYTES_MAX} bytes. A key of size ${length} was provided.`);
    }
  }
  return key;
}

function keysOf(keys, method) {
  if (keys.length > KEYS_MAX) throw new RangeError(`Maximum number of keys is ${KEYS_MAX}.`);
  return keys.map((key) => keyOf(key, method));
}

function toMap(flat) {
  const map = new Map();
  for (let index = 0; index < flat.length; index += 2) map.set(flat[index], flat[index + 1]);
  return map;
}

const isOptions = (value) => typeof value === "object" && value !== null;

// The calls that storage and transactions share. `check` is given their names, and throws where they may not be made any more.
export class Operations {
  // Null if they always may.
  #check;

  constructor(check) {
    this.#check = check;
  }

  // Async, so that what is wrong rejects and is not thrown. A value that is there already costs no trip.
  async get(key, _options) {
    this.#check?.("get");
    if (Array.isArray(key)) return toMap(await native.storageGetMany(keysOf(key, "get")));
    return native.storageGet(keyOf(key, "get"));
  }

  async put(key, value, options) {
    this.#check?.("put");
    if (typeof key === "object" && key !== null) {
      if (value !== undefined && !isOptions(value)) throw new TypeError(
        "put() may only be called with a single key-value pair and optional options as put(key, value, options) or with multiple key-value pairs and optional options as put(entries, options)");
      const keys = keysOf(Object.keys(key), "put");
      const flat = [];
      for (const name of keys) {
        // As for a single key, undefined is no value; here it is left out.
        if (key[name] !== undefined) flat.push(name, key[name]);
      }
      if (flat.length > 0) await native.storagePutMany(flat, Boolean(value?.allowUnconfirmed));
      return;
    }
    key = keyOf(key, "put");
    if (value === undefined) throw new TypeError("put() called with undefined value.");
    const put = options?.allowUnconfirmed ? native.storagePutMany([key, value], true) : native.storagePut(key, value);
    // Mostly there is nothing to wait for.
    if (put !== undefined) await put;
  }

  async delete(key, options) {
    this.#check?.("delete");
    const isUnconfirmed = Boolean(options?.allowUnconfirmed);
    if (Array.isArray(key)) return native.storageDeleteMany(keysOf(key, "delete"), isUnconfirmed);
    key = keyOf(key, "delete");
    if (isUnconfirmed) return (await native.storageDeleteMany([key], true)) > 0;
    return native.storageDelete(key);
  }

  async list(options = {}) {
    this.#check?.("list");
    options ??= {};
    const text = (name) => (options[name] === undefined ? undefined : String(options[name]));
    const start = text("start");
    const startAfter = text("startAfter");
    if (start !== undefined && startAfter !== undefined) {
      throw new TypeError("list() cannot be called with both start and startAfter values.");
    }
    let limit;
    if (options.limit !== undefined && options.limit !== null) {
      limit = Math.trunc(Number(options.limit));
      if (!(limit > 0)) throw new TypeError("List limit must be positive.");
      limit = Math.min(limit, 2 ** 32 - 1);
    }
    const range = { start, startAfter, end: text("end"), prefix: text("prefix"), reverse: Boolean(options.reverse), limit };
    return toMap(await native.storageList(range));
  }

  async getAlarm(_options) {
    this.#check?.("getAlarm");
    return native.alarmGet();
  }

  async setAlarm(time, options) {
    this.#check?.("setAlarm");
    time = timeOf(time);
    if (!mayHaveAlarms()) {
      throw new TypeError("Your Durable Object class must have an alarm() handler in order to call setAlarm()");
    }
    // What is past is now.
    await native.alarmSet(Math.max(time, Date.now()), Boolean(options?.allowUnconfirmed));
  }

  async deleteAlarm(options) {
    this.#check?.("deleteAlarm");
    await native.alarmDelete(Boolean(options?.allowUnconfirmed));
  }
}

export class DurableObjectTransaction extends Operations {
  #state;

  constructor(state) {
    super((method) => state.check(method));
    this.#state = state;
  }
  rollback() {
    this.#state.rollback();
  }
  async deleteAll() {
    throw new Error("Cannot call deleteAll() within a transaction");
  }
  get [Symbol.toStringTag]() {
    return "DurableObjectTransaction";
  }
}

class TransactionState {
  constructor(number) {
    this.number = number;
    this.isRolledBack = false;
    this.isDone = false;
  }
  check(method) {
    if (this.isRolledBack) throw new Error(`Cannot ${method}() on rolled back transaction`);
    if (this.isDone) {
      throw new Error(`Cannot call ${method}() on transaction that has already committed: did you move \`txn\` outside of the closure?`);
    }
  }
  rollback() {
    if (this.isRolledBack) return;
    this.check("rollback");
    this.isRolledBack = true;
    native.transactionRollback(this.number);
  }
}

export class DurableObjectStorage extends Operations {
  constructor() {
    super(null);
  }
  async deleteAll(_options) {
    await native.storageDeleteAll();
  }
  async sync() {
    await native.storageSync();
  }
  async transaction(closure) {
    const state = new TransactionState(await native.transactionBegin());
    const transaction = new DurableObjectTransaction(state);
    let result;
    try {
      result = await closure(transaction);
    } catch (error) {
      if (!state.isRolledBack) state.rollback();
      state.isDone = true;
      throw error;
    }
    if (!state.isRolledBack) native.transactionCommit(state.number);
    state.isDone = true;
    return result;
  }
  transactionSync() {
    throw new Error("transactionSync() is not there: storage.transaction() is.");
  }
  getCurrentBookmark() {
    refuseBookmarks();
  }
  getBookmarkForTime() {
    refuseBookmarks();
  }
  onNextSessionRestoreBookmark() {
    refuseBookmarks();
  }
  get sql() {
    throw new Error("SQL storage is not implemented in dohost: the key-value methods of ctx.storage are there.");
  }
  get kv() {
    throw new Error("ctx.storage.kv is not implemented in dohost: ctx.storage.get() and the like are there, and wait.");
  }
  get [Symbol.toStringTag]() {
    return "DurableObjectStorage";
  }
}

function refuseBookmarks() {
  throw new Error("Point-in-time recovery is not implemented in dohost: there are no bookmarks.");
}
