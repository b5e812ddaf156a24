//! Building the guests: every folder in `guests/` that holds a package becomes `target/guests/<package>.wasm`, and so does the
//! runtime for JavaScript.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::component;
use crate::javascript;
use crate::process::{run, say};
use crate::toolchain::{self, Toolchain};

/// The folder of the root workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("xtask is at crates/xtask")
}

/// The folder of the guest workspace.
pub fn workspace() -> PathBuf {
    root().join("guests")
}

/// Where components and the guests' own build go: in the checkout even if `CARGO_TARGET_DIR` moves the host's build
/// away, as the tests look for the components there.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The component of a guest.
pub fn component(name: &str) -> PathBuf {
    target().join("guests").join(name).with_extension("wasm")
}

/// Brings all components up to date and tells with which toolchain. Takes well under a second if they are already.
pub fn build() -> Result<Toolchain> {
    let toolchain = toolchain::find(&target())?;
    run(&mut toolchain.build(&workspace(), &target()))?;
    javascript::build(toolchain)?;

    fs::create_dir_all(target().join("guests/modules")).context("failed to make target/guests")?;
    for name in names()?.into_iter().chain([javascript::NAME.to_string()]) {
        let module = toolchain.modules(&target()).join(name.replace('-', "_")).with_extension("wasm");
        let component = component(&name);
        let wit = component::wit_package(&root().join("wit"), &workspace().join(&name))?;
        let is_new = component::write(&module, wit.as_deref(), &component)?;
        // As rustc made it, for tests of what `dohost serve` does with one.
        fs::copy(&module, target().join("guests/modules").join(&name).with_extension("wasm"))
            .with_context(|| format!("failed to copy {}", module.display()))?;
        let kib = fs::metadata(&component)?.len().div_ceil(1024);
        let news = if is_new { "" } else { ", unchanged" };
        say(format!("target/guests/{name}.wasm ({kib} KiB{news})"));
    }
    Ok(toolchain)
}

/// The packages in the guest workspace, which are named like their folders.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(workspace()).context("failed to list guests")? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}
