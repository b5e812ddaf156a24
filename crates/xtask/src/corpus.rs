//! Comparing dohost with workerd, live, on the programs of `tests/corpus`.
//!
//! The comparison itself is tests of the end-to-end suite; here workerd is installed and they are told where it is.
//! npm gets it, pinned by a lock file with hashes, into `target/`; nothing runs that a package brings to run when it is
//! installed. It is no part of dohost.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::guests;
use crate::npm;
use crate::process::{cargo, run};

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
    // The binary is in the package of the platform; the package `workerd` would only start it, with Node.js.
    let platforms = npm::install("tests/corpus/workerd", "workerd")?.join("@cloudflare");
    let mut found = fs::read_dir(&platforms).with_context(|| format!("no workerd in {}", platforms.display()))?;
    let platform = found.next().context("npm knows no workerd for this platform")??;
    Ok(platform.path().join("bin/workerd"))
}
