// What a program found out, line by line: a label and a value, written so that different values never look the same.

import { show } from "./show.js";

export class Transcript {
  #lines = [];

  // The value of a promise is what it resolves to, if it does.
  async is(label, value) {
    try {
      this.#lines.push(`${label}: ${show(await value)}`);
    } catch (error) {
      this.#lines.push(`${label} rejects with ${nameOf(error)}: ${error?.message}`);
    }
  }

  // What happened, without a value.
  note(text) {
    this.#lines.push(text);
  }

  // For errors whose text users may rely on.
  async throws(label, work) {
    await this.#outcome(label, work, (error) => `${nameOf(error)}: ${error?.message}`);
  }

  // For errors whose text is the engine's own business.
  async refuses(label, work) {
    await this.#outcome(label, work, nameOf);
  }

  async #outcome(label, work, describe) {
    try {
      this.#lines.push(`${label} gives ${show(await work())}`);
    } catch (error) {
      this.#lines.push(`${label} throws ${describe(error)}`);
    }
  }

  get text() {
    return this.#lines.join("\n") + "\n";
  }

  response() {
    return new Response(this.text);
  }
}

function nameOf(error) {
  if (!(error instanceof Error)) return `no error but ${show(error)}`;
  return error instanceof DOMException ? `DOMException ${error.name}` : error.name;
}
