//! Packages of PyPI, in environments below target/.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::debian;
use crate::process::{answer, run, without_cargo};

/// Installs a package, named with its version, in an environment, which is made if it is not there.
pub fn pip_install(environment: &Path, package: &str) -> Result<()> {
    let done = environment.join(format!("{package}.installed"));
    if done.is_file() {
        return Ok(());
    }
    let python = environment.join("bin/python");
    if answer(Command::new(&python).args(["-m", "pip", "--version"])).is_none() {
        debian::package_for("python3", "python3")?;
        let made = run(outside("python3").args(["-m", "venv", "--clear"]).arg(environment));
        if made.is_err() {
            // Debian has the half of it in a package of its own.
            debian::install(&["python3-venv"]).context("python3 has no venv")?;
            run(outside("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
        }
    }
    run(outside(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]))?;
    fs::write(&done, "").with_context(|| format!("failed to write {}", done.display()))
}

/// A program that is to know nothing of the cargo that runs us.
fn outside(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    without_cargo(&mut command);
    command
}
