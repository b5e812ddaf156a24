// fetch: requests to the network.

import native from "dohost:native";
import { unlessAborted } from "dohost:abort";
import { takeBody, wholeContent } from "dohost:body";
import { rawOf } from "dohost:headers";
import { Request } from "dohost:request";
import { received } from "dohost:response";
import { URL } from "dohost:url";

const REDIRECTS_MAX = 20;

export function fetch(input, init) {
  let request;
  try {
    request = new Request(input, init);
  } catch (error) {
    return Promise.reject(error);
  }
  return unlessAborted(init?.signal ?? (input instanceof Request ? input.signal : undefined), follow(request));
}

async function follow(request) {
  let { method, url } = request;
  let headers = rawOf(request.headers);
  let content = await wholeContent(takeBody(request));
  for (let redirects = 0; ; redirects++) {
    if (!/^https?:/.test(url)) throw new TypeError(`Fetch API cannot load: ${url}`);
    const [status, replyHeaders, body] = await native.fetch(method, url, headers, content);
    const response = received(status, replyHeaders, body, url, redirects > 0);
    const location = response.headers.get("location");
    const isRedirect = [301, 302, 303, 307, 308].includes(status) && location !== null;
    if (!isRedirect || request.redirect === "manual") return response;
    if (request.redirect === "error") throw new TypeError("The response is a redirect, which the request does not want.");
    if (redirects === REDIRECTS_MAX) throw new TypeError("Too many redirects.");
    const next = new URL(location, url);
    if (status === 303 && method !== "HEAD" || (status === 301 || status === 302) && method === "POST") {
      method = "GET";
      content = null;
      headers = without(headers, ["content-type", "content-length", "content-encoding", "content-language", "content-location"]);
    }
    if (next.origin !== new URL(url).origin) headers = without(headers, ["authorization", "cookie"]);
    url = next.href;
  }
}

function without(raw, names) {
  const parts = raw.split("\n");
  let kept = "";
  for (let index = 0; index + 1 < parts.length; index += 2) {
    if (!names.includes(parts[index].toLowerCase())) kept += parts[index] + "\n" + parts[index + 1] + "\n";
  }
  return kept;
}
