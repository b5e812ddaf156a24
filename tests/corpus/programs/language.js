// The language itself: what programs of today use.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    await found.is("optional chaining", [null?.a, undefined?.[0], { a: { b: 1 } }?.a?.b]);
    await found.is("destructuring", (({ a, ...rest }, [b, , c = 3]) => [a, rest, b, c])({ a: 1, x: 2 }, [1, 2]));
    await found.is("private fields and static blocks", (() => { class A { static s; #x = 1; static { A.s = 2; } has(o) { return #x in o; } } return [A.s, new A().has(new A()), new A().has({})]; })());
    await found.is("generators", [...(function* () { yield 1; yield* [2, 3]; })()]);
    await found.is("async generators", (async () => { const r = []; for await (const x of (async function* () { yield 1; yield 2; })()) r.push(x); return r; })());
    await found.is("named groups", "2026-01-02".match(/(?<y>\d+)-(?<m>\d+)/).groups.y);
    await found.is("lookbehind", "$10 €20".match(/(?<=€)\d+/)[0]);
    await found.is("unicode sets", /^\p{Letter}+$/u.test("éß"));
    await found.is("replaceAll", "aXbX".replaceAll("X", (m, at) => at));
    await found.is("at", [[1, 2, 3].at(-1), "abc".at(-1)]);
    await found.is("copies of arrays", [[3, 1, 2].toSorted(), [1, 2].toReversed(), [1, 2].with(0, 9), [1, 2, 3].toSpliced(1, 1)]);
    await found.is("groupBy", [Object.groupBy([1, 2, 3], (n) => (n % 2 ? "odd" : "even")), Map.groupBy([1, 2], (n) => n % 2).get(1)]);
    await found.is("findLast", [1, 2, 3].findLast((n) => n < 3));
    await found.is("Object.fromEntries", Object.fromEntries(new Map([["a", 1]])));
    await found.is("hasOwn", Object.hasOwn({ a: 1 }, "a"));
    await found.is("sets", [new Set([1, 2]).union(new Set([3])), new Set([1, 2]).intersection(new Set([2]))]);
    await found.is("iterators", [1, 2, 3].values().map((n) => n * 2).filter((n) => n > 2).toArray());
    await found.is("Promise.withResolvers", (() => { const { promise, resolve } = Promise.withResolvers(); resolve(7); return promise; })());
    await found.is("Promise.try", typeof Promise.try === "function" ? Promise.try(() => 8) : "missing");
    await found.is("Array.fromAsync", Array.fromAsync((async function* () { yield 1; })()));
    await found.is("well formed", ["a\ud800".isWellFormed(), "a\ud800".toWellFormed()]);
    await found.is("resizable buffers", new ArrayBuffer(2, { maxByteLength: 4 }).resizable);
    await found.is("structured text", String.raw`a\n${1}`);
    await found.is("numbers", [1_000, 0b11, 0o7, 2 ** 10, (1234.5678).toFixed(2), (255).toString(16), Number("0x10"), parseFloat("1e3x")]);
    await found.is("dates", [new Date(2026, 0, 2).toISOString(), new Date("2026-01-02").getTime(), Date.UTC(2026, 1), new Date(0).toUTCString(), new Date(0).getTimezoneOffset()]);
    await found.is("JSON", [JSON.stringify({ a: [undefined, () => 1], d: new Date(0), u: undefined }, null, 1), JSON.parse('{"a":1}', (k, v) => (k === "a" ? 2 : v))]);
    await found.is("sort is stable", [[1, "a"], [0, "b"], [1, "c"], [0, "d"]].sort((x, y) => x[0] - y[0]).map((x) => x[1]).join(""));
    await found.is("normalize", "e\u0301".normalize("NFC").length);
    await found.is("labels", (() => { let n = 0; outer: for (;;) for (;;) { n += 1; if (n > 2) break outer; } return n; })());
    await found.is("tagged errors", (() => { try { null.x; } catch (error) { return error.name; } })());
    await found.is("WeakRef", new WeakRef({ a: 1 }).deref());
    await found.is("Symbol.iterator", [...{ *[Symbol.iterator]() { yield 1; } }]);
    await found.is("logical assignment", (() => { let a = null; a ??= 1; a &&= 2; a ||= 3; return a; })());
    return found.response();
  },
};
