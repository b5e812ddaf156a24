//! Requests and responses. Bodies are whole: an object gets a request when its body has arrived.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::dohost::object::types;
use crate::{Error, Result};

/// A request that reaches an object or a Worker, or that one sends.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    query: Option<String>,
    headers: Headers,
    body: Vec<u8>,
}

/// A reply.
#[derive(Clone, Debug)]
pub struct Response {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
}

/// Headers, in order. Names are compared without their case.
#[derive(Clone, Debug, Default)]
pub struct Headers {
    entries: Vec<types::Header>,
}

impl Request {
    /// A request without headers and body. `url` is a whole one: `https://example.com/path?a=b`.
    pub fn new(method: impl Into<String>, url: &str) -> Result<Request> {
        let wrong = || Error::new(format!("not a whole URL: {url}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if scheme.is_empty() || authority.is_empty() {
            return Err(wrong());
        }
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Ok(Request {
            method: method.into(),
            scheme: scheme.to_ascii_lowercase(),
            authority: authority.to_owned(),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
            query,
            headers: Headers::default(),
            body: Vec::new(),
        })
    }

    /// A GET.
    pub fn get(url: &str) -> Result<Request> {
        Request::new("GET", url)
    }

    /// A POST with this body.
    pub fn post(url: &str, body: impl Into<Vec<u8>>) -> Result<Request> {
        Ok(Request::new("POST", url)?.with_body(body))
    }

    /// A POST with this value as JSON.
    pub fn post_json(url: &str, value: &impl Serialize) -> Result<Request> {
        Ok(Request::post(url, serde_json::to_vec(value)?)?.with_header("content-type", "application/json"))
    }

    /// The method, upper case: `GET`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, percent-encoded as it came. An object behind `/{class}/{name}/{path}` sees `/{path}`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What follows the first `?`, percent-encoded as it came.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The parameters of the query, decoded, in their order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_urlencoded::parse(self.query.as_deref().unwrap_or_default().as_bytes())
    }

    /// The first parameter of the query with this name, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The whole URL.
    pub fn url(&self) -> String {
        let query = self.query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        format!("{}://{}{}{query}", self.scheme, self.authority, self.path)
    }

    pub(crate) fn into_wire(self) -> types::Request {
        let Request { method, scheme, authority, path, query, headers, body } = self;
        types::Request { method, scheme, authority, path, query, headers: headers.entries, body }
    }
}

impl From<types::Request> for Request {
    fn from(request: types::Request) -> Request {
        let types::Request { method, scheme, authority, path, query, headers, body } = request;
        Request { method, scheme, authority, path, query, headers: Headers { entries: headers }, body }
    }
}

impl Response {
    /// A response without headers and body.
    pub fn empty(status: u16) -> Response {
        Response { status, headers: Headers::default(), body: Vec::new() }
    }

    /// 200 with text.
    pub fn ok(text: impl Into<String>) -> Result<Response> {
        Response::from_text(200, text.into())
    }

    /// Text with the status of an error, 400 to 599.
    pub fn error(text: impl Into<String>, status: u16) -> Result<Response> {
        if !(400..600).contains(&status) {
            return Err(Error::new(format!("{status} is not the status of an error")));
        }
        Response::from_text(status, text.into())
    }

    /// 200 with this value as JSON.
    pub fn from_json(value: &impl Serialize) -> Result<Response> {
        let body = serde_json::to_vec(value)?;
        Ok(Response::empty(200).with_body(body).with_header("content-type", "application/json"))
    }

    /// 200 with a page.
    pub fn from_html(html: impl Into<String>) -> Result<Response> {
        let body = html.into();
        Ok(Response::empty(200).with_body(body).with_header("content-type", "text/html; charset=utf-8"))
    }

    /// 200 with bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Response> {
        Ok(Response::empty(200).with_body(bytes).with_header("content-type", "application/octet-stream"))
    }

    fn from_text(status: u16, text: String) -> Result<Response> {
        Ok(Response::empty(status).with_body(text).with_header("content-type", "text/plain; charset=utf-8"))
    }

    /// The same with another status.
    pub fn with_status(mut self, status: u16) -> Response {
        self.status = status;
        self
    }

    /// The status, 200 to 599.
    pub fn status_code(&self) -> u16 {
        self.status
    }

    pub(crate) fn into_wire(self) -> types::Response {
        types::Response { status: self.status, headers: self.headers.entries, body: self.body }
    }
}

impl From<types::Response> for Response {
    fn from(response: types::Response) -> Response {
        let types::Response { status, headers, body } = response;
        Response { status, headers: Headers { entries: headers }, body }
    }
}

/// What both have: headers and a body.
macro_rules! headers_and_body {
    ($message:ident) => {
        impl $message {
            /// The same with one header more.
            pub fn with_header(mut self, name: &str, value: &str) -> $message {
                self.headers.append(name, value);
                self
            }

            /// The same with this body.
            pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> $message {
                self.body = body.into();
                self
            }

            /// The headers.
            pub fn headers(&self) -> &Headers {
                &self.headers
            }

            /// The headers, to be changed.
            pub fn headers_mut(&mut self) -> &mut Headers {
                &mut self.headers
            }

            /// The body.
            pub fn bytes(&self) -> &[u8] {
                &self.body
            }

            /// The body as text.
            pub fn text(&self) -> Result<&str> {
                Ok(str::from_utf8(&self.body)?)
            }

            /// The body as JSON.
            pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
                Ok(serde_json::from_slice(&self.body)?)
            }
        }
    };
}

headers_and_body!(Request);
headers_and_body!(Response);

impl Headers {
    /// The first header with this name, if it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let header = self.entries.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        str::from_utf8(&header.value).ok()
    }

    /// Whether there is a header with this name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|header| header.name.eq_ignore_ascii_case(name))
    }

    /// All headers, with their values as bytes.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries.iter().map(|header| (header.name.as_str(), header.value.as_slice()))
    }

    /// Adds a header beside those that have this name.
    pub fn append(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.entries.push(types::Header { name: name.to_owned(), value: value.as_ref().to_vec() });
    }

    /// Makes this the only header with this name.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.delete(name);
        self.append(name, value);
    }

    /// Removes all headers with this name.
    pub fn delete(&mut self, name: &str) {
        self.entries.retain(|header| !header.name.eq_ignore_ascii_case(name));
    }
}
