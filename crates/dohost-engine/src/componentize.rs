//! From a core module that says what component it is meant to be, to that component.
//!
//! Compilers such as rustc make core modules. Bindings made by wit-bindgen leave the world that they were made for in custom
//! sections, which is all it takes: `cargo build` is enough, with no further tool.
//!
//! Not here: modules that import WASI in its first version. They need an adapter, and have no such section.

use wasmparser::{Parser, Payload};
use wit_component::ComponentEncoder;

/// How the names of the sections with a world begin.
const SECTION: &str = "component-type";

/// Whether a core module says what component it is meant to be.
pub fn has_world(module: &[u8]) -> bool {
    let mut sections = Parser::new(0).parse_all(module).map_while(Result::ok);
    sections.any(|section| matches!(section, Payload::CustomSection(section) if section.name().starts_with(SECTION)))
}

/// Wraps such a module; imports that it never uses are left out.
pub fn componentize(module: &[u8]) -> Result<Vec<u8>, String> {
    let component = ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode());
    component.map_err(|error| format!("{error:#}"))
}
