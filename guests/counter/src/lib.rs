//! A counter: the smallest useful Durable Object.
//!
//! Every name is a counter of its own, with its own store. Try it:
//!
//! ```text
//! $ dohost serve counter.wasm
//! $ curl localhost:8787/counter/alice/increment
//! 1
//! $ curl localhost:8787/counter/bob/value
//! 0
//! $ dohost call counter alice increment '{"by": 5}'
//! 6
//! ```

use dohost::object::storage;
use dohost::object::types::Header;
use exports::dohost::object::handler::{Exception, Guest as Handler, Request, Response};

// Reads the WIT files and writes the Rust for them: traits for what the object exports (`Handler` for HTTP, `Guest` for
// the methods below) and functions for what it imports (`storage::get`…).
wit_bindgen::generate!({
    world: "example:counter/counter",
    path: "../../wit",
    generate_all,
    inline: "
        package example:counter;

        world counter {
            include dohost:object/object@0.1.0;

            /// Adds to the counter, 1 if nothing is said, and gives its new value.
            export increment: async func(by: option<u32>) -> result<s64, string>;
            /// What was counted so far.
            export value: async func() -> result<s64, string>;
        }
    ",
});

struct Counter;

export!(Counter);

impl Handler for Counter {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        match request.path.as_str() {
            "/" | "/value" => Ok(text(200, read().await?)),
            "/increment" => Ok(text(200, add(1).await?)),
            "/decrement" => Ok(text(200, add(-1).await?)),
            _ => Ok(text(404, "Not found")),
        }
    }
}

impl Guest for Counter {
    async fn increment(by: Option<u32>) -> Result<i64, Exception> {
        add(by.unwrap_or(1).into()).await
    }

    async fn value() -> Result<i64, Exception> {
        read().await
    }
}

/// The counter's value; 0 if nothing was ever counted.
async fn read() -> Result<i64, Exception> {
    match storage::get("count".to_string()).await.map_err(|error| error.to_string())? {
        None => Ok(0),
        Some(bytes) => str::from_utf8(&bytes)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| "the stored count is not a number".to_string()),
    }
}

/// Adds to the counter and gives its new value.
///
/// Read, add, write: needs no lock. While the object waits for its storage no other request gets in between, so no
/// count is lost. And the write needs no waiting: the reply leaves only once the new value is on disk.
async fn add(amount: i64) -> Result<i64, Exception> {
    let count = read().await?.checked_add(amount).ok_or("the counter is full")?;
    storage::put("count".to_string(), count.to_string().into_bytes()).await.map_err(|error| error.to_string())?;
    Ok(count)
}

fn text(status: u16, body: impl ToString) -> Response {
    let content_type = Header { name: "content-type".to_string(), value: b"text/plain".to_vec() };
    Response { status, headers: vec![content_type], body: body.to_string().into_bytes() }
}
