//! Checking what `dohost types` writes with the compiler of TypeScript.

use anyhow::Result;

use crate::guests;
use crate::npm;
use crate::process::{cargo, run};

pub fn check() -> Result<()> {
    let compiler = npm::install("tests/types", "typescript")?.join(".bin/tsc");
    guests::build()?;
    let mut tests = cargo(guests::root());
    tests.args(["test", "--release", "--workspace", "--test", "e2e", "--", "--include-ignored", "types::"]);
    run(tests.env("DOHOST_TSC", compiler))
}
