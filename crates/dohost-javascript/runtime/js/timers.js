// Timers of the HTML Standard. Numbers are never given twice in a life.

import native from "dohost:native";
import { logUncaught } from "dohost:errors";

const running = new Map();
let last = 0;

function start(callback, milliseconds, parameters, repeats) {
  if (typeof callback !== "function") {
    throw new TypeError("A timer takes a function; text is not evaluated.");
  }
  milliseconds = Math.min(Math.max(Math.trunc(Number(milliseconds)) || 0, 0), 2 ** 31 - 1);
  const number = ++last;
  native.timerStart(number, milliseconds);
  running.set(number, { callback, parameters, milliseconds, repeats });
  return number;
}

export function setTimeout(callback, milliseconds, ...parameters) {
  return start(callback, milliseconds, parameters, false);
}

export function setInterval(callback, milliseconds, ...parameters) {
  return start(callback, milliseconds, parameters, true);
}

export function clearTimeout(number) {
  number = Number(number);
  if (running.delete(number)) native.timerStop(number);
}

// The time has come.
export function fire(number) {
  const timer = running.get(number);
  if (timer === undefined) return;
  if (timer.repeats) native.timerStart(number, timer.milliseconds);
  else running.delete(number);
  try {
    timer.callback(...timer.parameters);
  } catch (error) {
    logUncaught(error);
  }
}

export const scheduler = {
  wait(milliseconds, { signal } = {}) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw signal.reason;
      const timer = setTimeout(resolve, milliseconds);
      signal?.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason);
      }, { once: true });
    });
  },
};
