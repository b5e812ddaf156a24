//! The counter of `guests/counter` on the synchronous ABI.
//!
//! The WIT is the same, and so is the program but for the missing `async` and `await`. What differs is the order of
//! events: a synchronous guest cannot be interrupted, so the next request waits until this one has been answered, also
//! while it waits for the network or for another object.

use dohost::object::storage;
use dohost::object::types::Header;
use exports::dohost::object::handler::{Exception, Guest, Request, Response};

// Reads the WIT files and writes the Rust for them: a trait for what the object exports (`Guest`) and functions for
// what it imports (`storage::get`…).
wit_bindgen::generate!({ world: "object", path: "../../wit", async: false });

struct Counter;

export!(Counter);

impl Guest for Counter {
    fn fetch(request: Request) -> Result<Response, Exception> {
        match request.path.as_str() {
            "/" | "/value" => Ok(text(200, read()?)),
            "/increment" => Ok(text(200, add(1)?)),
            "/decrement" => Ok(text(200, add(-1)?)),
            _ => Ok(text(404, "Not found")),
        }
    }
}

/// The counter's value; 0 if nothing was ever counted.
fn read() -> Result<i64, Exception> {
    match storage::get("count").map_err(|error| error.to_string())? {
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
fn add(amount: i64) -> Result<i64, Exception> {
    let count = read()?.checked_add(amount).ok_or("the counter is full")?;
    storage::put("count", count.to_string().as_bytes()).map_err(|error| error.to_string())?;
    Ok(count)
}

fn text(status: u16, body: impl ToString) -> Response {
    let content_type = Header { name: "content-type".to_string(), value: b"text/plain".to_vec() };
    Response { status, headers: vec![content_type], body: body.to_string().into_bytes() }
}
