//! Comparing dohost with workerd, live, on the programs of `tests/corpus`.
//!
//! The comparison itself is tests of the end-to-end suite; here workerd is installed and they are told where it is.
//! npm gets it, pinned by a lock file with hashes, into `target/`; nothing runs that a package brings to run when it is
//! installed. It is no part of dohost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::debian;
use crate::guests;
use crate::process::{cargo, is_on_path, run};

/// What npm needs to know.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

pub fn compare(record: bool, only_workerd: bool, only: &str) -> Result<()> {
    let workerd = workerd()?;
    guests::build()?;
    let filter = if record || only_workerd { "corpus::workerd_answers_as_recorded" } else { "corpus::" };
    let mut tests = cargo(guests::root());
    tests
        .args(["test", "--release", "--workspace", "--test", "e2e", "--", "--include-ignored", filter])
        .env("DOHOST_CORPUS_WORKERD", workerd)
        .env("DOHOST_CORPUS_ONLY", only);
    if record {
        tests.env("DOHOST_CORPUS_RECORD", "1");
    }
    run(&mut tests)
}

/// Its binary, which is installed if it is not there or is another version.
fn workerd() -> Result<PathBuf> {
    let source = guests::root().join("tests/corpus/workerd");
    let installed = guests::target().join("workerd");
    let binary = installed.join("node_modules/workerd/bin/workerd");
    let read = |folder: &Path, name: &str| fs::read(folder.join(name));
    let mut is_current = binary.exists();
    for name in FILES {
        is_current &= read(&installed, name).is_ok_and(|bytes| read(&source, name).is_ok_and(|other| other == bytes));
    }
    if !is_current {
        install(&source, &installed)?;
    }
    // The package `workerd` starts it with Node.js; the binary is in the package of the platform.
    let platforms = installed.join("node_modules/@cloudflare");
    let mut found = fs::read_dir(&platforms).with_context(|| format!("no workerd in {}", platforms.display()))?;
    let platform = found.next().context("npm knows no workerd for this platform")??;
    Ok(platform.path().join("bin/workerd"))
}

fn install(source: &Path, installed: &Path) -> Result<()> {
    if !is_on_path("npm") {
        debian::install(&debian::NPM)?;
        ensure!(is_on_path("npm"), "there is no npm, although it was installed");
    }
    fs::create_dir_all(installed)?;
    for name in FILES {
        fs::copy(source.join(name), installed.join(name))?;
    }
    let mut npm = Command::new("npm");
    run(npm.current_dir(installed).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))
}
