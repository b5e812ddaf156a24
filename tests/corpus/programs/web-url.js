// URL.
//> GET /

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const parts = (url) => [url.href, url.origin, url.protocol, url.username, url.password, url.host, url.hostname, url.port, url.pathname, url.search, url.hash];
    await found.is("all parts", parts(new URL("https://user:pa%20ss@Example.COM:8443/a/../b/./c%20d?q=é&x#frag ment")));
    await found.is("with a base", parts(new URL("../other?y", "http://example.com/a/b/c?x")));
    await found.is("the default port", new URL("http://example.com:80/").href);
    await found.is("no path", new URL("http://example.com").href);
    await found.is("another host name", new URL("http://bücher.example/").host);
    await found.is("an address", new URL("http://0x7f.1/").host);
    await found.is("IPv6", new URL("http://[::1]:8080/").host);
    await found.is("another scheme", parts(new URL("mailto:someone@example.com")));
    await found.is("data", new URL("data:text/plain,hello").pathname);
    await found.refuses("no scheme", () => new URL("/path"));
    await found.refuses("no URL", () => new URL("http://"));
    await found.refuses("nothing", () => new URL());
    await found.is("canParse", [URL.canParse("http://a/"), URL.canParse("nothing"), URL.canParse("/a", "http://b/")]);
    await found.is("parse", [URL.parse("http://a/")?.href, URL.parse("nothing")]);
    const url = new URL("http://example.com/path");
    url.pathname = "/new path";
    url.search = "a=1";
    url.hash = "h";
    url.port = "81";
    url.protocol = "https";
    url.host = "other.example:82";
    url.username = "u";
    url.password = "p w";
    await found.is("changed", url.href);
    url.searchParams.append("b", "2 &");
    await found.is("by searchParams", url.href);
    url.search = "";
    await found.is("emptied", [url.href, [...url.searchParams].length]);
    url.href = "http://again.example/";
    await found.is("href", url.toString());
    await found.refuses("a bad href", () => { url.href = "no"; });
    await found.is("JSON", JSON.stringify({ url }));
    await found.is("as text", `${new URL("http://a/b c")}`);
    return found.response();
  },
};
