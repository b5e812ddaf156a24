// Modules: names, defaults, re-exports, namespaces, imports at run time.
//> GET /

import { Transcript } from "./lib/transcript.js";

import * as names from "./lib/names.js";
import other, { increment, value } from "./lib/names.js";

export class Subject extends names.Base {}
export { Renamed as SubjectToo } from "./lib/names.js";

export default {
  async fetch(request, env) {
    const found = new Transcript();
    await found.is("a default", other);
    await found.is("a name", names.value === value);
    increment();
    await found.is("bindings are live", value);
    await found.is("a class of a module", env.SUBJECT.getByName("one").where());
    await found.throws("at run time", async () => (await import("./lib/names.js")).default);
    return found.response();
  },
};
