//! The real binary with real sockets: what a user sees, what a crash leaves, what an error says.
//!
//! Every test starts `dohost` on a free port with a data directory of its own, so all of them can run at once. The
//! guests come from `target/guests`; `cargo xtask guests` and `cargo xtask languages` make them. [`host`] starts, stops and kills the binary,
//! [`http`] speaks to it, and the other modules are the tests, one topic each. Nothing here reaches into the product:
//! the one exception is a store of a newer version, which only redb can write.

mod host;
mod http;
mod outgoing_streams;
mod outside;
mod random;
mod script;
mod small_disk;
mod websocket;

mod alarms;
mod application;
mod autobahn;
mod browser;
mod call_cycles;
mod command_line;
mod concurrency;
mod config;
mod conform;
mod construction;
mod corpus;
mod counter;
mod crash;
mod deploy;
mod dev;
mod failure;
mod first_steps;
mod full_disk;
mod gates;
mod hostile;
mod javascript_streams;
mod javascript_websockets;
mod keys_and_lists;
mod kit;
mod languages;
mod lifecycle;
mod limits;
mod management;
mod memory;
mod migrations;
mod namespace;
mod new_projects;
mod output_gate;
mod programs;
mod rpc;
mod rust_guest;
mod sections;
mod serial;
mod shutdown;
mod spec;
mod startup;
mod storage;
mod storage_model;
mod storage_size;
mod store_failures;
mod streamed_calls;
mod streams;
mod test_scripts;
mod transactions;
mod types;
mod websockets;
mod wire;
mod worker;
