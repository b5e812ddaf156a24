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
    let named = |name: &str| Ok((name.to_string(), load(name)?));
    let classes = ["probe", "counter", "alarms"].map(named).into_iter().collect::<Result<Classes>>()?;
    Ok(CLASSES.get_or_init(|| classes).clone())
}

/// A guest by its name.
pub fn load(name: &str) -> Result<ObjectComponent> {
    let file = folder().join(name).with_extension("wasm");
    Ok(engine()?.load_object(&file).context("failed to load a guest: cargo xtask guests builds them")?)
}

/// One for the process.
fn engine() -> Result<Engine> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    if let Some(engine) = ENGINE.get() {
        return Ok(engine.clone());
    }
    // No epochs: they come from the wall clock.
    let engine =
        Engine::new(EngineOptions { instances_max: INSTANCES_MAX, has_epochs: false, ..EngineOptions::default() })?;
    Ok(ENGINE.get_or_init(|| engine).clone())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests")
}
