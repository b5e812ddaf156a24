//! What is fuzzed: functions that take any bytes, and panic if what is promised does not hold.
//!
//! `cargo xtask fuzz` runs them with libFuzzer (`fuzz/`, a workspace of its own), which looks for bytes that go new ways. What it
//! found before is in `fuzz/corpus`; the tests of this crate run all of that, and bytes by chance, without libFuzzer.
//!
//! Nothing here needs the engine: what is fuzzed is pure, or the store on a disk in memory.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod json;
mod routes;
mod storage;

/// One of the functions.
pub type Target = fn(&[u8]);

/// All of them, by the names of their files.
pub const TARGETS: [(&str, Target); 3] =
    [("json", json::run as Target), ("routes", routes::run as Target), ("storage", storage::run as Target)];

/// The function of this name.
///
/// # Panics
///
/// If there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.into_iter().find(|(other, _)| *other == name);
    found.unwrap_or_else(|| panic!("there is no target {name}")).1
}
