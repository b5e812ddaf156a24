// Cookies of a request and of responses, through an object.
//> GET / -H cookie:a=1;b=2

import { DurableObject } from "cloudflare:workers";

export class Subject extends DurableObject {
  async fetch(request) {
    const headers = new Headers({ "x-cookie": request.headers.get("cookie") });
    headers.append("set-cookie", "session=abc; HttpOnly");
    headers.append("set-cookie", "theme=dark; Path=/");
    return new Response("cookies", { headers });
  }
}

export default {
  async fetch(request, env) {
    const response = await env.SUBJECT.getByName("one").fetch(request);
    const more = new Response(`${response.headers.getSetCookie().length} cookies`, response);
    more.headers.append("set-cookie", "by=worker");
    return more;
  },
};
