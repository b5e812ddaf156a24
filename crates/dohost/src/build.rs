//! `dohost build`: a program of JavaScript or TypeScript becomes a component.

use std::path::{Path, PathBuf};

use crate::args::{Build, LogFormat};
use crate::failure::Failure;
use crate::logging;
use crate::output;
use crate::programs::Programs;

/// Builds it, writes it, and says what it exports.
pub fn run(args: &Build) -> anyhow::Result<()> {
    // What the program prints while it is evaluated.
    let _logs = logging::start(LogFormat::Text, "warn,guest=info")?;
    let started = std::time::Instant::now();
    if !dohost_javascript::is_source(&args.file) {
        let text = format!("{} is not JavaScript or TypeScript by its name", args.file.display());
        return Err(Failure::new(text, Some("give a .js, .mjs, .ts or .mts file".into())).into());
    }
    let built = Programs::new().built(&args.file)?;
    let to = args.output.clone().unwrap_or_else(|| args.file.with_extension("wasm"));
    write(&to, &built.component)?;
    let size = bytesize::ByteSize(built.component.len() as u64);
    let modules = match built.files.len() {
        1 => "1 module".to_string(),
        several => format!("{several} modules"),
    };
    let seconds = started.elapsed().as_secs_f64();
    output::say(format_args!("{} ({modules} → {}, {seconds:.1} s)", to.display(), size.display().iec_short()))?;
    for class in &built.program.classes {
        let members: Vec<&str> = class.handlers.iter().chain(&class.methods).map(String::as_str).collect();
        output::say(format_args!("  class {}: {}", class.name, or_nothing(&members)))?;
    }
    if built.program.worker {
        output::say("  a Worker: fetch")?;
    }
    Ok(())
}

fn or_nothing(names: &[&str]) -> String {
    if names.is_empty() { "neither handlers nor methods".into() } else { names.join(", ") }
}

/// By way of a rename, so that a host that reads it meanwhile reads a whole one.
fn write(to: &Path, component: &[u8]) -> anyhow::Result<()> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", to.display()), None);
    let unfinished = PathBuf::from(format!("{}.{}", to.display(), std::process::id()));
    let written = std::fs::write(&unfinished, component).and_then(|()| std::fs::rename(&unfinished, to));
    Ok(written.inspect_err(|_| drop(std::fs::remove_file(&unfinished))).map_err(failed)?)
}
