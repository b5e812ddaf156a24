//! The runtime for JavaScript: one component that runs any program.
//!
//! It is built once. To make a component of a program, the host calls `load` with the program's modules and keeps what is in memory
//! then as the memory that every instance starts with ([`program`]). An instance is an object ([`object`]) or a Worker
//! ([`worker`]), whichever of its exports is called.
//!
//! [`engine`] is QuickJS and how it is entered, [`answer`] stands between promises and futures, `host/` has what JavaScript
//! can ask of the host, `clone/` brings values into bytes, and `js/` is what programs see: the APIs of the web and of Durable
//! Objects. Where something can be said well in JavaScript it is in `js/`; in Rust is what has to be fast, and what somebody
//! else has written well (URLs, encodings, digests).
//!
//! Not here: finding modules, TypeScript, and source maps, which are done before `load`.

#![deny(unsafe_code)]

mod answer;
mod bytes;
mod clock;
mod clone;
mod engine;
mod host;
mod http;
mod modules;
mod object;
mod program;
mod worker;

mod bindings {
    #![expect(unsafe_code, reason = "generated")]

    wit_bindgen::generate!({
        path: ["../../../wit", "wit"],
        world: "dohost:javascript/runtime",
        generate_all,
    });

    use crate::Runtime;

    export!(Runtime);
}

use bindings::{dohost, exports, wasi, wit_future, wit_stream};

/// What the exports are implemented on.
struct Runtime;
