//! Building what is installed: dohost optimised as one piece, and, trained, by what requests were seen to do.
//!
//! A trained build takes three steps: a dohost that counts, requests for it to answer (`benches/training.py`), and a
//! dohost that is optimised by what was counted (rustc's profile-guided optimisation). Counts are of this compiler and this code, so they
//! are made anew each time. Everything is in target/trained, as other flags of the compiler make other libraries.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::chores::host_target;
use crate::process::{answer, cargo, is_on_path, run, say};
use crate::toolchain::host_triple;
use crate::{debian, guests};

/// What reads and joins counts, if rustup has none: of this compiler's LLVM or a later one, as an older one does not know the format. The
/// plain name may be anything.
const JOINERS: [&str; 2] = ["llvm-profdata-22", "llvm-profdata-23"];
/// Debian's package with one.
const JOINER_PACKAGE: &str = "llvm-22";

/// Builds target/dist/dohost.
pub fn build(is_trained: bool) -> Result<()> {
    guests::build()?;
    let place = host_target().join("dist/dohost");
    if is_trained {
        let built = trained()?;
        fs::create_dir_all(place.parent().expect("it is in a folder"))?;
        // A new file: who runs the old one goes on with that.
        let fresh = place.with_extension("new");
        fs::copy(&built, &fresh).with_context(|| format!("failed to copy {}", built.display()))?;
        fs::rename(&fresh, &place)?;
    } else {
        run(cargo(guests::root()).args(BUILD))?;
    }
    say(place.display().to_string());
    Ok(())
}

/// The whole workspace: `--package dohost` would select other features for some shared dependencies.
const BUILD: [&str; 6] = ["build", "--profile", "dist", "--workspace", "--bin", "dohost"];

fn trained() -> Result<PathBuf> {
    let joiner = joiner()?;
    debian::package_for("wrk", "wrk")?;
    debian::package_for("python3", "python3")?;
    let folder = host_target().join("trained");
    let counts = folder.join("counts");
    if counts.exists() {
        fs::remove_dir_all(&counts)?;
    }
    fs::create_dir_all(&counts)?;
    // Linked as it comes: it is the code of each library that is counted, and so it takes minutes less.
    let counting =
        with_flags(&format!("-Cprofile-generate={}", counts.display()), &[("CARGO_PROFILE_DIST_LTO", "off")])?;
    let mut training = Command::new("python3");
    training.arg(guests::root().join("benches/training.py")).arg(counting);
    run(training.env("LLVM_PROFILE_FILE", counts.join("%p-%m.profraw")))?;
    let joined = folder.join("dohost.profdata");
    let mut join = Command::new(joiner);
    run(join.args(["merge", "-sparse", "-o"]).arg(&joined).arg(&counts))?;
    with_flags(&format!("-Cprofile-use={}", joined.display()), &[])
}

/// Builds with a flag for the compiler; where the binary is.
fn with_flags(flag: &str, settings: &[(&str, &str)]) -> Result<PathBuf> {
    let target = host_triple()?;
    let folder = host_target().join("trained");
    let mut build = cargo(guests::root());
    // With a target, so that the flag is not for what runs while building. Encoded, as its path may have spaces.
    build.args(BUILD).args(["--target", &target]).env("CARGO_ENCODED_RUSTFLAGS", flag).env("CARGO_TARGET_DIR", &folder);
    run(build.envs(settings.iter().copied()))?;
    Ok(folder.join(target).join("dist/dohost"))
}

/// rustup's, which belongs to the compiler, or another one that is there or can be installed.
fn joiner() -> Result<PathBuf> {
    let libraries = answer(Command::new("rustc").args(["--print", "target-libdir"])).unwrap_or_default();
    let own = PathBuf::from(libraries).with_file_name("bin").join("llvm-profdata");
    if own.is_file() {
        return Ok(own);
    }
    if let Some(joiner) = JOINERS.into_iter().find(|joiner| is_on_path(joiner)) {
        return Ok(joiner.into());
    }
    if let Err(no_debian) = debian::install(&[JOINER_PACKAGE]) {
        bail!(
            "nothing here joins what was counted\n  debian: {no_debian:#}\n  \
             help: rustup component add llvm-tools"
        );
    }
    Ok(JOINERS[0].into())
}
