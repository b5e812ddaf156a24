// fetch: requests to the network.

import native from "dohost:native";
import { unlessAborted } from "dohost:abort";
import { isWhole, takeBody } from "dohost:body";
import { rawOf } from "dohost:headers";
import { leaving } from "dohost:outgoing";
import { Request } from "dohost:request";
import { received } from "dohost:response";
import { URL } from "dohost:url";
import { requireObject } from "dohost:websocket";

const REDIRECTS_MAX = 20;

export function fetch(input, init) {
  let request;
  try {
    request = new Request(input, init);
  } catch (error) {
    return Promise.reject(error);
  }
  return unlessAborted(init?.signal ?? (input instanceof Request ? input.signal : undefined), fromNetwork(request));
}

async function fromNetwork(request) {
  const send = async (method, url, headers, content) => {
    if (!/^https?:/.test(url)) throw new TypeError(`Fetch API cannot load: ${url}`);
    // The host is in the URL; a request that is passed on may still have another one.
    return native.fetch(method, url, without(headers, ["host"]), leaving(content));
  };
  if (/^websocket$/i.test(request.headers.get("upgrade") ?? "")) return upgraded(request);
  const content = takeBody(request);
  const [status, headers, body] = await send(request.method, request.url, rawOf(request.headers), content);
  return redirected(request, content, received(status, headers, body, request.url, false), send);
}

// The response comes with a WebSocket, if the server agrees.
async function upgraded(request) {
  requireObject();
  const url = request.url.replace(/^ws/, "http");
  if (!/^https?:/.test(url)) throw new TypeError(`Fetch API cannot load: ${request.url}`);
  const [status, headers, body, socket] = await native.wsConnect(request.method, url, without(rawOf(request.headers), ["host"]));
  return received(status, headers, body, request.url, false, socket ?? null);
}

// Follows the redirect that a response may be, if its request wants that. `send` gives status, headers and body.
export function redirected(request, content, response, send) {
  if (!isRedirect(response) || request.redirect === "manual") return response;
  if (request.redirect === "error") throw new TypeError("The response is a redirect, which the request does not want.");
  return follow(request, content, response, send);
}

const isRedirect = (response) => [301, 302, 303, 307, 308].includes(response.status) && response.headers.has("location");

async function follow(request, content, response, send) {
  let { method, url } = request;
  let headers = rawOf(request.headers);
  for (let redirects = 0; isRedirect(response); redirects++) {
    if (redirects === REDIRECTS_MAX) throw new TypeError("Too many redirects.");
    const next = new URL(response.headers.get("location"), url);
    const { status } = response;
    if (status === 303 && method !== "HEAD" || (status === 301 || status === 302) && method === "POST") {
      method = "GET";
      content = null;
      headers = without(headers, ["content-type", "content-length", "content-encoding", "content-language", "content-location"]);
    }
    if (!isWhole(content)) {
      throw new TypeError("A request with a one-time-use body (it was initialized from a stream, not a buffer) encountered a redirect requiring the body to be retransmitted. To avoid this error in the future, construct this request from a buffer-like body initializer.");
    }
    if (next.origin !== new URL(url).origin) headers = without(headers, ["authorization", "cookie"]);
    url = next.href;
    const [nextStatus, nextHeaders, body] = await send(method, url, headers, content);
    response = received(nextStatus, nextHeaders, body, url, true);
  }
  return response;
}

function without(raw, names) {
  const parts = raw.split("\n");
  let kept = "";
  for (let index = 0; index + 1 < parts.length; index += 2) {
    if (!names.includes(parts[index].toLowerCase())) kept += parts[index] + "\n" + parts[index + 1] + "\n";
  }
  return kept;
}
