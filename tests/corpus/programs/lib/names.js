// What the program `modules` imports.

import { DurableObject } from "cloudflare:workers";

export let value = 0;

export function increment() {
  value += 1;
}

export class Base extends DurableObject {
  where() {
    return "in another module";
  }
}

export class Renamed extends Base {}

export default "the default";
