//! Guests in languages other than Rust: `guests/counter-{language}/` becomes `target/guests/counter-{language}.wasm`.
//!
//! Every one of them is a folder that a newcomer can copy: the program, its WIT, and a `build.sh` that calls the tools of
//! the language. Here the folder is copied too, dohost's WIT is laid into `wit/deps`, the tools are brought from package
//! registries to `target/languages/tools`, in the versions that are written down in [`tools`], and `build.sh` is run.
//!
//! What was built is kept as long as neither the sources nor the versions of the tools change.

mod sources;
pub mod tools;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::guests;
use crate::process::{run, say, without_cargo};
use tools::{Tool, Tools};

/// A language with a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    C,
    Zig,
    Assemblyscript,
    Go,
    Python,
}

impl Language {
    /// What `build.sh` calls.
    fn tools(self) -> &'static [Tool] {
        match self {
            Self::C => &[Tool::WitBindgen, Tool::WasmTools, Tool::Clang],
            Self::Zig => &[Tool::Zig, Tool::WasmTools],
            Self::Assemblyscript => &[Tool::Npm, Tool::WasmTools],
            Self::Go => &[Tool::Go, Tool::WitBindgen, Tool::WasmTools, Tool::Adapter],
            Self::Python => &[Tool::ComponentizePy],
        }
    }

    /// The folder in `guests/`, and the component.
    fn guest(self) -> String {
        let value = self.to_possible_value().expect("no language is left out");
        format!("counter-{}", value.get_name())
    }
}

/// Brings the counters of these languages up to date, of all if none is named.
pub fn build(languages: &[Language]) -> Result<()> {
    let languages = if languages.is_empty() { Language::value_variants() } else { languages };
    let mut tools = Tools::new(folder())?;
    fs::create_dir_all(guests::target().join("guests")).context("failed to make target/guests")?;
    for &language in languages {
        build_one(language, &mut tools).with_context(|| format!("failed to build guests/{}", language.guest()))?;
    }
    Ok(())
}

fn build_one(language: Language, tools: &mut Tools) -> Result<()> {
    let name = language.guest();
    let sources = guests::workspace().join(&name);
    let component = guests::component(&name);
    let stamp_file = folder().join(format!("{name}.stamp"));
    let mut inputs = vec![sources.clone(), wit()];
    if language.tools().contains(&Tool::WitBindgen) {
        inputs.push(tools::wit_bindgen_sources());
    }
    let stamp = sources::stamp(&inputs, &tools::versions(language.tools()))?;
    if component.is_file() && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        say(format!("target/guests/{name}.wasm is up to date"));
        return Ok(());
    }

    for tool in language.tools() {
        tools.install(*tool)?;
    }
    let copy = folder().join(&name);
    sources::copy(&sources, &copy)?;
    sources::lay_out_wit(&wit(), &copy.join("wit/deps"))?;

    let started = Instant::now();
    let mut build = Command::new("./build.sh");
    without_cargo(&mut build).current_dir(&copy).env("PATH", search_path(tools)?).envs(tools.environment());
    run(&mut build)?;
    let seconds = started.elapsed().as_secs_f32();

    let built = copy.join("counter.wasm");
    let kib = fs::metadata(&built).context("build.sh made no counter.wasm")?.len().div_ceil(1024);
    // By way of a rename: who runs the old one meanwhile keeps it.
    fs::rename(&built, &component).with_context(|| format!("failed to write {}", component.display()))?;
    fs::write(&stamp_file, stamp).with_context(|| format!("failed to write {}", stamp_file.display()))?;
    say(format!("target/guests/{name}.wasm ({kib} KiB, {seconds:.1} s)"));
    Ok(())
}

/// Where all of this happens.
fn folder() -> PathBuf {
    guests::target().join("languages")
}

/// dohost's WIT.
fn wit() -> PathBuf {
    guests::root().join("wit")
}

/// Our tools first, then the user's.
fn search_path(tools: &Tools) -> Result<std::ffi::OsString> {
    let users = env::var_os("PATH").unwrap_or_default();
    let folders = tools.folders().into_iter().chain(env::split_paths(&users));
    env::join_paths(folders).context("a folder on the PATH has a name that cannot be there")
}

/// A path for messages, as one would write it in the checkout.
fn shown(path: &Path) -> String {
    path.strip_prefix(guests::root()).unwrap_or(path).display().to_string()
}
