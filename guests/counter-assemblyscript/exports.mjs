// Gives exports the names that the component model wants, which are no identifiers of AssemblyScript. A transform of asc.

import { Transform } from "assemblyscript/transform";

const FETCH = "dohost:object/handler@0.1.0#fetch";

// Function of counter.ts → name of its export.
const NAMES = {
  fetch: FETCH,
  afterFetch: `cabi_post_${FETCH}`,
  afterIncrement: "cabi_post_increment",
  afterValue: "cabi_post_value",
};

export default class extends Transform {
  afterCompile(module) {
    for (const [from, to] of Object.entries(NAMES)) {
      module.removeExport(from);
      module.addFunctionExport(`counter/${from}`, to);
    }
  }
}
