// The console: its lines go to the log. What is called a warning or an error goes where the log has errors.

import native from "dohost:native";
import { framesOf } from "dohost:errors";
import { format, inspect } from "dohost:inspect";

const counts = new Map();
const times = new Map();
let indent = "";

function print(values, isError) {
  native.print((indent + format(values)).replace(/\n/g, "\n" + indent), isError);
}

const log = (...values) => print(values, false);
const error = (...values) => print(values, true);

export const console = {
  log,
  info: log,
  debug: log,
  warn: error,
  error,
  trace(...values) {
    print(["Trace:", ...values, "\n" + framesOf(new Error())], true);
  },
  assert(condition, ...values) {
    if (!condition) print(["Assertion failed" + (values.length > 0 ? ":" : ""), ...values], true);
  },
  dir: (value) => print([inspect(value)], false),
  dirxml: log,
  table(rows) {
    log(rows);
  },
  group(...labels) {
    if (labels.length > 0) log(...labels);
    indent += "  ";
  },
  groupCollapsed(...labels) {
    console.group(...labels);
  },
  groupEnd() {
    indent = indent.slice(2);
  },
  count(label = "default") {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    log(`${label}: ${counts.get(label)}`);
  },
  countReset(label = "default") {
    counts.delete(label);
  },
  time(label = "default") {
    times.set(label, Date.now());
  },
  timeLog(label = "default", ...values) {
    if (times.has(label)) log(`${label}: ${Date.now() - times.get(label)}ms`, ...values);
  },
  timeEnd(label = "default") {
    console.timeLog(label);
    times.delete(label);
  },
  timeStamp() {},
  clear() {},
};
