//! What is found out by asking: each probe disturbs the object in one way, and looks whether its answers stay what they are
//! without disturbance.
//!
//! Answers that differ although nothing disturbs (a time, a random number) are known from asking twice at the beginning; of
//! them only the status is compared.

mod alarms;
mod ceilings;
mod crashes;
mod crowd;
mod eviction;

use std::time::{Duration, Instant};

use super::asked::{Answer, Asked, Expected};
use super::component::Subject;
use super::report::{Finding, Report, Stage};
use super::session::{Session, Sessions};
use crate::testing::{self, script::Step};

/// Never leaves memory by itself.
const STAYS: [&str; 2] = ["--idle-timeout", "1h"];
/// Time that one probe may take for starting hosts again and again. A large component is compiled at each start.
const STARTS_MAX: Duration = Duration::from_secs(10);

/// See the module.
pub struct Probes<'a> {
    sessions: &'a Sessions,
    subject: &'a Subject,
    requests: Vec<Asked>,
    expected: Expected,
    /// How long each request took without disturbance.
    took: Vec<Duration>,
    /// How long a host took to start.
    start_took: Duration,
}

impl<'a> Probes<'a> {
    /// Asks twice without disturbance; none if that goes wrong already.
    pub fn start(
        sessions: &'a Sessions,
        subject: &'a Subject,
        mut requests: Vec<Asked>,
        is_scripted: bool,
        report: &mut Report,
    ) -> anyhow::Result<Option<Probes<'a>>> {
        if requests.is_empty() {
            let text = "there is nothing that it can be asked without knowing it: all of its methods take something";
            let help = "give requests that it answers: --script FILE, as docs/TESTING.md has it";
            report.add(Finding::could_not_tell(Stage::Start, text).help(help));
            return Ok(None);
        }
        let session = match sessions.start(&STAYS) {
            Ok(session) => session,
            Err(error) => {
                report.add(Finding::fails(Stage::Start, format!("{error:#}")));
                return Ok(None);
            }
        };
        let (mut answers, mut took) = (Vec::new(), Vec::new());
        requests.retain(|asked| {
            let started = Instant::now();
            let answer = session.ask(asked);
            if asked.is_guessed && answer.is_of_host() {
                return false;
            }
            took.push(started.elapsed());
            answers.push(answer);
            true
        });
        let bad = answers.iter().position(|answer| answer.is_of_host() || answer.is_nothing());
        if bad.is_some() || answers.is_empty() {
            let text = match bad {
                Some(bad) => format!("{} got {}", requests[bad], answers[bad]),
                None => "no method can be called without knowing the object".into(),
            };
            let help = "the object must answer by itself; if it is of another class, say so: --class NAME";
            report.add(Finding::fails(Stage::Start, text).details(session.warned()).help(help));
            return Ok(None);
        }
        // What refuses everything shows no object, and whatever is done to it, it goes on refusing.
        if !is_scripted && answers.iter().all(|answer| answer.status().is_some_and(|status| status / 100 == 4)) {
            let text = format!("nothing could be probed: {} is answered {}", requests[0], answers[0]);
            let help = "give requests that reach an object: --script FILE, as docs/TESTING.md has it";
            report.add(Finding::could_not_tell(Stage::Start, text).help(help));
            return Ok(None);
        }
        let first = took[0].as_secs_f64() * 1e3;
        let start_took = session.start_took;
        drop(session);
        let again = sessions.start(&STAYS)?.ask_all(&requests);
        let expected = Expected::of(answers, &again);
        let (count, unsteady) = (requests.len(), expected.unsteady());
        let mut text = format!("the first answer came after {first:.1} ms: {}", expected.answers[0]);
        if unsteady > 0 {
            text += &format!("; {unsteady} of {count} answers differ each time, of them the status is compared");
        }
        report.add(Finding::ok(Stage::Start, text));
        Ok(Some(Probes { sessions, subject, requests, expected, took, start_took }))
    }

    /// Runs the script as `dohost test` would.
    pub fn script(&self, steps: &[Step], report: &mut Report) -> anyhow::Result<()> {
        let setup = self.sessions.setup(&[])?;
        report.add(match testing::run_script(&self.sessions.runtime, &setup, steps)? {
            None => Finding::ok(Stage::Script, format!("{} steps went as they should", steps.len())),
            Some(found) => {
                let text = format!("{}: {}", found.step.place, found.step.action);
                Finding::fails(Stage::Script, text).details(found.texts)
            }
        });
        Ok(())
    }

    pub fn run(&self, report: &mut Report) -> anyhow::Result<()> {
        report.add(self.evicted_twin()?);
        report.add(self.crash_twin()?);
        report.add(self.crash_inside()?);
        report.add(self.alarm_twice()?);
        report.add(self.crowd()?);
        report.add(self.ceilings()?);
        Ok(())
    }

    /// A host whose objects stay in memory.
    fn undisturbed(&self) -> anyhow::Result<Session<'a>> {
        self.sessions.start(&STAYS)
    }

    /// How many starts of a host a probe may have, this many at most.
    fn starts(&self, at_most: usize) -> usize {
        let starts = STARTS_MAX.as_secs_f64() / self.start_took.as_secs_f64().max(0.001);
        (starts as usize).clamp(1, at_most)
    }

    /// Nothing steady to compare: a probe that compares answers says nothing.
    fn is_blind(&self) -> bool {
        self.expected.unsteady() == self.requests.len()
    }

    fn blind(&self, stage: Stage) -> Finding {
        let help = "give requests whose answers depend on what is stored only: --script FILE";
        Finding::could_not_tell(stage, "no answer comes again when it is asked for twice").help(help)
    }

    fn difference(&self, at: usize, answer: &Answer) -> String {
        self.expected.difference(at, &self.requests[at], answer)
    }
}
