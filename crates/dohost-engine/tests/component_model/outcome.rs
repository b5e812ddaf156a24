//! What a file of the suite comes to.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmtime::Engine;
use wasmtime_wast::{Async, SpectestConfig, WastContext};

use crate::suite::File;

/// So many epochs as never pass: nothing advances them here.
const EPOCHS: u64 = 1_000_000;
/// How messages of the validator name a feature that is off.
const FEATURE_OFF: [&str; 3] = ["requires the component model", "require the component model", "feature is not active"];
/// So much of a failure is written down.
const SHOWN_CHARS_MAX: usize = 160;

/// See the module.
pub enum Outcome {
    Pass,
    /// Refused before anything runs, with a reason that names a feature which is off.
    Gated(String),
    Fails(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Pass => f.write_str("pass"),
            Outcome::Gated(reason) => write!(f, "gated: {reason}"),
            Outcome::Fails(reason) => write!(f, "fails: {reason}"),
        }
    }
}

/// Runs a file. A panic, of the compiler say, is a failure of this file and of no other.
pub fn of(file: &File, engine: &Engine) -> Outcome {
    match catch_unwind(AssertUnwindSafe(|| run(file, engine))) {
        Ok(Ok(())) => Outcome::Pass,
        Ok(Err(error)) => failure(&error),
        Err(_) => Outcome::Fails("panic".into()),
    }
}

fn run(file: &File, engine: &Engine) -> wasmtime::Result<()> {
    let text = std::fs::read(&file.path)?;
    let mut context = WastContext::new(engine, Async::Yes, |store| store.set_epoch_deadline(EPOCHS));
    context.register_spectest(&SpectestConfig { use_shared_memory: false, suppress_prints: true })?;
    // The suite has the words of the reference interpreter; wasmtime says the same in others.
    context.ignore_error_messages(true);
    context.run_wast(&file.name, &text)
}

fn failure(error: &wasmtime::Error) -> Outcome {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    let is_gate = |text: &&String| FEATURE_OFF.iter().any(|words| text.contains(words));
    match causes.iter().find(is_gate) {
        Some(gate) => Outcome::Gated(first_line(gate)),
        None => Outcome::Fails(first_line(causes.last().expect("an error says something"))),
    }
}

/// Without the offset, which says nothing to a reader of the table.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" (at offset").next().unwrap_or(line);
    line.chars().take(SHOWN_CHARS_MAX).collect()
}
