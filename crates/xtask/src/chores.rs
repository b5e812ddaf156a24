//! The chores that need guests: serve, test, sim, instructions, lint.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::debian;
use crate::guests;
use crate::javascript;
use crate::languages;
use crate::process::{answer, cargo, run, say};
use crate::toolchain::{TARGET, Toolchain};

/// Ends only if something is wrong: xtask becomes dohost.
pub fn serve(arguments: &[OsString]) -> Result<()> {
    guests::build()?;
    // `--package dohost` would select other features for some shared dependencies than the tests do, and so build
    // wasmtime a second time.
    run(cargo(guests::root()).args(["build", "--release", "--workspace", "--bin", "dohost"]))?;

    let mut dohost = Command::new(host_target().join("release/dohost"));
    dohost.arg("serve");
    if !name_objects(arguments) {
        dohost.arg(guests::component("counter"));
    }
    dohost.args(arguments);
    Err(dohost.exec()).with_context(|| format!("failed to start {}", dohost.get_program().display()))
}

pub fn test(arguments: &[OsString]) -> Result<()> {
    guests::build()?;
    fetch_vectors()?;
    // What objects in Rust are written with is in the workspace of the guests; its examples are compiled for this machine.
    let mut examples = cargo(&guests::workspace());
    examples.env("CARGO_TARGET_DIR", guests::target().join("guests-build"));
    run(examples.args(["test", "--release", "--package", "dohost-guest", "--package", "dohost-guest-macros"]))?;
    // Whoever wants some tests only should not wait for compilers to be downloaded.
    if arguments.is_empty() {
        languages::build(&[])?;
    }
    run(cargo(guests::root()).args(["test", "--release", "--workspace"]).args(arguments))
}

/// Test vectors of others, which tests read from cargo's registry.
fn fetch_vectors() -> Result<()> {
    let manifest = "conformance/vectors/Cargo.toml";
    // Whoever has them needs no network.
    let has_them = answer(cargo(guests::root()).args(["fetch", "--locked", "--offline", "--manifest-path", manifest]));
    match has_them {
        Some(_) => Ok(()),
        None => run(cargo(guests::root()).args(["fetch", "--locked", "--manifest-path", manifest])),
    }
}

/// Ends only if something is wrong: xtask becomes the simulation.
pub fn sim(arguments: &[OsString]) -> Result<()> {
    guests::build()?;
    // The whole workspace, for the reason above.
    run(cargo(guests::root()).args(["build", "--release", "--workspace", "--bin", "dohost-sim"]))?;
    let mut sim = Command::new(host_target().join("release/dohost-sim"));
    sim.args(arguments);
    Err(sim.exec()).with_context(|| format!("failed to start {}", sim.get_program().display()))
}

/// Counts instructions of the dohost and the guests of this checkout.
pub fn instructions(arguments: &[OsString]) -> Result<()> {
    debian::package_for("valgrind", "valgrind")?;
    debian::package_for("python3", "python3")?;
    guests::build()?;
    // The whole workspace, for the reason above.
    run(cargo(guests::root()).args(["build", "--release", "--workspace", "--bin", "dohost"]))?;
    let mut count = Command::new("python3");
    count.arg(guests::root().join("benches/instructions.py")).arg("--dohost").arg(host_target().join("release/dohost"));
    run(count.args(arguments))
}

pub fn lint() -> Result<()> {
    let (host, guest_workspace) = (guests::root(), guests::workspace());
    run(cargo(host).args(["fmt", "--all", "--check"]))?;
    run(cargo(&guest_workspace).args(["fmt", "--all", "--check"]))?;
    run(cargo(&languages::tools::wit_bindgen_sources()).args(["fmt", "--check"]))?;
    run(cargo(&javascript::workspace()).args(["fmt", "--all", "--check"]))?;

    let toolchain = guests::build()?;
    run(cargo(host).args(["clippy", "--workspace", "--all-targets", "--release", "--", "--deny", "warnings"]))?;
    if toolchain == Toolchain::OnPath {
        let mut clippy = cargo(&guest_workspace);
        toolchain.set_up(&mut clippy, &guests::target());
        run(clippy.args(["clippy", "--workspace", "--release", "--target", TARGET, "--", "--deny", "warnings"]))?;
    } else {
        say("no clippy for the guests: Debian's Rust comes without it");
    }
    Ok(())
}

/// Whether the arguments of `dohost serve` say which objects to serve. A Worker is none: it needs objects behind it.
fn name_objects(arguments: &[OsString]) -> bool {
    let mut before = "";
    arguments.iter().filter_map(|argument| argument.to_str()).any(|argument| {
        let option = std::mem::replace(&mut before, argument);
        argument.starts_with("--class")
            || argument.starts_with("--config")
            || (is_program(argument) && !argument.starts_with('-') && option != "--worker")
    })
}

/// Whether it is a file that dohost serves.
fn is_program(argument: &str) -> bool {
    [".wasm", ".js", ".mjs", ".ts", ".mts"].iter().any(|extension| argument.ends_with(extension))
}

/// Where cargo puts what it builds for the host.
pub fn host_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(guests::target, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_served_unless_objects_are_named() {
        let named = |line: &str| name_objects(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        for line in [
            "chat.wasm",
            "counter.js",
            "--listen 0.0.0.0:80 ../chat.wasm",
            "--class room=chat",
            "--config chat.toml",
            "--class=room=chat.wasm",
        ] {
            assert!(named(line), "{line}");
        }
        for line in ["", "--listen 0.0.0.0:80", "--worker tutorial.wasm", "--worker=tutorial.wasm"] {
            assert!(!named(line), "{line}");
        }
        assert!(named("--worker tutorial.wasm counter.wasm"));
    }
}
