// A counter in AssemblyScript. Every name is a counter of its own, with its own store.
//
// AssemblyScript has no exceptions: who calls something that may fail looks at `failure` afterwards.

import {
  fail,
  failure,
  free,
  freeHeaders,
  freeNumber,
  freeResponse,
  giveNumber,
  giveResponse,
  Response,
  storage,
  takeString,
} from "./abi";

export { cabi_realloc } from "./abi";

/** What was counted so far; 0 if nothing was ever counted. */
function read(): i64 {
  const stored = storage.get("count");
  if (stored == null) return 0;
  const count = I64.parseInt(stored);
  if (count.toString() != stored) fail("the stored count is not a number");
  return count;
}

/**
 * Adds to the counter and gives its new value.
 *
 * Read, add, write: needs no lock. While the object waits for its storage no other request gets in between, so no count
 * is lost. And the write needs no waiting: the reply leaves only once the new value is on disk.
 */
function add(amount: i64): i64 {
  const before = read();
  if (failure.length != 0) return 0;
  const count = before + amount;
  if (amount > 0 ? count < before : count > before) fail("the counter is full");
  else storage.put("count", count.toString());
  return count;
}

function respond(path: string): Response {
  if (path == "/" || path == "/value") return new Response(200, read().toString());
  if (path == "/increment") return new Response(200, add(1).toString());
  if (path == "/decrement") return new Response(200, add(-1).toString());
  return new Response(404, "Not found");
}

/** HTTP. A record comes as its fields, one after the other. */
export function fetch(
  method: usize, methodLength: usize,
  scheme: usize, schemeLength: usize,
  authority: usize, authorityLength: usize,
  path: usize, pathLength: usize,
  hasQuery: i32, query: usize, queryLength: usize,
  headers: usize, headerCount: usize,
  body: usize, bodyLength: usize,
): usize {
  free(method, methodLength);
  free(scheme, schemeLength);
  free(authority, authorityLength);
  if (hasQuery) free(query, queryLength);
  freeHeaders(headers, headerCount);
  free(body, bodyLength);
  return giveResponse(respond(takeString(path, pathLength)));
}

export function afterFetch(result: usize): void {
  freeResponse(result);
}

/** A method: adds 1, or what it is told. */
export function increment(isSome: i32, by: u32): usize {
  return giveNumber(add(isSome ? <i64>by : 1));
}

export function afterIncrement(result: usize): void {
  freeNumber(result);
}

/** A method. */
export function value(): usize {
  return giveNumber(read());
}

export function afterValue(result: usize): void {
  freeNumber(result);
}
