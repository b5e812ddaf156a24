//! The guests that the simulation runs: those of the tests, compiled once for the process.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use dohost_engine::{Engine, EngineOptions, ObjectComponent};
use parking_lot::Mutex;

/// Instances that all simulations of the process may have at once.
const INSTANCES_MAX: u32 = 1_000;

/// Classes with their components.
pub type Classes = Vec<(String, ObjectComponent)>;

/// The classes `probe`, `counter` and `alarms`. Built by `cargo xtask guests`.
pub fn classes() -> Result<Classes> {
    ["probe", "counter", "alarms"].map(|name| Ok((name.to_string(), component(name)?))).into_iter().collect()
}

/// A guest by its name.
pub fn component(name: &str) -> Result<ObjectComponent> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    static COMPONENTS: Mutex<Classes> = Mutex::new(Vec::new());
    // Held while it compiles, so that it is compiled once.
    let mut components = COMPONENTS.lock();
    if let Some((_, component)) = components.iter().find(|(other, _)| other == name) {
        return Ok(component.clone());
    }
    let engine = match ENGINE.get() {
        Some(engine) => engine,
        None => {
            // No epochs: they come from the wall clock.
            let options = EngineOptions { instances_max: INSTANCES_MAX, has_epochs: false, ..EngineOptions::default() };
            let engine = Engine::new(options)?;
            ENGINE.get_or_init(|| engine)
        }
    };
    let file = folder().join(name).with_extension("wasm");
    let component = engine.load_object(&file).context("failed to load a guest: cargo xtask guests builds them")?;
    components.push((name.to_string(), component.clone()));
    Ok(component)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests")
}
