//! Finds the runtime that is built into the host.

use std::path::Path;

fn main() {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate is at crates/dohost-javascript");
    let runtime = root.join("target/guests/javascript-runtime.wasm");
    println!("cargo::rerun-if-changed={}", runtime.display());
    if !runtime.is_file() {
        println!("cargo::error=the runtime of JavaScript is not built yet; build it with: cargo xtask guests");
    }
    println!("cargo::rustc-env=DOHOST_JAVASCRIPT_RUNTIME={}", runtime.display());
}
