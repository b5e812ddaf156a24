// What the Worker does not catch is a 500; the next request is served.
//> GET /throw
//> GET /reject
//> GET /

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/throw") throw new Error("thrown by the Worker");
    if (pathname === "/reject") await Promise.reject(new TypeError("rejected"));
    return new Response("fine");
  },
};
