//! docs/SPEC.md keeps its word: every rule names tests, and every test that it names exists where it says.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that the text names in brackets after a test; without one it is in `tests/`.
const CRATES: [&str; 10] =
    ["alarms", "storage", "object", "ingress", "egress", "sim", "rpc", "engine", "javascript", "conformance"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A rule with the tests that it names.
#[derive(Debug)]
struct Rule {
    name: String,
    /// With the crate that they are in, if it is not `tests/`.
    tests: Vec<(String, Option<&'static str>)>,
}

/// The rules of the specification: `- **G1.1** text`, up to the next list item or empty line.
fn rules(spec: &str) -> Vec<Rule> {
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut is_in_rule = false;
    for line in spec.lines() {
        if let Some((name, text)) = line.strip_prefix("- **").and_then(|rest| rest.split_once("**")) {
            texts.push((name.to_string(), text.to_string()));
            is_in_rule = true;
        } else if line.trim().is_empty() {
            is_in_rule = false;
        } else if is_in_rule && let Some((_, text)) = texts.last_mut() {
            *text += " ";
            *text += line.trim();
        }
    }
    texts.into_iter().map(|(name, text)| Rule { name, tests: tests_in(&text) }).collect()
}

/// Names of tests have underscores; what else is in backticks has none.
fn tests_in(text: &str) -> Vec<(String, Option<&'static str>)> {
    let mut parts = text.split('`').skip(1);
    let mut tests = Vec::new();
    while let (Some(code), after) = (parts.next(), parts.next().unwrap_or_default()) {
        let is_name = |code: &str| code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if code.contains('_') && is_name(code) {
            let mark = after.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'));
            let place = mark.and_then(|(mark, _)| CRATES.into_iter().find(|name| *name == mark));
            tests.push((code.to_string(), place));
        }
    }
    tests
}

/// The Rust files below a directory, put together.
fn source_below(directory: &Path) -> String {
    let mut source = String::new();
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let path = entry.expect("an entry of a directory").path();
        if path.is_dir() {
            source += &source_below(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            source += &fs::read_to_string(&path).expect("source is text");
        }
    }
    source
}

fn spec() -> Vec<Rule> {
    rules(&fs::read_to_string(root().join("docs/SPEC.md")).expect("docs/SPEC.md"))
}

/// The names of all rules.
pub fn rules_of_the_specification() -> Vec<String> {
    spec().into_iter().map(|rule| rule.name).collect()
}

#[test]
fn every_rule_names_a_test() {
    let spec = spec();
    assert!(spec.len() > 40, "only {} rules were found", spec.len());
    let bare: Vec<&str> = spec.iter().filter(|rule| rule.tests.is_empty()).map(|rule| rule.name.as_str()).collect();
    assert!(bare.is_empty(), "rules without a test: {}", bare.join(", "));
}

#[test]
fn every_test_that_a_rule_names_exists_where_it_says() {
    let mut sources: HashMap<Option<&str>, String> = HashMap::from([(None, source_below(&root().join("tests")))]);
    for name in CRATES {
        let directory = root().join("crates").join(format!("dohost-{name}"));
        sources.insert(Some(name), source_below(&directory));
    }
    let mut missing = Vec::new();
    for Rule { name: rule, tests } in spec() {
        for (test, place) in tests {
            // A test of proptest has arguments, so what comes after the bracket does not matter.
            if !sources[&place].contains(&format!("fn {test}(")) {
                missing.push(format!("{rule} names {test}, which is not in {}", place.unwrap_or("tests/")));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn names_of_tests_are_told_from_other_words() {
    let text = "- **X1** Some `get-many` and `sync`. `a_test`,\n  `another_one` (storage)\n\n`not_in_a_rule`\n- **X2** None.\n";
    let rules = rules(text);
    assert_eq!(rules.len(), 2, "{rules:?}");
    assert_eq!(rules[0].tests, [("a_test".to_string(), None), ("another_one".to_string(), Some("storage"))]);
    assert!(rules[1].tests.is_empty());
}
