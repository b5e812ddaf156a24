//! Websockets against what others wrote: the Autobahn cases, and a browser.
//!
//! Both are tests of the end-to-end suite; here they get what they need, which is no part of dohost.

use anyhow::Result;

use crate::debian;
use crate::guests;
use crate::process::{cargo, run};
use crate::python::pip_install;

/// Runs the cases of Autobahn.
const KOSOKU: &str = "kosoku==0.1.0";

/// The cases of Autobahn, once as usual and once with the object evicted all the time.
pub fn autobahn() -> Result<()> {
    let environment = guests::target().join("kosoku");
    pip_install(&environment, KOSOKU)?;
    guests::build()?;
    run(tests("autobahn::").env("DOHOST_KOSOKU", environment.join("bin/kosoku")))
}

/// The chat room with tabs of Chromium.
pub fn browser() -> Result<()> {
    debian::package_for("chromium", "chromium")?;
    guests::build()?;
    run(tests("browser::").env("DOHOST_CHROMIUM", "chromium"))
}

fn tests(filter: &str) -> std::process::Command {
    let mut tests = cargo(guests::root());
    tests.args(["test", "--release", "--workspace", "--test", "e2e", "--", "--include-ignored", filter]);
    tests
}
