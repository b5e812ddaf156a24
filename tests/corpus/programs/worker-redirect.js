// A redirect that an object answers is the caller's business, if it says so.
//> GET /

import { DurableObject } from "cloudflare:workers";
import { Transcript } from "./lib/transcript.js";

export class Subject extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    return pathname === "/from" ? Response.redirect("http://object/to", 302) : new Response(`reached ${pathname}`);
  }
}

export default {
  async fetch(request, env) {
    const found = new Transcript();
    const stub = env.SUBJECT.getByName("one");
    const manual = await stub.fetch("http://object/from", { redirect: "manual" });
    await found.is("manual", [manual.status, manual.headers.get("location"), manual.redirected]);
    const followed = await stub.fetch("http://object/from");
    await found.is("by default", [followed.status, followed.redirected, await followed.text()]);
    return found.response();
  },
};
