//! Which Rust compiles the guests.
//!
//! Guests are compiled for wasm32-unknown-unknown, and the standard library of that target is not everywhere. In this
//! order: the Rust on the PATH if it has it; the same after `rustup target add`; Debian's Rust, which builds the
//! standard library from source. Whoever finds one says which and why.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::debian;
use crate::process::{answer, cargo, is_on_path, run_within, say};

pub const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `rustup` or `debian`, only that way is tried.
const CHOICE: &str = "DOHOST_GUEST_TOOLCHAIN";

/// How long `rustup target add` may take. It downloads some 20 MB, and behind a firewall it may never end.
const TARGET_ADD_MAX: Duration = Duration::from_secs(120);

/// A Rust that can compile guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The one on the PATH, which has the target.
    OnPath,
    /// Debian's, with the standard library built along.
    Debian,
}

impl Toolchain {
    /// A cargo of this toolchain that builds the guest workspace in `folder`, in release, to [`Self::modules`].
    pub fn build(self, folder: &Path, target: &Path) -> Command {
        let mut command = match self {
            Self::OnPath => cargo(folder),
            Self::Debian => debian::cargo(folder),
        };
        command.args(["build", "--release", "--target", TARGET]);
        if self == Self::Debian {
            command.args(debian::BUILD_STD);
        }
        self.set_up(&mut command, target);
        command
    }

    /// Settings that every cargo of this toolchain needs. `target` is the target folder of the root workspace.
    pub fn set_up(self, command: &mut Command, target: &Path) {
        command.env("CARGO_TARGET_DIR", self.folder(target));
        // Flags for the host, such as its processor or linker, are none for wasm.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_TARGET");
    }

    /// Where the core modules are after the build.
    pub fn modules(self, target: &Path) -> PathBuf {
        self.folder(target).join(TARGET).join("release")
    }

    /// One folder each, so that going from one to the other and back costs nothing.
    fn folder(self, target: &Path) -> PathBuf {
        target.join(match self {
            Self::OnPath => "guests-build",
            Self::Debian => "guests-build-debian",
        })
    }
}

/// Finds a toolchain, installing what is missing if need be.
pub fn find(target: &Path) -> Result<Toolchain> {
    match env::var(CHOICE).ok().as_deref() {
        None | Some("") => find_any(target),
        Some("rustup") => {
            if !has_target() {
                add_target().with_context(|| format!("{CHOICE}=rustup, but there is no {TARGET}"))?;
            }
            say(format!("guests are built with the Rust on the PATH, as {CHOICE}=rustup demands"));
            Ok(Toolchain::OnPath)
        }
        Some("debian") => {
            debian::install(&debian::RUST).with_context(|| format!("{CHOICE}=debian cannot be had"))?;
            say(format!("guests are built with Debian's Rust, as {CHOICE}=debian demands"));
            Ok(Toolchain::Debian)
        }
        Some(other) => bail!("{CHOICE} is `{other}`, which is neither `rustup` nor `debian`"),
    }
}

fn find_any(target: &Path) -> Result<Toolchain> {
    if has_target() {
        say(format!("guests are built with the Rust on the PATH: it has {TARGET}"));
        return Ok(Toolchain::OnPath);
    }
    // Waiting for rustup to fail once is enough.
    if Toolchain::Debian.modules(target).is_dir() && debian::is_installed(&debian::RUST) {
        say(format!("guests are built with Debian's Rust, as before ({CHOICE}=rustup tries rustup again)"));
        return Ok(Toolchain::Debian);
    }
    let Err(no_rustup) = add_target() else {
        say(format!("guests are built with the Rust on the PATH: rustup added {TARGET}"));
        return Ok(Toolchain::OnPath);
    };
    say(format!("the Rust on the PATH cannot build guests: {no_rustup:#}"));
    if let Err(no_debian) = debian::install(&debian::RUST) {
        bail!(
            "nothing here can compile for {TARGET}\n  \
             rustup: {no_rustup:#}\n  \
             debian: {no_debian:#}\n  \
             help: install that target for the Rust on the PATH (with rustup: `rustup target add {TARGET}`)"
        );
    }
    say("guests are built with Debian's Rust; the first time it builds the standard library too, which takes minutes");
    Ok(Toolchain::Debian)
}

/// What this machine is to the Rust on the PATH.
pub fn host_triple() -> Result<String> {
    let version = answer(Command::new("rustc").arg("-vV")).context("failed to ask rustc for its version")?;
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(line.context("rustc does not say what it runs on")?.to_owned())
}

/// Whether the rustc on the PATH comes with the target's standard library, from wherever it is.
fn has_target() -> bool {
    let libraries = answer(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    libraries.is_some_and(|libraries| Path::new(&libraries).is_dir())
}

fn add_target() -> Result<()> {
    if !is_on_path("rustup") {
        bail!("there is no rustup");
    }
    run_within(TARGET_ADD_MAX, Command::new("rustup").args(["target", "add", TARGET]))?;
    if !has_target() {
        bail!("rustup added {TARGET}, but not for the rustc on the PATH");
    }
    Ok(())
}
