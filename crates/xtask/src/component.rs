//! From what rustc makes, a core module, to what dohost runs, a component.
//!
//! wit-bindgen leaves the guest's world in a custom section of the module; the encoder wraps the module according to it
//! and checks the result. Imports that the guest never uses are gone by then.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

/// Wraps the core module at `module` and writes it to `component`; false if that file was the same already.
///
/// Always done anew, as it takes milliseconds and file times cannot tell which toolchain a module came from. The file
/// is touched only when it changes, so that caches keyed on it stay warm.
pub fn write(module: &Path, component: &Path) -> Result<bool> {
    let bytes = fs::read(module).with_context(|| format!("failed to read {}", module.display()))?;
    let bytes = encode(&bytes).with_context(|| format!("failed to make a component of {}", module.display()))?;
    if fs::read(component).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    // By way of a rename: a test or a server that runs meanwhile sees the old file or the new one.
    let unfinished = component.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&unfinished, bytes).with_context(|| format!("failed to write {}", unfinished.display()))?;
    fs::rename(&unfinished, component).with_context(|| format!("failed to write {}", component.display()))?;
    Ok(true)
}

fn encode(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(module)?.encode()
}
