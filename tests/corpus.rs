//! JavaScript programs that answer as they do on workerd, Cloudflare's open runtime.
//!
//! A program is a file in `corpus/programs`: Durable Object classes and a Worker in Cloudflare's form, and in its first
//! comment the requests that it is sent ([`program`]). What workerd answers is recorded in `corpus/answers`. So the tests
//! need no workerd; `cargo xtask corpus` installs it and compares anew, `cargo xtask corpus --record` records.
//!
//! The programs print nothing that differs from run to run, neither ids nor times nor chance. Thus answers are compared as
//! they are: status, some headers, body. Where dohost answers otherwise on purpose, a file in `corpus/differences` has the
//! lines and the reason ([`difference`]), and docs/COMPATIBILITY.md names it.

mod difference;
mod program;
mod runtime;
mod transcript;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use difference::{Difference, same};
use program::Program;
use runtime::Runtime;

/// Programs at once. Most of them wait most of the time.
const AT_ONCE: usize = 4;

/// Names the binary of workerd for the tests that need it.
const WORKERD: &str = "DOHOST_CORPUS_WORKERD";

/// Set, workerd's answers are written instead of compared.
const RECORD: &str = "DOHOST_CORPUS_RECORD";

/// Only programs whose names contain this.
const ONLY: &str = "DOHOST_CORPUS_ONLY";

#[test]
fn programs_in_javascript_answer_as_on_workerd() {
    run_all(|program| {
        let difference = Difference::read(&program.name)?;
        difference.check(&program.recorded()?, &transcript::of(program, &Runtime::Dohost))
    });
}

#[test]
#[ignore = "needs workerd: cargo xtask corpus"]
fn workerd_answers_as_recorded() {
    let workerd = PathBuf::from(std::env::var_os(WORKERD).unwrap_or_else(|| panic!("{WORKERD} is not set")));
    let is_recording = std::env::var_os(RECORD).is_some();
    run_all(|program| {
        let answers = transcript::of(program, &Runtime::Workerd(workerd.clone()));
        if is_recording {
            std::fs::write(program.answers(), answers).map_err(|error| error.to_string())
        } else {
            same(&program.recorded()?, &answers)
        }
    });
}

#[test]
fn there_are_answers_and_differences_of_these_programs_only() {
    let programs: BTreeSet<String> = program::all().into_iter().map(|program| program.name).collect();
    assert!(programs.len() >= 60, "only {} programs were found", programs.len());
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(program::corpus().join(folder)).expect("a folder of the corpus");
        let name = |file: PathBuf| file.file_stem().expect("a name").to_str().expect("ASCII").to_string();
        entries.map(|entry| name(entry.expect("an entry").path())).collect()
    };
    assert_eq!(names("answers"), programs);
    let compatibility = std::fs::read_to_string(program::corpus().join("../../docs/COMPATIBILITY.md"));
    let compatibility = compatibility.expect("docs/COMPATIBILITY.md");
    for name in names("differences") {
        assert!(programs.contains(&name), "differences of {name}, which is no program");
        assert!(compatibility.contains(&format!("`{name}`")), "docs/COMPATIBILITY.md does not name `{name}`");
    }
}

/// Runs each program, and tells of all that are not as they should be.
#[track_caller]
fn run_all(check: impl Fn(&Program) -> Result<(), String> + Sync) {
    let only = std::env::var(ONLY).unwrap_or_default();
    let programs: Vec<Program> = program::all().into_iter().filter(|program| program.name.contains(&only)).collect();
    assert!(!programs.is_empty(), "no program is named {only:?}");
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(program) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(text) = check(program) {
                        failures.lock().expect("no panic meanwhile").push(format!("== {}\n{text}", program.name));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no panic meanwhile");
    failures.sort();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), programs.len(), failures.join("\n"));
}
