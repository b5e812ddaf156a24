//! What goes into a guest, and what comes out: an event is one of several kinds, and each kind has its own reply.

use crate::bindings::types::{Request, Response};
pub use wasmtime_wasi_http::{Error as BodyError, WasiBody as Body};

/// What an event brings to the guest.
#[derive(Debug)]
pub enum Input {
    /// A request as a record, its body whole. A component with the handler of `wasi:http` gets it as it would a stream.
    Fetch(Request),
    /// A request with a streamed body, for a component with the handler of `wasi:http` and for no other.
    Http(http::Request<Body>),
}

/// What the guest replied.
#[derive(Debug)]
pub enum Output {
    /// Of `fetch` of `dohost:object/handler`.
    Response(Response),
    /// Of `handle` of `wasi:http`: the head; the body comes as the guest makes it.
    Http(http::Response<Body>),
}
