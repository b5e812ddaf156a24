//! An object that is an HTTP component: what runs under any host of `wasi:http`, with a store of its own.
//!
//! ```text
//! $ dohost serve http-object.wasm
//! $ curl localhost:8787/http-object/A/increment
//! 1
//! $ curl localhost:8787/http-object/A/echo --data-binary @large.file
//! ```
//!
//! | path | reply |
//! | --- | --- |
//! | `/value`, `/increment` | the count |
//! | `/seen` | method, URL and headers as the object sees them |
//! | `/call-then-trap` | none: that of `/call`, see [`relay`], is handed on after a write, and before it can leave there is a trap |
//! | `/steps` | what the steps of the query write, see [`steps`] |
//! | everything else | see [`relay`] |

mod http;
mod relay;
mod steps;

use dohost::object::storage;
use exports::wasi::http::handler::Guest;
use wasi::http::types::{ErrorCode, Request, Response};

use crate::http::{path_and_query, seen, text};

wit_bindgen::generate!({ world: "http-object", path: "../../wit", generate_all });

struct Object;

export!(Object);

impl Guest for Object {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let (path, query) = path_and_query(&request);
        match path.as_str() {
            "/value" => Ok(text(200, read().await?)),
            "/increment" => Ok(text(200, increment().await?)),
            "/call-then-trap" => {
                let response = relay::handle("/call", &query, request).await?;
                increment().await?;
                wit_bindgen::spawn_local(async {
                    // Still in the same turn, but the reply has been given.
                    wit_bindgen::yield_async().await;
                    wit_bindgen::yield_async().await;
                    panic!("asked to");
                });
                Ok(response)
            }
            "/seen" => Ok(text(200, seen(&request))),
            "/steps" => steps::run(request, &query).await,
            _ => relay::handle(&path, &query, request).await,
        }
    }
}

async fn read() -> Result<u64, ErrorCode> {
    let value = storage::get("count".to_string()).await.map_err(failed)?;
    Ok(value.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok()).unwrap_or(0))
}

/// Nothing gets in between the two calls of the storage, so no count is lost.
async fn increment() -> Result<u64, ErrorCode> {
    let count = read().await? + 1;
    storage::put("count".to_string(), count.to_string().into_bytes()).await.map_err(failed)?;
    Ok(count)
}

fn failed(error: impl std::fmt::Debug) -> ErrorCode {
    ErrorCode::InternalError(Some(format!("{error:?}")))
}
