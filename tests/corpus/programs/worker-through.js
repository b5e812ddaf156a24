// Method, path, query, headers and body go through a Worker to an object as they are.
//> GET /path/a%20b?q=1&q=%C3%A9&empty= -H x-one:1 -H x-two:a,b
//> POST /post -H content-type:text/plain -d the body
//> PUT /put -d "two\nlines é 😀"
//> DELETE /delete?x
//> PATCH //double//slash -d {"a":1}
//> OPTIONS /options
//> HEAD /head

import { DurableObject } from "cloudflare:workers";
import { one } from "./lib/one.js";

export class Subject extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    const seen = {
      method: request.method,
      path: url.pathname,
      query: [...url.searchParams],
      search: url.search,
      isHost: url.host === request.headers.get("host"),
      body: await request.text(),
      headers: Object.fromEntries([...request.headers].filter(([name]) => name.startsWith("x-") || name === "content-type")),
    };
    return Response.json(seen, { status: 201, headers: { "x-seen": request.method } });
  }
}

export default one("SUBJECT");
