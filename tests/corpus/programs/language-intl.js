// Words, numbers and dates of places.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    await found.throws("localeCompare", () => ["b", "a", "C", "ä"].sort((x, y) => x.localeCompare(y)).join(""));
    await found.throws("numbers", () => (1234567.891).toLocaleString("en-US"));
    await found.throws("NumberFormat", () => new Intl.NumberFormat("de-DE", { style: "currency", currency: "EUR" }).format(1234.5).replace(/\s/g, " "));
    await found.throws("dates", () => new Date(0).toLocaleDateString("en-US", { timeZone: "UTC" }));
    await found.throws("DateTimeFormat", () => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", dateStyle: "full" }).format(new Date(0)));
    await found.throws("capitals", () => "i".toLocaleUpperCase("tr"));
    return found.response();
  },
};
