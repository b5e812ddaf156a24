//! Running other programs.
//!
//! xtask is itself run by cargo, which leaves variables behind that speak of xtask and its toolchain. A child that is
//! to use the same toolchain may have them; for one that is not, [`without_cargo`] takes them away.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a child with a time limit is looked after.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// A line of progress. On standard error, like cargo's own.
pub fn say(text: impl AsRef<str>) {
    eprintln!("xtask: {}", text.as_ref());
}

/// Runs to the end; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    say(format!("$ {line}"));
    let status = command.status().with_context(|| format!("failed to start `{line}`"))?;
    succeed(&line, status)
}

/// Like [`run`], but the child is killed after `limit`.
pub fn run_within(limit: Duration, command: &mut Command) -> Result<()> {
    let line = line_of(command);
    say(format!("$ {line}"));
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("failed to start `{line}`"))?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return succeed(&line, status);
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("`{line}` was not done after {} s", limit.as_secs());
        }
        sleep(POLL_EVERY);
    }
}

/// What the child writes to standard output, without white space around it; none if it cannot be run or fails.
pub fn answer(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}

/// Whether a program of that name is on the PATH.
pub fn is_on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// cargo, of the toolchain that runs xtask, in a folder.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new("cargo");
    // Some build scripts look at these, and would run again for each cargo that is started by hand.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command.current_dir(folder);
    command
}

/// Takes away what the outer cargo and rustup set for xtask.
pub fn without_cargo(command: &mut Command) -> &mut Command {
    for (name, _) in env::vars_os() {
        if is_left_behind(&name) {
            command.env_remove(name);
        }
    }
    command
}

/// Where downloads and credentials are is the user's business; the rest would mislead another toolchain. `cargo run`
/// points LD_LIBRARY_PATH at the libraries of its own rustc.
fn is_left_behind(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    let of_xtask = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];
    let of_toolchain =
        ["CARGO", "CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH", "RUSTC", "RUSTDOC", "RUST_RECURSION_COUNT"];
    of_toolchain.contains(&name)
        || name.starts_with("RUSTUP_")
        || of_xtask.iter().any(|prefix| name.starts_with(prefix))
}

fn succeed(line: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    Ok(())
}

/// The command as one would type it.
fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
