//! What the benchmarks ask of an object beside counting: an answer that touches no storage, and values of any size.
//!
//! | request | reply |
//! | --- | --- |
//! | `GET /echo` | `ok` |
//! | `POST /store` | `ok`, once the body is stored |
//! | `GET /stored` | what was stored last |
//!
//! `benches/workerd/worker.js` and `benches/ceiling` have the same.

use dohost::object::storage;
use exports::dohost::object::handler::{Exception, Guest, Request, Response};

wit_bindgen::generate!({ world: "dohost:object/object", path: "../../wit", generate_all });

struct Bench;

export!(Bench);

impl Guest for Bench {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        let (status, body) = match request.path.as_str() {
            "/echo" => (200, b"ok".to_vec()),
            "/store" => {
                storage::put("value".to_string(), request.body).await.map_err(|error| error.to_string())?;
                (200, b"ok".to_vec())
            }
            "/stored" => {
                let value = storage::get("value".to_string()).await.map_err(|error| error.to_string())?;
                (200, value.unwrap_or_default())
            }
            _ => (404, b"not found".to_vec()),
        };
        Ok(Response { status, headers: Vec::new(), body })
    }
}
