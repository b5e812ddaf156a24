//! Durable Objects in Rust, for dohost.
//!
//! ```no_run
//! # fn main() {}
//! use dohost_guest::*;
//!
//! #[durable_object]
//! pub struct Counter {
//!     state: State,
//! }
//!
//! impl DurableObject for Counter {
//!     fn new(state: State, _env: Env) -> Self {
//!         Self { state }
//!     }
//!
//!     async fn fetch(&self, request: Request) -> Result<Response> {
//!         match request.path() {
//!             "/increment" => Response::ok(self.increment(1).await?.to_string()),
//!             _ => Response::error("Not found", 404),
//!         }
//!     }
//! }
//!
//! #[durable_object(methods)]
//! impl Counter {
//!     /// Adds to the counter and gives its new value.
//!     pub async fn increment(&self, by: u32) -> Result<u64> {
//!         let storage = self.state.storage();
//!         let count = storage.get::<u64>("count").await?.unwrap_or(0) + u64::from(by);
//!         storage.put("count", &count).await?;
//!         Ok(count)
//!     }
//! }
//! ```
//!
//! Built with `cargo build --release --target wasm32-unknown-unknown` in a crate whose type is `cdylib`, this is what
//! `dohost serve` serves. `docs/RUST.md` goes through it step by step.
//!
//! The shape is that of Cloudflare's `workers-rs`; where Rust or dohost has a plainer way, that was taken. What the host
//! promises (one instance, durable before visible, atomic turns) needs nothing from this crate: it holds whatever a guest does.
//!
//! Events of an object interleave where it waits for something other than its storage, so methods take `&self`, and what
//! an object remembers between events is in a `Cell` or a `RefCell` (which must not be borrowed while it waits).
//!
//! Not here: what is safe to leave to other crates, such as parsing URLs and dates.

#![warn(missing_docs)]

mod alarms;
mod bindings;
mod call;
mod class;
mod env;
mod error;
mod log;
mod message;
mod namespace;
mod outgoing;
mod sections;
mod state;
mod storage;
mod time;
mod websocket;
mod worker;

pub use alarms::{AlarmInfo, Alarms, Cron, MissedTicks, PendingAlarm, ScheduledTime};
pub use class::DurableObject;
pub use dohost_guest_macros::{WitType, durable_object, event};
pub use env::{Env, Secret, Var};
pub use error::{Error, Result};
pub use message::{Headers, Request, Response};
pub use namespace::{Methods, ObjectId, ObjectNamespace, Stub};
pub use outgoing::fetch;
pub use state::State;
pub use storage::{ListOptions, Storage};
pub use time::{Date, random_bytes, sleep};
pub use websocket::{WebSocket, WebSocketClose, WebSocketMessage, WebSocketOptions};
pub use worker::Context;

/// What the macros of this crate use. Not for anybody else, and free to change.
#[doc(hidden)]
pub mod __private {
    pub use crate::alarms::date;
    pub use crate::bindings::dohost::object::{
        namespace as bindings_namespace, outgoing as bindings_outgoing, types as bindings_types,
        websockets as bindings_websockets,
    };
    pub use crate::bindings::wasi::clocks::types as bindings_clocks;
    pub use crate::bindings::wasi::http::types as bindings_http;
    pub use crate::call::{flatten, nested};
    pub use crate::class::{
        Class, alarm, construct, fetch, object, websocket_close, websocket_error, websocket_message,
    };
    pub use crate::log::{error, line};
    pub use crate::websocket::websocket;
    pub use crate::worker::handle;
    pub use dohost_guest_macros::__methods as methods;
    pub use inventory;
    pub use wit_bindgen;
}
