//! The conformance kit: what a host of durable objects owes its guests, as cases that any host can be tried with.
//!
//! A **case** is a file in `conformance/cases`: a guest, requests to its objects with the answers that are expected, and what
//! happens to the host in between. It names the rules of `docs/SPEC.md` that it is about. A **host** is whatever implements
//! [`Host`]: requests are a must, and it says what else it can do. A case that needs an ability that a host does not have is *not
//! applicable* to it, and never passed.
//!
//! The guests are components, one for each capability, made of `guests/` by `cargo xtask guests`. They know nothing of the
//! host but its world.
//!
//! Cases have a **level**, so that "conforms" has a size: a host conforms up to a level if no case of it or below fails.
//!
//! Reading order: [`case`] → [`host`] → [`runner`] → [`tally`].

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod case;
pub mod host;
pub mod runner;
pub mod tally;

pub use case::{Case, CaseError, Level};
pub use host::{Ability, Begun, Host, HostError, Message, Reply, Request, Stream, WebSocket};
pub use runner::{Outcome, run};
pub use tally::Tally;
