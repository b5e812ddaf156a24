//! Looking after objects from outside: what there is, what it stored, and changes to that.
//!
//! An HTTP API with JSON on a listener of its own, beside the one that clients of the objects use: a Unix socket in the data
//! directory, which only the user of the host may open, and a TCP address if somebody asks for it and has a token.
//!
//! Reading order: [`service`] (a request to its answer, without any socket: commands use it as it is when no host runs) →
//! `answer` (JSON and errors) → [`listener`] (sockets, limits, the token) → [`client`] (the other end).
//!
//! What is done to objects is in [`dohost_object::manage`]; here is only how it is asked for.

mod answer;
pub mod client;
pub mod declared;
pub mod limits;
pub mod listener;
pub mod service;
mod socket;

pub use client::{Client, ClientError};
pub use declared::Declared;
pub use limits::ManagementLimits;
pub use listener::{Listener, Token};
pub use service::{Application, Service};
pub use socket::SOCKET_NAME;
