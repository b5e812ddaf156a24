//! A Worker that streams: to objects and from them, to the network, and by itself. Its paths are those of
//! [`relay`].

#[path = "../../http-object/src/http.rs"]
#[allow(dead_code, reason = "the object needs more of it")]
mod http;
#[path = "../../http-object/src/relay.rs"]
mod relay;

use exports::wasi::http::handler::Guest;
use wasi::http::types::{ErrorCode, Request, Response};

wit_bindgen::generate!({ world: "worker", path: "../../wit", generate_all });

struct Streamer;

export!(Streamer);

impl Guest for Streamer {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (path, query) = http::path_and_query(&request);
        match path.as_str() {
            "/seen" => Ok(http::text(200, http::seen(&request))),
            _ => relay::handle(&path, &query, request).await,
        }
    }
}
