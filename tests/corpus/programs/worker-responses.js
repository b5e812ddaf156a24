// Statuses, headers and bodies of an object's responses as a client sees them.
//> GET /status/204
//> GET /status/404
//> GET /status/418
//> GET /status/503
//> GET /redirect
//> GET /headers
//> GET /cookies
//> GET /binary
//> GET /empty
//> GET /html
//> GET /blob
//> GET /form
//> GET /params
//> GET /buffer

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  async fetch(request) {
    const [, what, value] = new URL(request.url).pathname.split("/");
    switch (what) {
      case "status":
        return new Response(value === "204" ? null : `status ${value}`, { status: Number(value) });
      case "redirect":
        return Response.redirect("http://example.com/elsewhere", 303);
      case "headers":
        return new Response("headers", { headers: [["x-a", "1"], ["X-B", "two"], ["x-a", "2"], ["cache-control", "no-store"], ["etag", '"e"']] });
      case "cookies": {
        const headers = new Headers();
        headers.append("set-cookie", "a=1; Path=/");
        headers.append("set-cookie", "b=2");
        return new Response("cookies", { headers });
      }
      case "binary":
        return new Response(new Uint8Array([0, 255, 128, 10]), { headers: { "content-type": "application/octet-stream" } });
      case "empty":
        return new Response();
      case "html":
        return new Response("<p>é</p>", { headers: { "Content-Type": "text/html; charset=utf-8" } });
      case "blob":
        return new Response(new Blob(["a ", "blob"], { type: "text/x-blob" }));
      case "form":
        return new Response(await new Response(new URLSearchParams({ a: "1", b: "é &" })).text());
      case "params":
        return new Response(new URLSearchParams({ a: "1", b: "é &" }));
      default:
        return new Response(new TextEncoder().encode("a buffer").buffer);
    }
  }
}

export default one("SUBJECT");
