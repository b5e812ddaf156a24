//! JavaScript and TypeScript become components.
//!
//! From the file where a program begins: [`modules`] finds every module that it imports, [`source`] reads each of them
//! and takes the types out of TypeScript ([`typescript`], [`lines`] keeps what is left where it was). [`Builder`] then has
//! the runtime evaluate them, and what its memory is afterwards is the component. Nothing of Node.js is needed.
//!
//! The same modules make the same component, so built ones are kept by their content ([`cache`]).

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod build;
mod cache;
mod lines;
mod modules;
mod problem;
mod source;
mod typescript;

pub use build::{Builder, Built};
pub use problem::{Problem, Problems};
pub use source::is_source;
