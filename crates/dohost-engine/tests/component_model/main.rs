//! The reference suite of the component model, through the configuration that guests are run with.
//!
//! What each file of the suite comes to is written down in `conformance/component-model.txt`: once as guests are run, and
//! once with every feature on that wasmtime has and dohost leaves off. The second pass is there because a file ends at the
//! first thing that a feature is missing for, which would hide what comes after it. A change of wasmtime, or of our
//! configuration, that changes anything is a difference in that table, which somebody has to read.
//!
//! `DOHOST_CONFORMANCE_RECORD=1` writes the table anew.

mod outcome;
mod suite;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use dohost_engine::EngineOptions;
use dohost_engine::config::config;

use outcome::Outcome;

/// What comes before the table.
const HEAD: &str = "\
# What the files of the component model's reference suite come to: as guests are run, and with every feature on.
# Written by the test `the_reference_suite_comes_to_what_is_written_down`; docs/CONFORMANCE.md says how to read it.
";

fn table() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/component-model.txt")
}

/// As guests are run.
fn as_served() -> wasmtime::Config {
    config(&EngineOptions::default())
}

/// The same with what the suite needs and dohost leaves off.
fn with_every_feature() -> wasmtime::Config {
    let mut config = as_served();
    config
        .wasm_component_model_more_async_builtins(true)
        .wasm_component_model_async_stackful(true)
        .wasm_component_model_threading(true)
        .wasm_component_model_implements(true)
        .wasm_component_model_map(true)
        .wasm_component_model_fixed_length_lists(true);
    config
}

/// What every file comes to.
fn outcomes(files: &[suite::File], config: &wasmtime::Config) -> Vec<Outcome> {
    let engine = wasmtime::Engine::new(config).expect("the engine starts with this configuration");
    files.iter().map(|file| outcome::of(file, &engine)).collect()
}

#[test]
fn the_reference_suite_comes_to_what_is_written_down() {
    let files = suite::files();
    let served = outcomes(&files, &as_served());
    let every = outcomes(&files, &with_every_feature());

    let mut written = HEAD.to_string();
    for (file, (served, every)) in files.iter().zip(served.iter().zip(&every)) {
        writeln!(written, "{}: {served} | {every}", file.name).expect("text can be written");
    }
    if std::env::var_os("DOHOST_CONFORMANCE_RECORD").is_some() {
        std::fs::write(table(), &written).expect("the table can be written");
    }
    let expected = std::fs::read_to_string(table()).expect("conformance/component-model.txt");
    assert_eq!(differences(&expected, &written), Vec::<String>::new());
}

/// The claim of docs/CONFORMANCE.md, beyond "as it was".
#[test]
fn nothing_fails_but_what_the_suite_says_is_not_implemented_yet() {
    let table = std::fs::read_to_string(table()).expect("conformance/component-model.txt");
    let not_yet = suite::not_yet_implemented();
    let mut files = 0;
    for (file, line) in rows(&table) {
        files += 1;
        let (served, every) = line.split_once(" | ").unwrap_or_else(|| panic!("a line without two outcomes: {line}"));
        assert!(served == "pass" || served.starts_with("gated"), "{file} as guests are run: {served}");
        assert_eq!(every == "pass", !not_yet.contains(file), "{file} with every feature: {every}");
    }
    assert!(files > 60, "only {files} files are in the table");
}

fn rows(table: &str) -> BTreeMap<&str, &str> {
    table.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": ")).collect()
}

fn differences(expected: &str, got: &str) -> Vec<String> {
    let (expected, got) = (rows(expected), rows(got));
    let files: std::collections::BTreeSet<&&str> = expected.keys().chain(got.keys()).collect();
    let differing = files.into_iter().filter(|file| expected.get(**file) != got.get(**file));
    let shown = |row: Option<&&str>| row.map_or("nothing", |row| *row).to_owned();
    differing.map(|file| format!("{file}: was {}, is {}", shown(expected.get(*file)), shown(got.get(*file)))).collect()
}

#[test]
fn a_line_that_is_new_gone_or_changed_is_a_difference() {
    let was = "# a comment\na: pass | pass\nb: pass | pass\nc: pass | pass\n";
    let is = "a: pass | pass\nb: fails: x | pass\nd: pass | pass\n";
    assert_eq!(
        differences(was, is),
        ["b: was pass | pass, is fails: x | pass", "c: was pass | pass, is nothing", "d: was nothing, is pass | pass"]
    );
    assert_eq!(differences(was, was), Vec::<String>::new());
}
