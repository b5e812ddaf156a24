//! What makes a component a Worker: the handler of `wasi:http`, which calls the function with `#[event(fetch)]`.
//!
//! Bodies are collected before the function is called, and sent as a whole. A Worker that has to stream them uses
//! `wasi:http` itself.

use std::pin::Pin;

use crate::bindings::dohost::object::types;
use crate::bindings::wasi::http::types::{self as http, ErrorCode, Fields};
use crate::bindings::{wit_future, wit_stream};
use crate::{Env, Request, Response, Result, log};

/// A body of more bytes is answered with 413.
const BODY_BYTES_MAX: usize = 16 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// What a Worker may do beside its reply.
#[derive(Clone, Debug)]
pub struct Context {
    _private: (),
}

impl Context {
    /// Goes on with `work` when the reply has left.
    pub fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        wit_bindgen::spawn_local(work);
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<Response>>>>;

/// The handler, as the component exports it: `fetch` is the function with `#[event(fetch)]`.
pub async fn handle(
    request: http::Request,
    fetch: fn(Request, Env, Context) -> Answer,
) -> Result<http::Response, ErrorCode> {
    log::panics_too();
    let response = match collect(request).await? {
        None => Response::error("The body is too large.\n", 413),
        Some(request) => fetch(request, Env::new(), Context { _private: () }).await,
    };
    let response = response.or_else(|error| {
        log::error(&format!("the Worker failed: {error}"));
        Response::error("Internal Server Error\n", 500)
    });
    send(response.map_err(|error| ErrorCode::InternalError(Some(error.to_string())))?)
}

/// The request with its body; none if that is too large.
async fn collect(request: http::Request) -> Result<Option<Request>, ErrorCode> {
    let target = request.get_path_with_query().unwrap_or_default();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    };
    let headers = request.get_headers().copy_all();
    let scheme = match request.get_scheme() {
        Some(http::Scheme::Https) => "https".to_owned(),
        Some(http::Scheme::Other(scheme)) => scheme,
        Some(http::Scheme::Http) | None => "http".to_owned(),
    };
    let mut whole = types::Request {
        method: method(request.get_method()),
        scheme,
        authority: request.get_authority().unwrap_or_default(),
        path: if path.is_empty() { "/".to_owned() } else { path },
        query,
        headers: headers.into_iter().map(|(name, value)| types::Header { name, value }).collect(),
        body: Vec::new(),
    };
    let (_, received) = wit_future::new(|| Ok(()));
    let (mut reader, end) = http::Request::consume_body(request, received);
    loop {
        let (_, bytes) = reader.read(Vec::with_capacity(READ_BYTES)).await;
        if bytes.is_empty() {
            break;
        }
        whole.body.extend(bytes);
        if whole.body.len() > BODY_BYTES_MAX {
            return Ok(None);
        }
    }
    end.await?;
    Ok(Some(whole.into()))
}

fn method(method: http::Method) -> String {
    let name = match method {
        http::Method::Get => "GET",
        http::Method::Head => "HEAD",
        http::Method::Post => "POST",
        http::Method::Put => "PUT",
        http::Method::Delete => "DELETE",
        http::Method::Connect => "CONNECT",
        http::Method::Options => "OPTIONS",
        http::Method::Trace => "TRACE",
        http::Method::Patch => "PATCH",
        http::Method::Other(method) => return method,
    };
    name.to_owned()
}

fn send(response: Response) -> Result<http::Response, ErrorCode> {
    let types::Response { status, headers, body } = response.into_wire();
    let wrong = |what: String| ErrorCode::InternalError(Some(what));
    let connection = |name: &str| {
        ["connection", "keep-alive", "transfer-encoding", "upgrade", "content-length"]
            .iter()
            .any(|other| name.eq_ignore_ascii_case(other))
    };
    let mut fields: Vec<(String, Vec<u8>)> = headers.into_iter().map(|header| (header.name, header.value)).collect();
    fields.retain(|(name, _)| !connection(name));
    fields.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    let fields = Fields::from_list(&fields).map_err(|error| wrong(format!("a header is wrong: {error:?}")))?;

    // The body flows after the head was returned, so a task of its own feeds it. No trailers follow it.
    let (mut body_in, body_out) = wit_stream::new();
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    wit_bindgen::spawn_local(async move {
        body_in.write_all(body).await;
    });
    let (response, _sent) = http::Response::new(fields, Some(body_out), no_trailers);
    response.set_status_code(status).map_err(|()| wrong(format!("{status} is no status")))?;
    Ok(response)
}
