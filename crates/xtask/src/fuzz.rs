//! Fuzzing with libFuzzer: what `crates/dohost-fuzz` has, looked through for bytes that go new ways.
//!
//! Stable Rust does it: the counters in every branch that libFuzzer needs are a pass of the compiler. A sanitizer would need a nightly
//! one, and would find little where no code is unsafe.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::guests;
use crate::process::{cargo, run, say};
use crate::toolchain::host_triple;

/// What can be fuzzed: `fuzz/fuzz_targets`.
const TARGETS: [&str; 3] = ["json", "routes", "storage"];

/// Counters in every branch, and what is compared with what.
const FLAGS: [&str; 7] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Bytes of an input, at most; and seconds that it may take.
const BYTES_MAX: usize = 1_024;
const SECONDS_MAX: usize = 60;

/// Fuzzes each of these for so long, all of them if none is named.
///
/// What goes new ways is kept in `target/fuzz/corpus`; with `is_kept` the smallest part of it that goes ways of its own is added to
/// `fuzz/corpus`.
pub fn fuzz(targets: &[String], seconds: u32, is_kept: bool) -> Result<()> {
    for target in targets {
        ensure!(TARGETS.contains(&target.as_str()), "there is no target {target}; there are {}", TARGETS.join(", "));
    }
    let folder = guests::root().join("fuzz");
    let built = guests::target().join("fuzz");
    // The flags are for the target alone, and not for what runs while it is built: so it is named.
    let host = host_triple()?;
    let mut build = cargo(&folder);
    build.env("CARGO_TARGET_DIR", &built).env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    run(build.args(["build", "--release", "--target", &host]))?;

    for target in TARGETS {
        if !targets.is_empty() && !targets.iter().any(|named| named == target) {
            continue;
        }
        let program = built.join(&host).join("release").join(target);
        let (found, known) = (built.join("corpus").join(target), folder.join("corpus").join(target));
        for folder in [&found, &known] {
            std::fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
        }
        say(format!("fuzzing {target} for {seconds} s"));
        let mut fuzzing = Command::new(&program);
        fuzzing.arg(&found).arg(&known).args(common(&built, target));
        run(fuzzing.args([&format!("-max_total_time={seconds}"), "-print_final_stats=1"]))?;
        if is_kept {
            keep(&program, &found, &known)?;
        }
    }
    Ok(())
}

fn common(built: &Path, target: &str) -> [String; 3] {
    // What fails is said with its file.
    let artifacts = built.join(format!("{target}-"));
    [
        format!("-max_len={BYTES_MAX}"),
        format!("-timeout={SECONDS_MAX}"),
        format!("-artifact_prefix={}", artifacts.display()),
    ]
}

/// Adds to what is known what goes ways of its own. How often a way is gone does not count, or too much would be kept.
fn keep(program: &Path, found: &Path, known: &Path) -> Result<()> {
    let mut merge = Command::new(program);
    run(merge.args(["-set_cover_merge=1", "-use_counters=0", &format!("-max_len={BYTES_MAX}")]).arg(known).arg(found))
}
