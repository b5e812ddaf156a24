//! Methods: what a component exports beside the interfaces that dohost knows, and how to speak to it from outside.
//!
//! A component says itself what its functions take and give. Here that is read ([`Interface::read`]), arguments and results
//! are turned from JSON into [`Value`]s and back as the types say ([`json`]), and it is told to people and programs
//! ([`wit`], [`openapi`], [`client`]). [`compare`] says what a change of it breaks, [`world`] whether the rest of the component fits
//! what dohost offers. `docs/RPC.md` is the manual.
//!
//! Reading order: `interface` → `read` → `value` → [`json`] → the rest in any order.
//!
//! **Invariant.** A value that JSON was made of comes back equal from that JSON, for every type. No text makes this crate
//! panic, and none makes it hold more than a few times its own size.
//!
//! No wasm engine, no HTTP: those who have them translate.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod client;
pub mod compare;
mod docs;
pub mod dynamic;
mod interface;
pub mod json;
mod named;
pub mod openapi;
mod read;
pub mod value;
pub mod wit;
pub mod world;

#[cfg(test)]
mod samples;

pub use compare::Incompatibility;
pub use dynamic::{Dynamic, DynamicMethods, Program};
pub use interface::{
    Case, Client, Enum, Field, Flags, Interface, Label, Method, NotMethod, Record, Type, TypeName, Variant,
};
pub use json::JsonError;
pub use read::ReadError;
pub use value::Value;
