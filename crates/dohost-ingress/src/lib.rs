//! HTTP: bytes on a socket become events, replies become bytes.
//!
//! Reading order, which is the path of a request: [`listener`] (accept, deal out to the executors) → `connection` (hyper)
//! → `message` (what is checked of every request)
//! → [`pattern`] (which Worker, if any) → `worker` (request ⇄ wasi:http), or else `route` (URL → class and name) → `object`
//! (request ⇄ event) or `rpc` (JSON ⇄ method), with `stream` if bodies are streamed → `reply` (what every answer that the
//! host makes itself looks like).
//!
//! hyper decides what is HTTP and what is not; here are the limits, the routing and the words of errors. HTTP/1.1 only, no
//! TLS: put a proxy in front for both.

#![forbid(unsafe_code)]

mod connection;
mod io;
pub mod limits;
pub mod listener;
mod message;
mod moving;
mod object;
mod path;
pub mod pattern;
mod reply;
mod route;
mod rpc;
mod stream;
mod websocket;
mod worker;

pub use limits::HttpLimits;
pub use listener::{BindError, Front, FrontWorker, Prepared};
pub use pattern::{PatternError, RoutePattern};
pub use rpc::CLASS_HEADER;
