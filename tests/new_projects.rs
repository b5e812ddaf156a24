//! `dohost new`: the projects that it writes build, and pass their own tests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::{Ended, Setup, dohost, run};

/// Where the tools of the languages are.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/languages/tools")
}

/// Runs dohost in a project.
fn in_project(project: &Path, argument: &str) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dohost"));
    let folders = [tools().join("bin"), tools().join("python/bin")].into_iter();
    let path = env::join_paths(folders.chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())));
    command.arg(argument).current_dir(project).env("PATH", path.expect("no folder has a colon in its name"));
    command.env("ZIG_GLOBAL_CACHE_DIR", tools().join("zig-cache"));
    run(command)
}

/// Makes a project, builds it if it has to be built, and runs its tests.
#[track_caller]
fn begins_well(language: &str, has_to_be_built: bool) {
    let setup = Setup::new();
    let project = setup.directory().join("my-counter");
    let ended = dohost(["new".as_ref(), project.as_os_str(), "--lang".as_ref(), language.as_ref()]);
    assert!(ended.status.success(), "{ended:#?}");
    assert!(ended.stdout.contains("dohost dev"), "{ended:#?}");
    if has_to_be_built {
        let ended = in_project(&project, "build");
        assert!(ended.status.success(), "run `cargo xtask languages` first: {ended:#?}");
    }
    let ended = in_project(&project, "test");
    assert!(ended.stdout.ends_with("1 passed, 0 failed\n"), "{ended:#?}");
}

#[test]
fn a_project_in_javascript_passes_its_tests_as_it_is() {
    begins_well("js", false);
}

#[test]
fn a_project_in_typescript_passes_its_tests_as_it_is() {
    begins_well("ts", false);
}

#[test]
#[ignore = "takes a minute, and a Rust on the PATH that has wasm32-unknown-unknown"]
fn a_project_in_rust_builds_and_passes_its_tests() {
    begins_well("rust", true);
}

#[test]
fn a_project_in_c_builds_and_passes_its_tests() {
    begins_well("c", true);
}

#[test]
fn a_project_in_zig_builds_and_passes_its_tests() {
    begins_well("zig", true);
}

#[test]
#[ignore = "takes crates from their registry, and the tools that `cargo xtask languages go` brings"]
fn a_project_in_go_builds_and_passes_its_tests() {
    begins_well("go", true);
}

#[test]
fn what_is_there_is_not_overwritten() {
    let setup = Setup::new();
    let project = setup.directory().join("mine");
    std::fs::create_dir(&project).expect("a directory");
    std::fs::write(project.join("dohost.toml"), "precious").expect("a file");
    let again = || dohost(["new".as_ref(), project.as_os_str()]);
    again().says(&["is there already and not empty", "help: give the name of a directory that is not there yet"]);
    assert_eq!(std::fs::read_to_string(project.join("dohost.toml")).expect("a file"), "precious");
    let bad = setup.directory().join("My Counter");
    dohost(["new".as_ref(), bad.as_os_str()]).says(&["\"My Counter\" cannot be the name of a project"]);
    assert!(!bad.exists());
}
