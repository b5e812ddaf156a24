//! Building the runtime for JavaScript, which dohost carries: target/guests/javascript-runtime.wasm.
//!
//! QuickJS is C, so besides Rust this takes a clang that compiles for wasm. There is no other C library than the one that
//! QuickJS's package comes with.

use std::env;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process::{is_on_path, run};
use crate::toolchain::Toolchain;
use crate::{debian, guests};

/// The name of the package, of its module, and of the component.
pub const NAME: &str = "javascript-runtime";

/// What the C compiler for wasm can be set by, as for every Rust package with C in it.
const CHOICE: &str = "CC_wasm32_unknown_unknown";

/// What is tried if it is not.
const COMPILERS: [&str; 2] = ["clang-22", "clang"];

/// Brings the core module up to date.
pub fn build(toolchain: Toolchain) -> Result<()> {
    let mut build = toolchain.build(&workspace(), &guests::target());
    if env::var_os(CHOICE).is_none() {
        build.env(CHOICE, compiler()?);
    }
    run(&mut build)
}

/// The package is a workspace of its own.
pub fn workspace() -> PathBuf {
    guests::root().join("crates/dohost-javascript/runtime")
}

fn compiler() -> Result<&'static str> {
    if let Some(compiler) = COMPILERS.into_iter().find(|compiler| is_on_path(compiler)) {
        return Ok(compiler);
    }
    if let Err(no_debian) = debian::install(&debian::C) {
        bail!(
            "nothing here compiles C for wasm, which the runtime for JavaScript takes\n  \
             debian: {no_debian:#}\n  \
             help: install clang, or say by {CHOICE} which compiler there is"
        );
    }
    Ok(COMPILERS[0])
}
