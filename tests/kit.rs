//! The conformance kit, tried on the real binary, and its cases held against the specification.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use dohost_conformance::{Case, Host as KitHost, HostError, Outcome, Reply, Request, run};

use crate::host::{Host, Setup, dohost};
use crate::spec;

/// Cases that run at once.
const AT_ONCE: usize = 4;

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance")
}

fn cases() -> Vec<Case> {
    Case::all(&conformance().join("cases")).unwrap_or_else(|error| panic!("{error}"))
}

/// The binary as the kit sees it. Its clock is the machine's, and its disk does as it is told: what needs another one is not
/// applicable to it.
struct Binary {
    class: String,
    setup: Setup,
    host: Option<Host>,
}

impl Binary {
    fn start(guest: &str) -> Binary {
        let setup = Setup::new().guest(guest).with(["--idle-timeout", "300s"]);
        let host = Some(setup.start());
        Binary { class: guest.into(), setup, host }
    }

    fn take(&mut self) -> Host {
        self.host.take().expect("it runs between two steps")
    }
}

impl KitHost for Binary {
    fn request(&self, request: &Request) -> Result<Reply, HostError> {
        let failed = |error: &dyn std::fmt::Debug| HostError::Failed(format!("no reply: {error:?}"));
        let host = self.host.as_ref().expect("it runs between two steps");
        let mut connection = host.connect();
        let target = format!("/{}/{}{}", self.class, request.object, request.target);
        let reply =
            connection.try_send(&request.method, &target, &[], &request.body).map_err(|error| failed(&error))?;
        Ok(Reply { status: reply.status, body: reply.body })
    }

    fn evict(&mut self, object: &str) -> Result<(), HostError> {
        let object = format!("{}/{object}", self.class);
        let data = self.setup.data().display().to_string();
        let ended = dohost(["objects", "evict", &object, "--data-dir", &data]);
        ended.status.success().then_some(()).ok_or_else(|| HostError::Failed(format!("{ended:?}")))
    }

    fn restart(&mut self) -> Result<(), HostError> {
        self.host = Some(self.take().restart());
        Ok(())
    }

    fn crash(&mut self) -> Result<(), HostError> {
        self.host = Some(self.take().kill_and_start());
        Ok(())
    }
}

/// Cases that cannot be tried with the binary, for the reason above.
const NOT_APPLICABLE: [&str; 2] = ["l4-alarms/clock", "l5-lives/failed-commit"];

#[test]
fn dohost_passes_every_case_that_applies_to_it() {
    let cases = cases();
    assert!(cases.len() > 50, "only {} cases", cases.len());
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(case, &mut Binary::start(&case.guest));
                    let applies = !NOT_APPLICABLE.contains(&case.name.as_str());
                    let is_right = match outcome {
                        Outcome::Passed => applies,
                        Outcome::NotApplicable(_) => !applies,
                        Outcome::Failed { .. } => false,
                    };
                    if !is_right {
                        found.lock().expect("nobody panics with it").push(format!("{}: {outcome}", case.name));
                    }
                }
            });
        }
    });
    let found = found.into_inner().expect("nobody panicked with it");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Rules that are no case for another host, by the reason for that.
fn reasons() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(conformance().join("not-cases.toml")).expect("conformance/not-cases.toml");
    let mut reasons = BTreeMap::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.starts_with('#')) {
        let (reason, rules) = paragraph.split_once("\" = [").unwrap_or_else(|| panic!("no reason: {paragraph}"));
        let rules = rules.split('"').skip(1).step_by(2).map(str::to_string).collect();
        reasons.insert(reason.trim_start_matches('"').to_string(), rules);
    }
    reasons
}

#[test]
fn every_rule_has_a_case_or_a_reason_and_every_case_a_rule() {
    let rules: BTreeSet<String> = spec::rules_of_the_specification().into_iter().collect();
    let mut of_cases = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases() {
        for rule in &case.rules {
            if !rules.contains(rule) {
                wrong.push(format!("{} is about {rule}, which is no rule", case.name));
            }
        }
        of_cases.extend(case.rules);
    }
    let mut of_reasons = BTreeSet::new();
    for rule in reasons().into_values().flatten() {
        if !rules.contains(&rule) {
            wrong.push(format!("{rule} has a reason and is no rule"));
        }
        if of_cases.contains(&rule) {
            wrong.push(format!("{rule} has a case, and a reason for having none"));
        }
        if !of_reasons.insert(rule.clone()) {
            wrong.push(format!("{rule} has two reasons"));
        }
    }
    let bare = rules.iter().filter(|rule| !of_cases.contains(*rule) && !of_reasons.contains(*rule));
    wrong.extend(bare.map(|rule| format!("{rule} has neither a case nor a reason for having none")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
