//! `dohost build`: a program of JavaScript or TypeScript becomes a component, and so does a core module that says which world it
//! is made for; or the command is run that builds whatever the application is made of. Without either, the programs that dohost.toml names
//! are built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::{Application, Build, LogFormat};
use crate::config::plan::BuildPlan;
use crate::failure::Failure;
use crate::logging;
use crate::programs::Programs;
use crate::{config, output};

/// Builds it, writes it, and says what it exports.
pub fn run(args: &Build) -> anyhow::Result<()> {
    let Some(file) = &args.file else { return configured(args) };
    if file.extension().is_some_and(|extension| extension == "wasm") {
        return wrap(args, file);
    }
    // What the program prints while it is evaluated.
    let _logs = logging::start(LogFormat::Text, "warn,guest=info")?;
    if !dohost_javascript::is_source(file) {
        let text = format!("{} is not JavaScript or TypeScript by its name", file.display());
        return Err(Failure::new(text, Some("give a .js, .mjs, .ts, .mts or .wasm file".into())).into());
    }
    program(&Programs::new(), file, args.output.clone())
}

/// Runs the command that dohost.toml has, or else builds the programs that it names.
fn configured(args: &Build) -> anyhow::Result<()> {
    let application = Application { config: args.config.clone(), ..Application::default() };
    if run_command(&application)? {
        return Ok(());
    }
    let sources = config::sources(&application)?;
    if sources.is_empty() {
        let help = "give a program of JavaScript: dohost build FILE; or a command in [build] of dohost.toml";
        return Err(Failure::new("there is nothing to build", Some(help.into())).into());
    }
    let _logs = logging::start(LogFormat::Text, "warn,guest=info")?;
    let programs = Programs::new();
    sources.iter().try_for_each(|file| program(&programs, file, None))
}

/// Builds a program of JavaScript, and says what it exports.
fn program(programs: &Programs, file: &Path, to: Option<PathBuf>) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    let built = programs.built(file)?;
    let to = to.unwrap_or_else(|| file.with_extension("wasm"));
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

/// Runs the command that builds the components, if there is one.
pub fn run_command(application: &Application) -> anyhow::Result<bool> {
    let Some(BuildPlan { command, directory, .. }) = config::build(application)? else { return Ok(false) };
    eprintln!("building: {command}");
    let status = Command::new("sh").args(["-c", &command]).current_dir(&directory).status();
    let status = status
        .map_err(|error| Failure::new(format!("cannot run {command:?} in {}: {error}", directory.display()), None))?;
    match status.success() {
        true => Ok(true),
        false => Err(Failure::new(format!("the build failed: {command}: {status}"), None).into()),
    }
}

/// Makes a component of a core module, as `dohost serve` does.
fn wrap(args: &Build, file: &Path) -> anyhow::Result<()> {
    let component = dohost_engine::component::read(file).map_err(|error| {
        let help = error.help();
        Failure::new(error, help)
    })?;
    let to = args.output.clone().unwrap_or_else(|| file.with_extension("component.wasm"));
    write(&to, &component)?;
    let size = bytesize::ByteSize(component.len() as u64);
    output::say(format_args!("{} ({})", to.display(), size.display().iec_short()))?;
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
