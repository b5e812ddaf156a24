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

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use difference::{Difference, same};
use program::Program;
use runtime::Runtime;
use transcript::Transcript;

/// Programs that run at once. Most of them wait most of the time.
const AT_ONCE: usize = 4;

/// Names the binary of workerd for the tests that need it.
const WORKERD: &str = "DOHOST_CORPUS_WORKERD";

/// Set, workerd's answers are written instead of compared.
const RECORD: &str = "DOHOST_CORPUS_RECORD";

/// Only programs whose names contain this.
const ONLY: &str = "DOHOST_CORPUS_ONLY";

#[test]
fn programs_in_javascript_answer_as_on_workerd() {
    let programs = programs();
    let mut served = runtime::serve_together(&programs.iter().collect::<Vec<_>>()).expect("all programs together");
    let transcripts: Vec<_> = programs.iter().map(|program| Mutex::new(Transcript::new(program))).collect();
    let mut open: Vec<_> = transcripts.iter().collect();
    loop {
        let address = served.address();
        let go_on = |transcript: &Mutex<Transcript>| transcript.lock().expect("no panic meanwhile").go_on(address);
        let is_done = at_once(&open, |transcript| go_on(transcript));
        open =
            open.into_iter().zip(is_done).filter(|(_, is_done)| !is_done).map(|(transcript, _)| transcript).collect();
        if open.is_empty() {
            break;
        }
        served = served.restart().expect("they start again");
    }
    let checks = programs
        .iter()
        .zip(transcripts)
        .map(|(program, transcript)| check(program, &transcript.into_inner().expect("no panic meanwhile").text));
    report(&programs, checks.collect());
}

#[test]
#[ignore = "takes minutes: cargo xtask corpus"]
fn programs_that_are_served_alone_answer_as_on_workerd() {
    let programs = programs();
    let answer = |program: &Program| check(program, &transcript::of(program, &Runtime::Dohost));
    report(&programs, at_once(&programs.iter().collect::<Vec<_>>(), |program| answer(program)));
}

fn check(program: &Program, answers: &str) -> Result<(), String> {
    Difference::read(&program.name)?.check(&program.recorded()?, answers)
}

#[test]
#[ignore = "needs workerd: cargo xtask corpus"]
fn workerd_answers_as_recorded() {
    let workerd = PathBuf::from(std::env::var_os(WORKERD).unwrap_or_else(|| panic!("{WORKERD} is not set")));
    let is_recording = std::env::var_os(RECORD).is_some();
    let programs = programs();
    let compare = |program: &Program| {
        let answers = transcript::of(program, &Runtime::Workerd(workerd.clone()));
        if is_recording {
            std::fs::write(program.answers(), answers).map_err(|error| error.to_string())
        } else {
            same(&program.recorded()?, &answers)
        }
    };
    report(&programs, at_once(&programs.iter().collect::<Vec<_>>(), |program| compare(program)));
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

/// Those that the environment asks for.
fn programs() -> Vec<Program> {
    let only = std::env::var(ONLY).unwrap_or_default();
    let programs: Vec<Program> = program::all().into_iter().filter(|program| program.name.contains(&only)).collect();
    assert!(!programs.is_empty(), "no program is named {only:?}");
    programs
}

/// Does something with each, [`AT_ONCE`] of them at a time; the results in their order.
fn at_once<T: Sync, R: Send>(items: &[&T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { break };
                    let result = work(item);
                    done.lock().expect("no panic meanwhile").insert(number, result);
                }
            });
        }
    });
    done.into_inner().expect("no panic meanwhile").into_values().collect()
}

/// Tells of all programs that are not as they should be.
#[track_caller]
fn report(programs: &[Program], checks: Vec<Result<(), String>>) {
    let failures: Vec<String> = programs
        .iter()
        .zip(checks)
        .filter_map(|(program, check)| check.err().map(|text| format!("== {}\n{text}", program.name)))
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), programs.len(), failures.join("\n"));
}
