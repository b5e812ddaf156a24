//! Debian's Rust, for machines that cannot get the wasm target from rustup.
//!
//! Debian ships a recent Rust for building browsers (`rustc-web`), its sources and a wasm linker, but no standard
//! library for wasm. cargo can build that from the sources; the flag for it is unstable, which `RUSTC_BOOTSTRAP`
//! allows.
//!
//! Nothing is ever removed from the machine: where the packages would replace others, apt-get refuses and we say so.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{answer, is_on_path, run, say, without_cargo};

/// cargo's arguments that make it build the standard library along.
pub const BUILD_STD: [&str; 1] = ["-Zbuild-std=std,panic_abort"];

/// What Rust for wasm takes.
pub const RUST: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
/// What C for wasm takes.
pub const C: [&str; 1] = ["clang-22"];
/// What packages of npm take.
pub const NPM: [&str; 1] = ["npm"];

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "/usr/bin/wasm-ld-22";

/// Debian's cargo, whatever Rust comes first in the PATH.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(CARGO);
    without_cargo(&mut command)
        .current_dir(folder)
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER);
    command
}

pub fn is_installed(packages: &[&str]) -> bool {
    missing(packages).is_empty()
}

/// Installs what a program is in, if it is not on the PATH.
pub fn package_for(program: &str, package: &str) -> Result<()> {
    if is_on_path(program) {
        return Ok(());
    }
    install(&[package]).with_context(|| format!("there is no {program}"))
}

/// Installs what is missing, as root or with sudo.
pub fn install(packages: &[&str]) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    if !is_on_path("apt-get") {
        bail!("this is no Debian (there is no apt-get)");
    }
    say(format!("Debian packages missing: {}", missing.join(" ")));
    let as_root: &[&str] = if answer(Command::new("id").arg("-u")).as_deref() == Some("0") {
        &[]
    } else if is_on_path("sudo") {
        &["sudo"]
    } else {
        bail!("not root and no sudo; as root: apt-get update && apt-get install {}", missing.join(" "));
    };
    run(&mut apt_get(as_root, &["update"], &[]))?;
    run(&mut apt_get(as_root, &["install", "--yes", "--no-remove", "--no-install-recommends"], &missing))
}

fn apt_get(as_root: &[&str], arguments: &[&str], packages: &[&str]) -> Command {
    let words = as_root.iter().chain(&["apt-get"]).chain(arguments).chain(packages);
    let mut words = words.copied();
    let mut command = Command::new(words.next().expect("apt-get at least"));
    command.args(words).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    packages.iter().copied().filter(|package| !has(package)).collect()
}

fn has(package: &str) -> bool {
    let status = answer(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]));
    status.as_deref() == Some("installed")
}
