//! Objects: from an event to the reply that may leave.
//!
//! An event names an object. Its id picks the executor (a thread), the executor's directory knows whether the object is
//! resident and starts it if not, the object's mailbox holds the event until the input gate lets it in, the guest runs a
//! turn, what it wrote goes to be committed, and the reply leaves when the commit it depends on is durable.
//!
//! Reading order, which is the order of that path: [`host`] (the door) → [`executor`] (threads) → `residents` (who is
//! resident) → `life` (one life, from load to end) → `object` (mailbox and events) → `feed` (events enter the guest, past the
//! `input_gate`) → `inside`, `sections` and `outside` (what the guest's imports do) → `commit` (turns become commits) →
//! `output_gate` (what leaves, and after which commit). Alarms are events that come from [`alarms`].
//!
//! **Invariants.** At most one live instance of an object exists, because only the executor that its id picks ever starts
//! one, and only after the life before has ended and its commits are settled. A reply carries the number of the last commit
//! that its object submitted before it, and whoever receives it waits for that number.
//!
//! This crate names no HTTP server or client, no wasm engine and no store: those are behind `dohost-ingress`, `dohost-engine` and
//! `dohost-storage`.

#![forbid(unsafe_code)]

pub mod alarms;
pub mod bindings;
mod call_graph;
mod calls;
pub mod class;
mod commit;
pub mod deploy;
pub mod environment;
pub mod event;
pub mod executor;
mod feed;
pub mod here;
mod holds;
pub mod host;
pub mod id;
mod input_gate;
mod inside;
mod life;
pub mod limits;
mod load;
mod mailbox;
pub mod manage;
mod object;
mod output_gate;
mod outside;
mod residency;
mod residents;
mod sections;
mod streams;
pub mod websockets;

pub use bindings::Bindings;
pub use class::{Class, ClassNameError, ClassOptions, Intake, check_class_name};
pub use deploy::{DeployError, Deployed};
pub use environment::{Environment, Machine};
pub use event::{EventError, Reply};
pub use here::HostHere;
pub use host::{Addressee, Host, HostOptions, OutgoingFetch, Target, UpgradedConnection};
pub use id::{InvalidId, ObjectId};
pub use limits::{HostLimits, Limits};
pub use manage::{ManageError, Management, Resident};
