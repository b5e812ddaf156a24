//! The guests that the simulation runs: those of the tests, compiled once for the process.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use dohost_engine::{Engine, EngineOptions, ObjectComponent};

/// Instances that all simulations of the process may have at once.
const INSTANCES_MAX: u32 = 1_000;

/// Classes with their components.
pub type Classes = Vec<(String, ObjectComponent)>;

/// The classes `probe`, `counter` and `alarms`. Built by `cargo xtask guests`.
pub fn classes() -> Result<Classes> {
    static CLASSES: OnceLock<Classes> = OnceLock::new();
    if let Some(classes) = CLASSES.get() {
        return Ok(classes.clone());
    }
    // No epochs: they come from the wall clock.
    let engine =
        Engine::new(EngineOptions { instances_max: INSTANCES_MAX, has_epochs: false, ..EngineOptions::default() })?;
    let load = |name: &str| {
        let file = folder().join(name).with_extension("wasm");
        let component = engine.load_object(&file).context("failed to load a guest: cargo xtask guests builds them")?;
        Ok((name.to_string(), component))
    };
    let classes = ["probe", "counter", "alarms"].map(load).into_iter().collect::<Result<Classes>>()?;
    Ok(CLASSES.get_or_init(|| classes).clone())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests")
}
