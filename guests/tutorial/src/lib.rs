//! The Worker of Cloudflare's counter tutorial.
//!
//! A Worker is an ordinary HTTP component that stands in front of the objects. This one picks a counter by the name in
//! the query and hands the request on to it:
//!
//! ```text
//! $ dohost serve counter.wasm --worker tutorial.wasm
//! $ curl 'localhost:8787/increment?name=A'
//! Durable Object 'A' count: 1
//! ```
//!
//! It hands on the method and the path. Headers and body stay behind, a counter does not look at them.

use dohost::object::namespace::{self, CallError};
use dohost::object::types as object;
use exports::wasi::http::handler::Guest;
use wasi::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};

wit_bindgen::generate!({ world: "worker", path: "../../wit", generate_all });

/// The class that the counters belong to: the name under which the host serves `counter.wasm`.
const CLASS: &str = "counter";

const USAGE: &str = "Select a Durable Object to contact by using the `name` URL query string parameter. e.g. ?name=A";

struct Tutorial;

export!(Tutorial);

impl Guest for Tutorial {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let Some(name) = name_in(query) else {
            return text(200, USAGE.as_bytes().to_vec());
        };

        // A stub is made at once and asks nobody; the object starts with the first call.
        let counter = match namespace::get_by_name(CLASS, &name) {
            Ok(stub) => stub,
            Err(error) => return text(500, error.to_string().into_bytes()),
        };
        match counter.fetch(for_object(&request, path)).await {
            Ok(reply) if reply.status == 200 => {
                let count = String::from_utf8_lossy(&reply.body);
                text(200, format!("Durable Object '{name}' count: {count}").into_bytes())
            }
            Ok(reply) => text(reply.status, reply.body),
            Err(error) => text(status_of(&error), error.message.into_bytes()),
        }
    }
}

/// The value of the first `name` in a query, with `%41` and `+` decoded.
fn name_in(query: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(query.as_bytes());
    parameters.find(|(key, _)| key == "name").map(|(_, name)| name.into_owned())
}

/// The request as the object gets to see it.
fn for_object(request: &Request, path: &str) -> object::Request {
    let method = match request.get_method() {
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
    };
    let scheme = match request.get_scheme() {
        Some(Scheme::Https) => "https".to_string(),
        Some(Scheme::Other(scheme)) => scheme,
        Some(Scheme::Http) | None => "http".to_string(),
    };
    object::Request {
        method,
        scheme,
        authority: request.get_authority().unwrap_or_default(),
        path: if path.is_empty() { "/".to_string() } else { path.to_string() },
        query: None,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// An object that has too much to do is worth another try later; anything else went wrong.
fn status_of(error: &CallError) -> u16 {
    if error.overloaded { 503 } else { 500 }
}

/// A reply of plain text.
fn text(status: u16, body: Vec<u8>) -> Result<Response, ErrorCode> {
    let headers = [
        ("content-type".to_string(), b"text/plain".to_vec()),
        ("content-length".to_string(), body.len().to_string().into_bytes()),
    ];
    let headers = Fields::from_list(&headers).expect("these headers are well-formed and allowed");

    // The body flows after this function has returned, so a task of its own feeds it. No trailers follow it.
    let (mut body_in, body_out) = wit_stream::new();
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    wit_bindgen::spawn_local(async move {
        body_in.write_all(body).await;
    });

    let (response, _sent) = Response::new(headers, Some(body_out), no_trailers);
    response.set_status_code(status).map_err(|()| ErrorCode::InternalError(Some(format!("status {status}"))))?;
    Ok(response)
}
