//! Requests and replies on their way in and out, their bodies whole or streamed: between the shapes of the interfaces and those
//! that `js/` knows.
//!
//! To `js/` a body is bytes, or the number of one that the host has (`host/bodies.rs`). From there it comes as text, bytes or
//! null, as the number of a stream that JavaScript makes (`js/outgoing.js`), or as `{ host: number }` for one of the host's
//! that nobody has read, which passes through without entering JavaScript.

use rquickjs::{Array, Ctx, IntoJs, Result as JsResult, Value};

use crate::dohost::object::mixed::{MixedRequest, MixedResponse};
use crate::dohost::object::types::{Request as Record, Response as ResponseRecord};
use crate::engine::{self, Hook};
use crate::host::{joined, keep_body, keep_response_body, split, take_body, url_parts};
use crate::wasi::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use crate::{answer, bytes, wit_future, wit_stream};

/// What `wasi:http` has elsewhere, or keeps for itself.
const NOT_AMONG_FIELDS: [&str; 10] = [
    "connection",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A body that leaves.
pub enum Body {
    Whole(Vec<u8>),
    /// Of this number in `js/outgoing.js`.
    Made(u32),
    /// Of the host, and not read: taken at once, as JavaScript lets go of what it does not need any more.
    Passed(Reader, End),
}

impl Body {
    fn of(value: &Value<'_>) -> JsResult<Body> {
        if let Some(number) = value.as_number() {
            return Ok(Body::Made(number as u32));
        }
        if let Some(bytes) = bytes::of_body(value) {
            return Ok(Body::Whole(bytes));
        }
        match value.as_object().filter(|object| object.contains_key("host").unwrap_or(false)) {
            Some(object) => {
                let taken = take_body(object.get("host")?);
                Ok(taken.map_or(Body::Whole(Vec::new()), |(reader, end)| Body::Passed(reader, end)))
            }
            None => Ok(Body::Whole(Vec::new())),
        }
    }
}

/// What `js/main.js` gives for a request.
pub enum Reply {
    Response {
        status: u16,
        headers: String,
        body: Body,
    },
    /// The exception in words.
    Failed(String),
}

impl Reply {
    /// Of status, headers and body, or of words.
    pub fn of(value: &Value<'_>) -> Reply {
        if let Some(exception) = value.as_string() {
            return Reply::Failed(exception.to_string().unwrap_or_default());
        }
        let read = || -> JsResult<Reply> {
            let parts: Array<'_> = value.get()?;
            let body: Value<'_> = parts.get(2)?;
            Ok(Reply::Response { status: parts.get(0)?, headers: parts.get(1)?, body: Body::of(&body)? })
        };
        read().unwrap_or_else(|error| Reply::Failed(error.to_string()))
    }

    /// For an object: a whole body is left as it is.
    pub fn mixed(self) -> Result<MixedResponse, String> {
        match self {
            Reply::Failed(exception) => Err(exception),
            Reply::Response { status, headers, body: Body::Whole(body) } => {
                Ok(MixedResponse::Whole(ResponseRecord { status, headers: split(&headers), body }))
            }
            Reply::Response { status, headers, body } => {
                response(status, &headers, body).map(MixedResponse::Streamed).map_err(|error| in_words(&error))
            }
        }
    }

    /// For a Worker.
    pub fn streamed(self) -> Result<Response, ErrorCode> {
        match self {
            Reply::Failed(exception) => Err(ErrorCode::InternalError(Some(exception))),
            Reply::Response { status, headers, body } => response(status, &headers, body),
        }
    }
}

fn in_words(error: &ErrorCode) -> String {
    match error {
        ErrorCode::InternalError(Some(text)) => text.clone(),
        other => format!("{other:?}"),
    }
}

/// A request that came, as `js/main.js` takes it.
pub struct Incoming {
    method: String,
    url: String,
    headers: String,
    body: IncomingBody,
}

enum IncomingBody {
    Whole(Vec<u8>),
    Kept(u32),
}

impl Incoming {
    pub fn of_record(request: Record) -> Incoming {
        let headers = request.headers.iter().map(|header| (header.name.as_str(), header.value.as_slice()));
        let headers = joined(headers);
        let mut url = format!("{}://{}{}", request.scheme, request.authority, request.path);
        if let Some(query) = &request.query {
            url.push('?');
            url.push_str(query);
        }
        Incoming { method: request.method, url, headers, body: IncomingBody::Whole(request.body) }
    }

    pub fn of_stream(request: Request) -> Incoming {
        let method = method_name(request.get_method());
        let scheme = if matches!(request.get_scheme(), Some(Scheme::Https)) { "https" } else { "http" };
        let authority = request.get_authority().unwrap_or_default();
        let target = request.get_path_with_query().unwrap_or_default();
        let url = format!("{scheme}://{authority}{target}");
        let fields = request.get_headers().copy_all();
        // The host is no header of `wasi:http`, and one that programs look at.
        let host = std::iter::once(("host", authority.as_bytes()));
        let headers = joined(host.chain(fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))));
        Incoming { method, url, headers, body: IncomingBody::Kept(keep_body(request)) }
    }

    /// Calls the hook with method, URL, headers and body.
    pub fn hand_to<'js>(self, ctx: &Ctx<'js>, hook: Hook) -> JsResult<Value<'js>> {
        let body = match self.body {
            IncomingBody::Whole(body) if body.is_empty() => Value::new_null(ctx.clone()),
            IncomingBody::Whole(body) => bytes::array(ctx, body)?,
            IncomingBody::Kept(number) => Value::new_number(ctx.clone(), number.into()),
        };
        engine::call(ctx, hook, (self.method, self.url, self.headers, body))
    }
}

fn method_name(method: Method) -> String {
    match method {
        Method::Get => "GET".to_string(),
        Method::Head => "HEAD".to_string(),
        Method::Post => "POST".to_string(),
        Method::Put => "PUT".to_string(),
        Method::Delete => "DELETE".to_string(),
        Method::Connect => "CONNECT".to_string(),
        Method::Options => "OPTIONS".to_string(),
        Method::Trace => "TRACE".to_string(),
        Method::Patch => "PATCH".to_string(),
        Method::Other(method) => method,
    }
}

fn method_of(name: String) -> Method {
    match name.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        _ => Method::Other(name),
    }
}

/// A request that leaves, to an object: one with a whole body is left whole.
pub fn request(method: String, url: &str, headers: &str, body: &Value<'_>) -> JsResult<Result<MixedRequest, String>> {
    Ok(match Body::of(body)? {
        Body::Whole(body) => Ok(MixedRequest::Whole(record(method, url, headers, body))),
        body => streamed(method, url, headers, body).map(MixedRequest::Streamed).map_err(|error| in_words(&error)),
    })
}

/// A request that leaves, to the network.
pub fn streamed_request(
    method: String,
    url: &str,
    headers: &str,
    body: &Value<'_>,
) -> JsResult<Result<Request, String>> {
    Ok(streamed(method, url, headers, Body::of(body)?).map_err(|error| in_words(&error)))
}

fn streamed(method: String, url: &str, headers: &str, body: Body) -> Result<Request, ErrorCode> {
    let parts = url_parts(url);
    let fields = fields(headers)?;
    tell_length(&fields, &body);
    let (contents, end) = contents(body);
    let (request, _) = Request::new(fields, contents, end, None);
    let wrong = |()| ErrorCode::HttpRequestUriInvalid;
    request.set_method(&method_of(method)).map_err(|()| ErrorCode::HttpRequestMethodInvalid)?;
    request.set_scheme(Some(&if parts.scheme == "https" { Scheme::Https } else { Scheme::Http })).map_err(wrong)?;
    request.set_authority(Some(parts.authority)).map_err(wrong)?;
    let target = parts.query.map_or_else(|| parts.path.to_string(), |query| format!("{}?{query}", parts.path));
    request.set_path_with_query(Some(&target)).map_err(wrong)?;
    Ok(request)
}

/// The length of a body, where it is known.
fn tell_length(fields: &Fields, body: &Body) {
    if let Body::Whole(body) = body
        && !body.is_empty()
        && !fields.has("content-length")
    {
        // Cannot fail: a header of this name is allowed.
        let _ = fields.set("content-length", &[body.len().to_string().into_bytes()]);
    }
}

/// A request with a whole body; `url` is one that was parsed before, so it has a scheme and an authority.
pub fn record(method: String, url: &str, headers: &str, body: Vec<u8>) -> Record {
    let parts = url_parts(url);
    Record {
        method,
        scheme: parts.scheme.to_string(),
        authority: parts.authority.to_string(),
        path: parts.path.to_string(),
        query: parts.query.map(str::to_string),
        headers: split(headers),
        body,
    }
}

/// A response that came: status, headers, and bytes or the number of a body.
pub fn received<'js>(ctx: &Ctx<'js>, response: MixedResponse) -> JsResult<Value<'js>> {
    let parts = Array::new(ctx.clone())?;
    match response {
        MixedResponse::Whole(response) => {
            parts.set(0, response.status)?;
            let headers = response.headers.iter().map(|header| (header.name.as_str(), header.value.as_slice()));
            parts.set(1, joined(headers))?;
            parts.set(2, bytes::array(ctx, response.body)?)?;
        }
        MixedResponse::Streamed(response) => {
            parts.set(0, response.get_status_code())?;
            let fields = response.get_headers().copy_all();
            parts.set(1, joined(fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))))?;
            parts.set(2, keep_response_body(response))?;
        }
    }
    parts.into_js(ctx)
}

fn response(status: u16, headers: &str, body: Body) -> Result<Response, ErrorCode> {
    let fields = fields(headers)?;
    tell_length(&fields, &body);
    let (contents, end) = contents(body);
    let (response, _) = Response::new(fields, contents, end);
    match response.set_status_code(status) {
        Ok(()) => Ok(response),
        Err(()) => Err(ErrorCode::InternalError(Some(format!("{status} is no status of a response")))),
    }
}

type Reader = wit_bindgen::StreamReader<u8>;
type End = wit_bindgen::FutureReader<Result<Option<Fields>, ErrorCode>>;

/// A body as the host takes it, and how it ends. What has to be written is written by a task.
fn contents(body: Body) -> (Option<Reader>, End) {
    let number = match body {
        Body::Passed(reader, end) => return (Some(reader), end),
        Body::Whole(body) if body.is_empty() => return (None, ended()),
        Body::Whole(body) => {
            let (mut writer, contents) = wit_stream::new();
            wit_bindgen::spawn_local(async move {
                writer.write_all(body).await;
            });
            return (Some(contents), ended());
        }
        Body::Made(number) => number,
    };
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (mut writer, contents) = wit_stream::new();
    wit_bindgen::spawn_local(async move {
        loop {
            let chunk = answer::wait(|ctx| engine::call(ctx, Hook::next_chunk, (number,)), |_, value| chunk(&value));
            match chunk.await {
                Chunk::Bytes(bytes) => {
                    if !writer.write_all(bytes).await.is_empty() {
                        // Nobody reads any more.
                        answer::wait(|ctx| engine::call(ctx, Hook::drop_stream, (number,)), |_, _| ()).await;
                        return;
                    }
                }
                Chunk::End => return,
                Chunk::Failed(why) => {
                    let failed = end.write(Err(ErrorCode::InternalError(Some(why))));
                    drop(writer);
                    let _ = failed.await;
                    return;
                }
            }
        }
    });
    (Some(contents), trailers)
}

fn ended() -> End {
    wit_future::new(|| Ok(None)).1
}

enum Chunk {
    Bytes(Vec<u8>),
    End,
    Failed(String),
}

/// Bytes, null at the end, or the text of an error.
fn chunk(value: &Value<'_>) -> Chunk {
    if let Some(why) = value.as_string() {
        return Chunk::Failed(why.to_string().unwrap_or_default());
    }
    bytes::of_body(value).map_or(Chunk::End, Chunk::Bytes)
}

fn fields(headers: &str) -> Result<Fields, ErrorCode> {
    let headers = split(headers).into_iter().map(|header| (header.name, header.value));
    let headers: Vec<_> = headers.filter(|(name, _)| !NOT_AMONG_FIELDS.contains(&name.as_str())).collect();
    Fields::from_list(&headers)
        .map_err(|error| ErrorCode::InternalError(Some(format!("the message's headers: {error:?}"))))
}
