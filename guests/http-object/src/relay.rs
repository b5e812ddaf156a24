//! Bodies that go through: from the client, to an object, to the network.
//!
//! | path | reply |
//! | --- | --- |
//! | `/echo` | the body of the request, handed on unread |
//! | `/copy` | the same, read and written again |
//! | `/count` | how many bytes the body has, and how it ended |
//! | `/source?bytes=` | so many bytes; `at-once=` of them at a time |
//! | `/call?class=&name=&path=` | what the object replies, bodies streamed both ways |
//! | `/call-whole?class=&name=&path=` | the same as records |
//! | `/send?url=` | what the network replies, bodies streamed both ways |

use crate::dohost::object::namespace::{self, CallError, Stub};
use crate::dohost::object::{streaming, types as whole};
use crate::http::{Incoming, Query, response, text};
use crate::wasi::http::client;
use crate::wasi::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};

/// Bytes that `/source` writes at once.
const AT_ONCE_BYTES: usize = 64 << 10;

pub async fn handle(path: &str, query: &Query, request: Request) -> Result<Response, ErrorCode> {
    match path {
        "/echo" => Ok(echo(request)),
        "/copy" => Ok(copy(request)),
        "/count" => Ok(count(request).await),
        "/source" => Ok(source(query)),
        "/call" => call(request, query).await,
        "/call-whole" => call_whole(request, query).await,
        "/send" => send(request, query).await,
        _ => Ok(text(404, "Not found")),
    }
}

fn echo(request: Request) -> Response {
    let Incoming { reader, end } = Incoming::of_request(request);
    Response::new(Fields::new(), Some(reader), end).0
}

fn copy(request: Request) -> Response {
    let mut incoming = Incoming::of_request(request);
    let (response, mut body) = response(200, Fields::new());
    wit_bindgen::spawn_local(async move {
        while let Some(bytes) = incoming.read().await {
            if !body.write(bytes).await {
                return;
            }
        }
        if let Err(code) = incoming.end.await {
            body.fail(code).await;
        }
    });
    response
}

async fn count(request: Request) -> Response {
    let mut incoming = Incoming::of_request(request);
    let mut count = 0;
    while let Some(bytes) = incoming.read().await {
        count += bytes.len();
    }
    match incoming.end.await {
        Ok(_) => text(200, format!("{count} bytes")),
        Err(code) => text(200, format!("{count} bytes, then {code:?}")),
    }
}

fn source(query: &Query) -> Response {
    let mut left: usize = query.number("bytes").unwrap_or(0);
    let at_once = query.number("at-once").unwrap_or(AT_ONCE_BYTES);
    let (response, mut body) = response(200, Fields::new());
    wit_bindgen::spawn_local(async move {
        while left > 0 && body.write(vec![b'x'; left.min(at_once)]).await {
            left = left.saturating_sub(at_once);
        }
    });
    response
}

fn stub(query: &Query) -> Result<Stub, Response> {
    let (class, name) = (query.get("class").unwrap_or_default(), query.get("name").unwrap_or_default());
    namespace::get_by_name(class, name).map_err(|error| text(500, format!("{error:?}")))
}

/// The request with another target.
fn to(request: Request, scheme: Scheme, authority: &str, target: &str) -> Request {
    let method = request.get_method();
    let headers = request.get_headers().clone();
    let Incoming { reader, end } = Incoming::of_request(request);
    let (request, _) = Request::new(headers, Some(reader), end, None);
    request.set_method(&method).expect("it was one");
    request.set_scheme(Some(&scheme)).expect("a scheme");
    request.set_authority(Some(authority)).expect("an authority");
    request.set_path_with_query(Some(target)).expect("a path");
    request
}

async fn call(request: Request, query: &Query) -> Result<Response, ErrorCode> {
    let stub = match stub(query) {
        Ok(stub) => stub,
        Err(response) => return Ok(response),
    };
    let request = to(request, Scheme::Http, "object.test", query.get("path").unwrap_or("/"));
    Ok(streaming::fetch(&stub, request).await.unwrap_or_else(|error| failed(&error)))
}

async fn call_whole(request: Request, query: &Query) -> Result<Response, ErrorCode> {
    let stub = match stub(query) {
        Ok(stub) => stub,
        Err(response) => return Ok(response),
    };
    let target = query.get("path").unwrap_or("/");
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let request = whole::Request {
        method: if matches!(request.get_method(), Method::Post) { "POST" } else { "GET" }.to_string(),
        scheme: "http".to_string(),
        authority: "object.test".to_string(),
        path: path.to_string(),
        query: query.map(str::to_string),
        headers: Vec::new(),
        body: Incoming::of_request(request).read_all().await?,
    };
    match stub.fetch(request).await {
        Ok(reply) => {
            let (response, mut body) = response(reply.status, Fields::new());
            wit_bindgen::spawn_local(async move {
                body.write(reply.body).await;
            });
            Ok(response)
        }
        Err(error) => Ok(failed(&error)),
    }
}

fn failed(error: &CallError) -> Response {
    let CallError { message, remote, retryable, overloaded } = error;
    text(500, format!("remote {remote}, retryable {retryable}, overloaded {overloaded}: {message}"))
}

pub async fn send(request: Request, query: &Query) -> Result<Response, ErrorCode> {
    let url = query.get("url").unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let request = to(request, scheme, authority, if target.is_empty() { "/" } else { target });
    match client::send(request).await {
        Ok(response) => Ok(response),
        Err(code) => Ok(text(502, format!("{code:?}"))),
    }
}
