//! Packages of npm that tests use, pinned by a lock file with hashes. They are no part of dohost.
//!
//! Nothing runs that a package brings to run when it is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::debian;
use crate::guests;
use crate::process::{is_on_path, run};

/// What npm needs to know.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs what a folder of this repository asks for into one of `target/`, unless that was done already. Gives the folder of
/// the packages.
pub fn install(source: &str, target: &str) -> Result<PathBuf> {
    let (source, installed) = (guests::root().join(source), guests::target().join(target));
    let packages = installed.join("node_modules");
    let read = |folder: &Path, name: &str| fs::read(folder.join(name));
    let is_same =
        |name: &str| read(&installed, name).is_ok_and(|bytes| read(&source, name).is_ok_and(|other| other == bytes));
    if packages.is_dir() && FILES.into_iter().all(is_same) {
        return Ok(packages);
    }
    if !is_on_path("npm") {
        debian::install(&debian::NPM)?;
        ensure!(is_on_path("npm"), "there is no npm, although it was installed");
    }
    fs::create_dir_all(&installed)?;
    for name in FILES {
        fs::copy(source.join(name), installed.join(name))?;
    }
    let mut npm = Command::new("npm");
    run(npm.current_dir(&installed).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
    Ok(packages)
}
