//! The targets without libFuzzer: over all that it found before, and over bytes by chance.

use std::path::{Path, PathBuf};

use dohost_fuzz::{TARGETS, target};

/// Inputs by chance for each target.
const INPUTS: u64 = 500;
/// Bytes of each of them, at most.
const BYTES_MAX: u64 = 600;

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name)
}

fn replay(name: &str) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(corpus(name))
        .unwrap_or_else(|error| panic!("fuzz/corpus/{name}: {error}"))
        .map(|entry| entry.expect("an entry of a directory").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 10, "only {} files in fuzz/corpus/{name}", paths.len());
    for path in paths {
        // A failure shows which.
        println!("{}", path.display());
        target(name)(&std::fs::read(&path).expect("a file"));
    }
}

#[test]
fn json_of_the_corpus_comes_back_as_it_was() {
    replay("json");
}

#[test]
fn routes_of_the_corpus_are_what_they_say() {
    replay("routes");
}

#[test]
fn operations_of_the_corpus_make_of_the_store_what_they_make_of_a_map() {
    replay("storage");
}

/// The same bytes every time.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 27)
}

#[test]
fn bytes_by_chance_break_no_target() {
    for (name, target) in TARGETS {
        for seed in 0..INPUTS {
            println!("{name} {seed}");
            let mut state = seed;
            let len = random(&mut state) % BYTES_MAX;
            let bytes: Vec<u8> = (0..len).map(|_| random(&mut state) as u8).collect();
            target(&bytes);
        }
    }
}
