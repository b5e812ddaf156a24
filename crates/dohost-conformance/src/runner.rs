//! Runs a case on a host.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use crate::case::{Ask, Case, Expect, Step};
use crate::host::{Begun, Host, HostError, Message, Reply, Request, Stream, WebSocket};

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
    let lacking = case.needs().into_iter().find(|ability| !host.abilities().contains(ability));
    if let Some(ability) = lacking {
        return Outcome::NotApplicable(format!("the host cannot {ability}"));
    }
    let mut run =
        Run { host, kept: BTreeMap::new(), begun: BTreeMap::new(), streams: BTreeMap::new(), sockets: BTreeMap::new() };
    for (at, step) in case.steps.iter().enumerate() {
        match run.step(step) {
            Ok(None) => {}
            Ok(Some(text)) | Err(HostError(text)) => return Outcome::Failed { step: at + 1, text },
        }
    }
    Outcome::Passed
}

type Kept = BTreeMap<String, String>;

/// A case that is under way.
struct Run<'a> {
    host: &'a mut dyn Host,
    /// Texts of answers.
    kept: Kept,
    // What was begun and goes on, by its name.
    begun: BTreeMap<String, Box<dyn Begun>>,
    streams: BTreeMap<String, Box<dyn Stream>>,
    sockets: BTreeMap<String, Box<dyn WebSocket>>,
}

impl Run<'_> {
    /// What is not as expected, if something is not.
    fn step(&mut self, step: &Step) -> Result<Option<String>, HostError> {
        match step {
            Step::Request(ask) => return self.request(ask),
            Step::Begin(name, request) => {
                let begun = self.host.begin(request)?;
                self.begun.insert(name.clone(), begun);
            }
            Step::Pending(name) => {
                if found(&mut self.begun, name)?.is_answered()? {
                    let begun = self.begun.remove(name).expect("it was just there");
                    return Ok(Some(format!("expected no answer for {name} yet, got {}", shown(&begun.reply()?))));
                }
            }
            Step::Answer(name, expect) => {
                let begun = self.begun.remove(name).ok_or_else(|| missing(name))?;
                let reply = begun.reply()?;
                return Ok(self.difference(name, expect, &reply));
            }
            Step::Call(call) => {
                let reply = self.host.call(&call.object, &call.method, &call.arguments)?;
                return Ok(self.difference(&call.method, &call.expect, &reply));
            }
            Step::Stream(name, request) => {
                let stream = self.host.open_stream(request)?;
                self.streams.insert(name.clone(), stream);
            }
            Step::Write(name, bytes) => found(&mut self.streams, name)?.write(bytes)?,
            Step::End(name) => found(&mut self.streams, name)?.end()?,
            Step::Read(name, len, expect) => {
                let reply = found(&mut self.streams, name)?.read(*len)?;
                return Ok(self.difference(name, expect, &reply));
            }
            Step::WebSocket(name, request, expect) => {
                let (reply, socket) = self.host.open_websocket(request)?;
                self.sockets.extend(socket.map(|socket| (name.clone(), socket)));
                return Ok(self.difference(name, expect, &reply));
            }
            Step::Send(name, text) => found(&mut self.sockets, name)?.send(text)?,
            Step::Close(name, code, reason) => found(&mut self.sockets, name)?.close(*code, reason)?,
            Step::Receive(name, expect) => {
                let body = match found(&mut self.sockets, name)?.receive()? {
                    Message::Text(text) => text.into_bytes(),
                    Message::Binary(bytes) => bytes,
                    Message::Closed(code, reason) => format!("closed {code} {reason}").into_bytes(),
                };
                return Ok(self.difference(name, expect, &Reply { status: 200, body }));
            }
            Step::Silent(name) => {
                if found(&mut self.sockets, name)?.has_more()? {
                    return Ok(Some(format!("expected nothing on {name}, and something came")));
                }
            }
            Step::BreakOff(name) => {
                let was_there = [
                    self.begun.remove(name).is_some(),
                    self.streams.remove(name).is_some(),
                    self.sockets.remove(name).is_some(),
                ];
                if !was_there.contains(&true) {
                    return Err(missing(name));
                }
            }
            Step::Evict(object) => self.host.evict(object)?,
            Step::Restart => self.host.restart()?,
            Step::Crash => self.host.crash()?,
            Step::AdvanceClock(by) => self.host.advance_clock(*by)?,
            Step::FailNextCommit => self.host.fail_next_commit()?,
            Step::HoldCommits(is_held) => self.host.hold_commits(*is_held)?,
        }
        Ok(None)
    }

    fn difference(&self, what: &str, expect: &Expect, reply: &Reply) -> Option<String> {
        difference(expect, reply, &self.kept).map(|found| format!("{what}: {found}"))
    }

    fn request(&mut self, ask: &Ask) -> Result<Option<String>, HostError> {
        let requests = vec![ask.request.clone(); ask.at_once];
        let mut waited = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let replies = self.host.requests(&requests)?;
            let found = differences(&ask.expect, &replies, &self.kept);
            if found.is_none() {
                if let (Some(name), Some(reply)) = (&ask.keep, replies.first()) {
                    self.kept.insert(name.clone(), text(reply));
                }
                return Ok(None);
            }
            if ask.within.is_none_or(|within| waited > within) {
                let Request { object, method, target, .. } = &ask.request;
                return Ok(found.map(|found| format!("{method} {target} of {object}: {found}")));
            }
            // Time is the host's, which may have another one than the clock.
            self.host.wait(AGAIN_EVERY);
            waited += AGAIN_EVERY + asked.elapsed();
        }
    }
}

fn found<'a, T: ?Sized>(all: &'a mut BTreeMap<String, Box<T>>, name: &str) -> Result<&'a mut T, HostError> {
    all.get_mut(name).map(|one| &mut **one).ok_or_else(|| missing(name))
}

fn missing(name: &str) -> HostError {
    HostError(format!("there is no {name:?} that could go on"))
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
    let got = shown(reply);
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

/// For people.
fn shown(reply: &Reply) -> String {
    let body: String = text(reply).chars().take(SHOWN_CHARS_MAX).collect();
    format!("{} {body:?}", reply.status)
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Level;
    use crate::host::Ability;

    /// Counts requests, and can crash. What is begun is answered when it is asked for.
    #[derive(Default)]
    struct Counter {
        count: u64,
    }

    struct Late;

    impl Begun for Late {
        fn is_answered(&mut self) -> Result<bool, HostError> {
            Ok(false)
        }

        fn reply(self: Box<Self>) -> Result<Reply, HostError> {
            Ok(Reply { status: 200, body: b"late".to_vec() })
        }
    }

    impl Host for Counter {
        fn abilities(&self) -> &[Ability] {
            &[Ability::Crash, Ability::Begin]
        }

        fn requests(&mut self, requests: &[Request]) -> Result<Vec<Reply>, HostError> {
            let mut answer = |request: &Request| {
                self.count += 1;
                let status = if request.target == "/fails" { 500 } else { 200 };
                Reply { status, body: self.count.to_string().into_bytes() }
            };
            Ok(requests.iter().map(&mut answer).collect())
        }

        fn crash(&mut self) -> Result<(), HostError> {
            self.count = 0;
            Ok(())
        }

        fn begin(&mut self, _: &Request) -> Result<Box<dyn Begun>, HostError> {
            Ok(Box::new(Late))
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
            "[[steps]]\nbegin = \"GET /\"\n[[steps]]\npending = \"it\"\n[[steps]]\nanswer = \"it\"\nexpect = { text = \"late\" }"
                .into(),
            "[[steps]]\nbegin = \"GET /\"\n[[steps]]\nbreak-off = \"it\"".into(),
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
        for steps in [
            "[[steps]]\nbegin = \"GET /\"\n[[steps]]\nanswer = \"it\"\nexpect = { text = \"early\" }",
            "[[steps]]\nbegin = \"GET /\"\n[[steps]]\nanswer = \"another\"",
        ] {
            assert!(matches!(outcome(steps), Outcome::Failed { step: 2, .. }), "{steps}: {}", outcome(steps));
        }
        let second = format!("[[steps]]\nrequest = \"GET /\"\nkeep = \"x\"\n{}", asks("same-as = \"x\""));
        assert!(matches!(outcome(&second), Outcome::Failed { step: 2, .. }), "{}", outcome(&second));
    }

    #[test]
    fn what_a_host_cannot_do_is_never_passed() {
        for step in [
            "evict = \"a\"",
            "restart = true",
            "advance-clock = \"1s\"",
            "fail-next-commit = true",
            "hold-commits = true",
            "call = \"m\"",
            "stream = \"GET /\"",
            "websocket = \"/\"",
        ] {
            let outcome = outcome(&format!("[[steps]]\n{step}"));
            assert!(matches!(outcome, Outcome::NotApplicable(_)), "{step}: {outcome}");
        }
    }
}
