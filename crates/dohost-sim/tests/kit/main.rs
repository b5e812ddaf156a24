//! The conformance kit, tried on the host inside of this process: with a clock that moves when it is told, and commits that fail.

mod host;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dohost_conformance::{Case, Outcome, Tally, run};

use host::InProcess;

/// Cases that run at once.
const AT_ONCE: usize = 4;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_host_inside_of_a_process_passes_every_case_that_applies_to_it() {
    let cases = Case::all(&root().join("conformance/cases")).unwrap_or_else(|error| panic!("{error}"));
    let (next, found) = (AtomicUsize::new(0), Mutex::new((Tally::default(), Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(case, &mut InProcess::start(&case.guest));
                    let (tally, failed) = &mut *found.lock().expect("nobody panics with it");
                    tally.add(case, &outcome);
                    if matches!(outcome, Outcome::Failed { .. }) {
                        failed.push(format!("{}: {outcome}", case.name));
                    }
                }
            });
        }
    });
    let (tally, failed) = found.into_inner().expect("nobody panicked with it");
    println!("{tally}");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let text = std::fs::read_to_string(root().join("docs/CONFORMANCE.md")).expect("docs/CONFORMANCE.md");
    let wrong = tally.differences(&text, "in process");
    assert!(wrong.is_empty(), "docs/CONFORMANCE.md: {}", wrong.join("\n"));
}
