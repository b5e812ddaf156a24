//! From what rustc makes, a core module, to what dohost runs, a component.
//!
//! wit-bindgen leaves the guest's world in a custom section of the module; the encoder wraps the module according to it
//! and checks the result. Imports that the guest never uses are gone by then.
//!
//! A component has no place for comments. If the guest has WIT of its own, that goes into the component as a section, with
//! what the author says about the methods, for `dohost describe`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;
use wit_parser::Resolve;

/// What the section with the guest's own WIT is called.
const WIT_SECTION: &str = "component-type:with-comments";

/// Wraps the core module at `module` and writes it to `component`; false if that file was the same already.
///
/// Always done anew, as it takes milliseconds and file times cannot tell which toolchain a module came from. The file
/// is touched only when it changes, so that caches keyed on it stay warm.
pub fn write(module: &Path, wit: Option<&[u8]>, component: &Path) -> Result<bool> {
    let bytes = fs::read(module).with_context(|| format!("failed to read {}", module.display()))?;
    let bytes = encode(&bytes, wit).with_context(|| format!("failed to make a component of {}", module.display()))?;
    if fs::read(component).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    // By way of a rename: a test or a server that runs meanwhile sees the old file or the new one.
    let unfinished = component.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&unfinished, bytes).with_context(|| format!("failed to write {}", unfinished.display()))?;
    fs::rename(&unfinished, component).with_context(|| format!("failed to write {}", component.display()))?;
    Ok(true)
}

fn encode(module: &[u8], wit: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut component = ComponentEncoder::default().validate(true).module(module)?.encode()?;
    if let Some(wit) = wit {
        append_section(&mut component, WIT_SECTION, wit);
    }
    Ok(component)
}

/// The WIT package of a guest that has one of its own in `wit`, with its comments, in binary form.
pub fn wit_package(world_of_all: &Path, guest: &Path) -> Result<Option<Vec<u8>>> {
    let own = guest.join("wit");
    if !own.is_dir() {
        return Ok(None);
    }
    let mut resolve = Resolve::default();
    resolve.push_path(world_of_all).context("failed to read the WIT of all guests")?;
    let (package, _) = resolve.push_path(&own).with_context(|| format!("failed to read {}", own.display()))?;
    Ok(Some(wit_component::encode(&resolve, package)?))
}

/// Adds a custom section, whose name and content have at most so many bytes as a `u32` counts.
fn append_section(component: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut content = leb128(name.len());
    content.extend(name.as_bytes());
    content.extend(data);
    component.push(0);
    component.extend(leb128(content.len()));
    component.extend(content);
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
