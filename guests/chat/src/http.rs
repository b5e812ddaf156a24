//! Bodies of requests, and responses, in the terms of `wasi:http`.

use serde_json::{Value as Json, json};

use crate::wasi::http::types::{Fields, Request, Response};
use crate::{wit_future, wit_stream};

/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;

pub fn is_json(request: &Request) -> bool {
    let types = request.get_headers().get("content-type");
    let first = types.first().and_then(|value| str::from_utf8(value).ok()).unwrap_or_default();
    first.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// The whole body, if it is not too long.
pub async fn read(request: Request, most: usize) -> Result<Vec<u8>, Response> {
    let (_, received) = wit_future::new(|| Ok(()));
    let (mut reader, end) = Request::consume_body(request, received);
    let mut body = Vec::new();
    loop {
        let (_, bytes) = reader.read(Vec::with_capacity(READ_BYTES)).await;
        if bytes.is_empty() {
            break;
        }
        body.extend(bytes);
        if body.len() > most {
            return Err(error(413, &format!("the body has more than {most} bytes")));
        }
    }
    end.await.map_err(|_| error(400, "the body broke off"))?;
    Ok(body)
}

pub fn html(page: &str) -> Response {
    // Whatever the page shows, only its own script runs, and nobody frames it.
    let policy = "default-src 'self' 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [("content-type", "text/html; charset=utf-8"), ("content-security-policy", policy)];
    response(200, &headers, page.as_bytes().to_vec())
}

pub fn json(status: u16, value: &Json) -> Response {
    response(status, &[("content-type", "application/json")], value.to_string().into_bytes())
}

pub fn error(status: u16, text: &str) -> Response {
    json(status, &json!({ "error": text }))
}

/// An error that passes.
pub fn later(status: u16, text: &str, seconds: u32) -> Response {
    let headers = [("content-type", "application/json"), ("retry-after", &seconds.to_string())];
    response(status, &headers, json!({ "error": text }).to_string().into_bytes())
}

fn response(status: u16, headers: &[(&str, &str)], body: Vec<u8>) -> Response {
    let mut fields: Vec<(String, Vec<u8>)> =
        headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    fields.push(("content-length".to_string(), body.len().to_string().into_bytes()));
    let fields = Fields::from_list(&fields).expect("these headers are well-formed and allowed");

    // The body flows after the head was returned, so a task of its own feeds it. No trailers follow it.
    let (mut body_in, body_out) = wit_stream::new();
    let (_, no_trailers) = wit_future::new(|| Ok(None));
    wit_bindgen::spawn_local(async move {
        body_in.write_all(body).await;
    });
    let (response, _sent) = Response::new(fields, Some(body_out), no_trailers);
    response.set_status_code(status).expect("a status");
    response
}
