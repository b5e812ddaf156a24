//! WebSockets: the host holds the connections of an object, so that the object may sleep.
//!
//! ```text
//!  inside       the guest accepts one: a socket in the registry, a task that waits for its client
//!  ingress      the response has status 101 and names the client: the connection is handed to that task
//!  connection   that task reads, and sends what comes to the object as events, as any other; it wakes the object
//!               what the guest sends is in the socket's queue, each behind its commit; that task writes it
//!  registry     finds sockets by object, clients by name; closes what belonged to a life that was reset
//! ```
//!
//! A connection is a task on the executor of its object, and knows the object by class and id only: lives come and go.
//!
//! Invariant: a socket is in the registry from `accept` until its last event is over, or until its object is reset.

mod client;
mod connection;
mod incoming;
mod inside;
mod outgoing;
mod registry;
mod socket;

pub use client::{WebSocketClient, WebSocketIo};
pub(crate) use registry::WebSockets;
pub(crate) use socket::Socket;

/// The header of a response with status 101 that names the other end of a websocket.
pub const CLIENT_HEADER: &str = "dohost-websocket";
