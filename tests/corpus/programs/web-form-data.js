// FormData: as bodies, both forms, and what is in them.
//> POST /urlencoded -H content-type:application/x-www-form-urlencoded -d a=1&b=x+y%21&a=2
//> POST /multipart -H content-type:multipart/form-data;boundary=XX -d "--XX\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue é\r\n--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/x-thing\r\n\r\nline 1\r\nline 2\r\n--XX--\r\n"
//> POST /none -H content-type:text/plain -d a=1
//> GET /made

import { Transcript } from "./lib/transcript.js";

export default {
  async fetch(request, env, ctx) {
    const found = new Transcript();
    const { pathname } = new URL(request.url);
    if (pathname === "/made") {
      const form = new FormData();
      form.append("a", "1");
      form.append("a", "2");
      form.append("b", 3);
      form.set("c", "x");
      form.set("c", "y");
      await found.is("get", [form.get("a"), form.get("b"), form.get("none")]);
      await found.is("getAll", form.getAll("a"));
      await found.is("has", [form.has("a"), form.has("none")]);
      await found.is("entries", [...form]);
      form.delete("b");
      await found.is("keys", [...form.keys()]);
      form.append("file", new Blob(["content"], { type: "text/x" }), "name.txt");
      const file = form.get("file");
      await found.is("a file", [file instanceof File, file.name, file.type, file.size, await file.text()]);
      const response = new Response(form);
      await found.is("its type", response.headers.get("content-type").startsWith("multipart/form-data; boundary="));
      const again = await response.formData();
      await found.is("there and back", [...again].map(([name, value]) => [name, typeof value === "string" ? value : [value.name, value.type]]));
    } else {
      try {
        const form = await request.formData();
        for (const [name, value] of form) {
          await found.is(name, typeof value === "string" ? value : [value.name, value.type, await value.text()]);
        }
      } catch (error) {
        found.note(`throws ${error.name}`);
      }
    }
    return found.response();
  },
};
