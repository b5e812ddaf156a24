//! Runs a case on a host.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::case::{Ask, Case, Expect, Step};
use crate::host::{Host, HostError, Reply};

/// How often a request is sent again whose answer is still to become what is expected.
const AGAIN_EVERY: Duration = Duration::from_millis(50);
/// So much of a text is shown.
const SHOWN_CHARS_MAX: usize = 300;

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was as expected.
    Passed,
    /// This host cannot be tried with it; why.
    NotApplicable(String),
    /// Something was otherwise.
    Failed {
        /// The step, counted from 1.
        step: usize,
        /// What.
        text: String,
    },
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Passed => f.write_str("passed"),
            Outcome::NotApplicable(why) => write!(f, "not applicable: {why}"),
            Outcome::Failed { step, text } => write!(f, "failed at step {step}: {text}"),
        }
    }
}

/// Runs a case on a host that serves its guest and has no data yet.
pub fn run(case: &Case, host: &mut dyn Host) -> Outcome {
    let mut kept = BTreeMap::new();
    for (at, step) in case.steps.iter().enumerate() {
        match do_step(step, host, &mut kept) {
            Ok(None) => {}
            Ok(Some(text)) => return Outcome::Failed { step: at + 1, text },
            Err(HostError::NotApplicable(what)) => return Outcome::NotApplicable(format!("the host cannot {what}")),
            Err(HostError::Failed(text)) => return Outcome::Failed { step: at + 1, text },
        }
    }
    Outcome::Passed
}

type Kept = BTreeMap<String, String>;

/// What is not as expected, if something is not.
fn do_step(step: &Step, host: &mut dyn Host, kept: &mut Kept) -> Result<Option<String>, HostError> {
    match step {
        Step::Request(ask) => return request(ask, host, kept),
        Step::Evict(object) => host.evict(object)?,
        Step::Restart => host.restart()?,
        Step::Crash => host.crash()?,
        Step::AdvanceClock(by) => host.advance_clock(*by)?,
        Step::FailNextCommit => host.fail_next_commit()?,
    }
    Ok(None)
}

fn request(ask: &Ask, host: &dyn Host, kept: &mut Kept) -> Result<Option<String>, HostError> {
    let deadline = ask.within.map(|within| Instant::now() + within);
    loop {
        let replies = send(ask, host)?;
        let found = differences(&ask.expect, &replies, kept);
        if found.is_none() {
            if let (Some(name), Some(reply)) = (&ask.keep, replies.first()) {
                kept.insert(name.clone(), text(reply));
            }
            return Ok(None);
        }
        if deadline.is_none_or(|deadline| Instant::now() > deadline) {
            let Ask { request, .. } = ask;
            return Ok(
                found.map(|found| format!("{} {} of {}: {found}", request.method, request.target, request.object))
            );
        }
        std::thread::sleep(AGAIN_EVERY);
    }
}

/// All at once, if there are several.
fn send(ask: &Ask, host: &dyn Host) -> Result<Vec<Reply>, HostError> {
    if ask.at_once == 1 {
        return Ok(vec![host.request(&ask.request)?]);
    }
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..ask.at_once).map(|_| scope.spawn(|| host.request(&ask.request))).collect();
        senders.into_iter().map(|sender| sender.join().expect("a host gives an error and does not panic")).collect()
    })
}

fn differences(expect: &Expect, replies: &[Reply], kept: &Kept) -> Option<String> {
    let one = replies.iter().find_map(|reply| difference(expect, reply, kept));
    let [first, last] = expect.numbers.filter(|_| one.is_none()).unwrap_or([0, 0]);
    if first == last {
        return one;
    }
    let mut numbers: Vec<String> = replies.iter().map(text).collect();
    numbers.sort_by_key(|number| number.parse::<u64>().ok());
    let wanted: Vec<String> = (first..=last).map(|number| number.to_string()).collect();
    (numbers != wanted).then(|| format!("expected the numbers {first} to {last}, each once, got {}", numbers.join(" ")))
}

fn difference(expect: &Expect, reply: &Reply, kept: &Kept) -> Option<String> {
    let body = text(reply);
    let shown: String = body.chars().take(SHOWN_CHARS_MAX).collect();
    let got = format!("{} {shown:?}", reply.status);
    match (expect.status, expect.status_class) {
        (None, Some(class)) if reply.status / 100 == class => {}
        (None, Some(class)) => return Some(format!("expected a status of {class}00, got {got}")),
        (status, _) if reply.status == status.unwrap_or(200) => {}
        (status, _) => return Some(format!("expected status {}, got {got}", status.unwrap_or(200))),
    }
    if expect.text.as_ref().is_some_and(|expected| *expected != body) {
        return Some(format!("expected {:?}, got {got}", expect.text.as_deref().unwrap_or_default()));
    }
    if let Some(part) = expect.contains.iter().find(|part| !body.contains(*part)) {
        return Some(format!("expected something with {part:?}, got {got}"));
    }
    if let Some(part) = expect.lacks.iter().find(|part| body.contains(*part)) {
        return Some(format!("expected nothing with {part:?}, got {got}"));
    }
    if expect.len.is_some_and(|len| len != reply.body.len()) {
        return Some(format!("expected {} bytes, got {}", expect.len.unwrap_or_default(), reply.body.len()));
    }
    let kept = |name: &Option<String>| name.as_ref().map(|name| kept.get(name).cloned().unwrap_or_default());
    if kept(&expect.same_as).is_some_and(|other| other != body) {
        return Some(format!("expected the text of {:?} again, got {got}", expect.same_as));
    }
    if kept(&expect.differs_from).is_some_and(|other| other == body) {
        return Some(format!("expected another text than that of {:?}, got {got}", expect.differs_from));
    }
    None
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::case::Level;
    use crate::host::Request;

    /// Counts requests; the third thing it can do is crash.
    #[derive(Default)]
    struct Counter {
        count: AtomicU64,
    }

    impl Host for Counter {
        fn request(&self, request: &Request) -> Result<Reply, HostError> {
            let status = if request.target == "/fails" { 500 } else { 200 };
            Ok(Reply { status, body: (self.count.fetch_add(1, Ordering::SeqCst) + 1).to_string().into_bytes() })
        }

        fn crash(&mut self) -> Result<(), HostError> {
            self.count = AtomicU64::new(0);
            Ok(())
        }
    }

    fn outcome(steps: &str) -> Outcome {
        let text = format!("title = \"t\"\nguest = \"g\"\nrules = [\"S1\"]\n{steps}");
        run(&Case::parse("mine", Level::Storage, &text).expect("a case"), &mut Counter::default())
    }

    fn asks(expect: &str) -> String {
        format!("[[steps]]\nrequest = \"GET /\"\nexpect = {{ {expect} }}\n")
    }

    #[test]
    fn what_is_as_expected_passes() {
        for steps in [
            asks("text = \"1\""),
            asks("contains = [\"1\"], len = 1"),
            "[[steps]]\nrequest = \"GET /fails\"\nexpect = { status = 500 }".into(),
            "[[steps]]\nrequest = \"GET /fails\"\nexpect = { status-class = 5 }".into(),
            "[[steps]]\nrequest = \"GET /\"\nat-once = 20\nexpect = { numbers = [1, 20] }".into(),
            "[[steps]]\nrequest = \"GET /\"\nwithin = \"9s\"\nexpect = { text = \"3\" }".into(),
            format!("[[steps]]\nrequest = \"GET /\"\nkeep = \"x\"\n{}", asks("differs-from = \"x\"")),
            format!(
                "[[steps]]\nrequest = \"GET /\"\nkeep = \"x\"\n[[steps]]\ncrash = true\n{}",
                asks("same-as = \"x\"")
            ),
        ] {
            assert_eq!(outcome(&steps), Outcome::Passed, "{steps}");
        }
    }

    #[test]
    fn what_is_otherwise_fails_at_its_step() {
        for steps in [
            asks("text = \"2\""),
            asks("contains = [\"2\"]"),
            asks("lacks = [\"1\"]"),
            asks("len = 2"),
            asks("status = 404"),
            asks("status-class = 5"),
            "[[steps]]\nrequest = \"GET /fails\"".into(),
            "[[steps]]\nrequest = \"GET /\"\nat-once = 20\nexpect = { numbers = [2, 21] }".into(),
            "[[steps]]\nrequest = \"GET /\"\nwithin = \"10ms\"\nexpect = { text = \"99\" }".into(),
        ] {
            assert!(matches!(outcome(&steps), Outcome::Failed { step: 1, .. }), "{steps}: {}", outcome(&steps));
        }
        let second = format!("[[steps]]\nrequest = \"GET /\"\nkeep = \"x\"\n{}", asks("same-as = \"x\""));
        assert!(matches!(outcome(&second), Outcome::Failed { step: 2, .. }), "{}", outcome(&second));
    }

    #[test]
    fn what_a_host_cannot_do_is_never_passed() {
        for step in ["evict = \"a\"", "restart = true", "advance-clock = \"1s\"", "fail-next-commit = true"] {
            let outcome = outcome(&format!("[[steps]]\n{step}"));
            assert!(matches!(outcome, Outcome::NotApplicable(_)), "{step}: {outcome}");
        }
    }
}
