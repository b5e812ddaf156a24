// The world in `wit/`, as the component model lays it out in memory: what a generator of bindings would write.
//
// Strings and objects of AssemblyScript are collected; what crosses the border is not. Such blocks are taken with
// `heap.alloc` and belong to one side at a time: arguments to us, who free them once they are read; replies to us too, who
// free them in `cabi_post_…`, when the host has read them.

/** How the host gets memory for what it hands over. */
export function cabi_realloc(old: usize, oldLength: usize, alignment: usize, length: usize): usize {
  if (length == 0) return alignment;
  return old == 0 ? heap.alloc(length) : heap.realloc(old, length);
}

/** Makes a string of one that was handed over. */
export function takeString(pointer: usize, length: usize): string {
  const text = String.UTF8.decodeUnsafe(pointer, length);
  free(pointer, length);
  return text;
}

/** Frees a string or list that was handed over. */
export function free(pointer: usize, length: usize): void {
  if (length != 0) heap.free(pointer);
}

/** Frees a list of headers that was handed over. */
export function freeHeaders(pointer: usize, count: usize): void {
  for (let header = pointer; header < pointer + count * 16; header += 16) {
    free(load<usize>(header), load<usize>(header, 4));
    free(load<usize>(header, 8), load<usize>(header, 12));
  }
  free(pointer, count);
}

/** Writes a text as the pair of pointer and length that hands it over. */
function giveString(text: string, at: usize): void {
  const length = String.UTF8.byteLength(text);
  const block = heap.alloc(length);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, block);
  store<usize>(at, block);
  store<usize>(at, length, 4);
}

function freeString(at: usize): void {
  free(load<usize>(at), load<usize>(at, 4));
}

/** What is wrong, in words; empty if nothing is. */
export let failure: string = "";

/** Sets what is wrong. */
export function fail(text: string): void {
  failure = text;
}

export class Response {
  constructor(public status: u16, public body: string) {}
}

// result<response, exception>: the tag, then at 4 the status, at 8 and 12 the headers, at 16 and 20 the body; or the text.
const RESPONSE_LENGTH: usize = 24;
const HEADER_LENGTH: usize = 16;

export function giveResponse(response: Response): usize {
  const result = heap.alloc(RESPONSE_LENGTH);
  const isError = failure.length != 0;
  store<u8>(result, isError ? 1 : 0);
  if (isError) {
    giveString(failure, result + 4);
    failure = "";
    return result;
  }
  const header = heap.alloc(HEADER_LENGTH);
  giveString("content-type", header);
  giveString("text/plain", header + 8);
  store<u16>(result, response.status, 4);
  store<usize>(result, header, 8);
  store<usize>(result, 1, 12);
  giveString(response.body, result + 16);
  return result;
}

export function freeResponse(result: usize): void {
  if (load<u8>(result) == 0) {
    freeHeaders(load<usize>(result, 8), load<usize>(result, 12));
    freeString(result + 16);
  } else {
    freeString(result + 4);
  }
  heap.free(result);
}

/** result<s64, exception>: the tag, then at 8 the number or the text. */
export function giveNumber(number: i64): usize {
  const result = heap.alloc(16);
  const isError = failure.length != 0;
  store<u8>(result, isError ? 1 : 0);
  if (isError) {
    giveString(failure, result + 8);
    failure = "";
  } else {
    store<i64>(result, number, 8);
  }
  return result;
}

export function freeNumber(result: usize): void {
  if (load<u8>(result) != 0) freeString(result + 8);
  heap.free(result);
}

// @ts-ignore: decorator
@external("dohost:object/storage@0.1.0", "get")
declare function hostGet(key: usize, keyLength: usize, result: usize): void;

// @ts-ignore: decorator
@external("dohost:object/storage@0.1.0", "put")
declare function hostPut(key: usize, keyLength: usize, value: usize, valueLength: usize, result: usize): void;

/** Room for results of the host, one at a time. */
const area: usize = memory.data(16, 8);

/** `dohost:object/storage`, for values that are text. */
export namespace storage {
  /** The value of a key. Look at `failure` afterwards. */
  export function get(key: string): string | null {
    const bytes = String.UTF8.encode(key);
    hostGet(changetype<usize>(bytes), bytes.byteLength, area);
    if (load<u8>(area) != 0) {
      fail(takeString(load<usize>(area, 8), load<usize>(area, 12)));
      return null;
    }
    return load<u8>(area, 4) == 0 ? null : takeString(load<usize>(area, 8), load<usize>(area, 12));
  }

  /** Sets the value of a key. Look at `failure` afterwards. */
  export function put(key: string, value: string): void {
    const bytes = String.UTF8.encode(key);
    const content = String.UTF8.encode(value);
    hostPut(changetype<usize>(bytes), bytes.byteLength, changetype<usize>(content), content.byteLength, area);
    if (load<u8>(area) != 0) fail(takeString(load<usize>(area, 8), load<usize>(area, 12)));
  }
}
