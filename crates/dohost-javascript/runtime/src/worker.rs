//! The export of a Worker: requests and responses of `wasi:http`, with streamed bodies.

use rquickjs::{Array, Result as JsResult, Value};

use crate::engine::{self, Hook};
use crate::exports::wasi::http::handler::Guest;
use crate::host::{joined, split};
use crate::wasi::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use crate::{Runtime, answer, bytes, wit_future, wit_stream};

/// What `js/main.js` gives for a request.
enum Reply {
    Whole {
        status: u16,
        headers: String,
        body: Vec<u8>,
    },
    /// The body comes from the stream of this number, see `nextChunk` in `js/main.js`.
    Streamed {
        status: u16,
        headers: String,
        stream: u32,
    },
    /// The exception in words.
    Failed(String),
}

impl Guest for Runtime {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let method = method(&request);
        let scheme = if matches!(request.get_scheme(), Some(Scheme::Https)) { "https" } else { "http" };
        let authority = request.get_authority().unwrap_or_default();
        let target = request.get_path_with_query().unwrap_or_default();
        let url = format!("{scheme}://{authority}{target}");
        let fields = request.get_headers().copy_all();
        // The host is no header of `wasi:http`, and one that programs look at.
        let host = std::iter::once(("host", authority.as_bytes()));
        let headers = joined(host.chain(fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))));
        let body = crate::host::keep_body(request);

        let reply = answer::wait(
            move |ctx| engine::call(ctx, Hook::worker, (method, url, headers, body)),
            |_, value| reply(&value).unwrap_or_else(|error| Reply::Failed(error.to_string())),
        )
        .await;
        match reply {
            Reply::Whole { status, headers, body } => Ok(whole(status, &headers, body)?),
            Reply::Streamed { status, headers, stream } => Ok(streamed(status, &headers, stream)?),
            Reply::Failed(exception) => Err(ErrorCode::InternalError(Some(exception))),
        }
    }
}

fn method(request: &Request) -> String {
    match request.get_method() {
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

/// Status, headers, and a body or the number of a stream.
fn reply(value: &Value<'_>) -> JsResult<Reply> {
    if let Some(exception) = value.as_string() {
        return Ok(Reply::Failed(exception.to_string()?));
    }
    let parts: Array<'_> = value.get()?;
    let (status, headers) = (parts.get(0)?, parts.get(1)?);
    let body: Value<'_> = parts.get(2)?;
    Ok(match body.as_number() {
        Some(stream) => Reply::Streamed { status, headers, stream: stream as u32 },
        None => Reply::Whole { status, headers, body: bytes::of_body(&body).unwrap_or_default() },
    })
}

fn whole(status: u16, headers: &str, body: Vec<u8>) -> Result<Response, ErrorCode> {
    let fields = fields(headers)?;
    if !body.is_empty() && !fields.has("content-length") {
        // Cannot fail: a header of this name is allowed.
        let _ = fields.set("content-length", &[body.len().to_string().into_bytes()]);
    }
    let (end, trailers) = wit_future::new(|| Ok(None));
    drop(end);
    if body.is_empty() {
        let (response, _) = Response::new(fields, None, trailers);
        return with_status(response, status);
    }
    let (mut writer, contents) = wit_stream::new();
    let (response, _) = Response::new(fields, Some(contents), trailers);
    wit_bindgen::spawn_local(async move {
        writer.write_all(body).await;
    });
    with_status(response, status)
}

fn streamed(status: u16, headers: &str, stream: u32) -> Result<Response, ErrorCode> {
    let (end, trailers) = wit_future::new(|| Ok(None));
    let (mut writer, contents) = wit_stream::new();
    let (response, _) = Response::new(fields(headers)?, Some(contents), trailers);
    wit_bindgen::spawn_local(async move {
        loop {
            let chunk = answer::wait(|ctx| engine::call(ctx, Hook::next_chunk, (stream,)), |_, value| chunk(&value));
            match chunk.await {
                Chunk::Bytes(bytes) => {
                    if !writer.write_all(bytes).await.is_empty() {
                        // Nobody reads any more.
                        answer::wait(|ctx| engine::call(ctx, Hook::drop_stream, (stream,)), |_, _| ()).await;
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
    with_status(response, status)
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
    let headers: Vec<_> = split(headers).into_iter().map(|header| (header.name, header.value)).collect();
    Fields::from_list(&headers)
        .map_err(|error| ErrorCode::InternalError(Some(format!("the response's headers: {error:?}"))))
}

fn with_status(response: Response, status: u16) -> Result<Response, ErrorCode> {
    match response.set_status_code(status) {
        Ok(()) => Ok(response),
        Err(()) => Err(ErrorCode::InternalError(Some(format!("{status} is no status of a response")))),
    }
}
