//! From what rustc makes, a core module, to what dohost runs, a component.
//!
//! wit-bindgen leaves the guest's world in a custom section of the module; the encoder wraps the module according to it
//! and checks the result. Imports that the guest never uses are gone by then.
//!
//! The section is kept in the component: it has what the author says about the methods, for `dohost describe`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wit_component::ComponentEncoder;

/// How the names of the sections with the world begin.
const WIT_SECTION: &str = "component-type";

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
    let mut component = ComponentEncoder::default().validate(true).module(module)?.encode()?;
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        if let wasmparser::Payload::CustomSection(section) = payload?
            && section.name().starts_with(WIT_SECTION)
        {
            append_section(&mut component, section.name(), section.data());
        }
    }
    Ok(component)
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
