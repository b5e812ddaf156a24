// Bodies that leave: of responses, and of requests to objects.

import { logUncaught, inWords } from "dohost:errors";
import { ReadableStream, asBytes } from "dohost:streams";

// Streams that are being written, each with its reader.
const open = new Map();
let last = 0;

// Content as the host takes it: text, bytes, null, one of the host's own, or the number of a stream that it asks for.
export function leaving(content) {
  if (!(content instanceof ReadableStream)) return content;
  const number = ++last;
  open.set(number, content.getReader());
  return number;
}

// The next bytes of a stream; null at the end, or what went wrong in words.
export async function nextChunk(number) {
  const reader = open.get(number);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        open.delete(number);
        return null;
      }
      const bytes = asBytes(value);
      if (bytes.length > 0) return bytes;
    }
  } catch (error) {
    open.delete(number);
    reader?.cancel(error).catch(() => {});
    logUncaught(error);
    return inWords(error);
  }
}

export async function dropStream(number) {
  const reader = open.get(number);
  open.delete(number);
  try {
    await reader?.cancel();
  } catch (error) {
    logUncaught(error);
  }
}
