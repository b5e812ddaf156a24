//! Crashes: what was answered before is still there, and what was not is there as a whole or not at all.
//!
//! *Crash twin*: the host is killed after answers that have come; all later answers are as if it had not been. *Crash inside*:
//! it is killed while a request is being handled, at moments that the seed chooses. Then later answers are as if that request had
//! been handled, or as if it had never come. An object that commits in several steps may well answer otherwise, which is no
//! failure: its author may want to know.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{Finding, Probes, Stage};

/// Crashes that a probe makes, at most.
const CRASHES_MAX: usize = 8;

impl Probes<'_> {
    pub(super) fn crash_twin(&self) -> anyhow::Result<Finding> {
        let stage = Stage::CrashTwin;
        if self.is_blind() {
            return Ok(self.blind(stage));
        }
        let crashes = self.starts(CRASHES_MAX);
        let step = self.requests.len().div_ceil(crashes).max(1);
        let mut session = self.undisturbed()?;
        let mut crashed = 0;
        for (at, asked) in self.requests.iter().enumerate() {
            if at % step == 0 {
                session.crash()?;
                crashed += 1;
            }
            let answer = session.ask(asked);
            if !self.expected.allows(at, &answer) {
                let text = "after a crash of the host the object answers otherwise";
                let help = "store what has to outlast the instance, and confirm it: unconfirmed writes may be gone";
                return Ok(Finding::fails(stage, text).detail(self.difference(at, &answer)).help(help));
            }
        }
        Ok(Finding::ok(stage, format!("after {crashed} crashes between requests nothing that was answered is gone")))
    }

    pub(super) fn crash_inside(&self) -> anyhow::Result<Finding> {
        let stage = Stage::CrashInside;
        if self.is_blind() {
            return Ok(self.blind(stage));
        }
        if self.requests.len() < 2 {
            let text = "one request only: nothing would show what a crash left";
            return Ok(Finding::not_applicable(stage, text).help("give more of them: --script FILE"));
        }
        let mut random = StdRng::seed_from_u64(self.sessions.seed);
        // Each round takes three starts.
        let rounds = self.starts(CRASHES_MAX * 3).div_ceil(3);
        let (mut handled, mut not_handled) = (0, 0);
        for _ in 0..rounds {
            // Something must come after it.
            let at = random.random_range(0..self.requests.len() - 1);
            let after = self.took[at].mul_f64(random.random_range(0.0..1.2));
            match self.crash_at(at, after)? {
                Left::Handled => handled += 1,
                Left::NotHandled => not_handled += 1,
                Left::Lost(detail) => {
                    let text = "an answer had come before a crash, and afterwards it is as if it had not";
                    return Ok(Finding::fails(stage, text).detail(detail));
                }
                Left::Neither(detail) => {
                    let text = "a crash in the middle of a request may leave a part of what it does";
                    let help = "writes without waiting in between are one commit; a transaction joins more of them";
                    return Ok(Finding::advice(stage, text).detail(detail).help(help));
                }
            }
        }
        Ok(Finding::ok(
            stage,
            format!("{rounds} crashes inside of requests: {handled} were handled whole, {not_handled} not at all"),
        ))
    }

    /// Kills the host so long after a request was sent, and asks for what comes after it.
    fn crash_at(&self, at: usize, after: Duration) -> anyhow::Result<Left> {
        let mut session = self.undisturbed()?;
        session.ask_all(&self.requests[..at]);
        let answered = session.crash_while(&self.requests[at], after)?;
        let rest = session.ask_all(&self.requests[at + 1..]);
        let Some(different) = self.expected.first_difference(at + 1, &rest) else { return Ok(Left::Handled) };
        let detail = format!(
            "killed {:.1} ms into request {}: {}\n{}",
            after.as_secs_f64() * 1e3,
            at + 1,
            self.requests[at],
            self.difference(different, &rest[different - at - 1])
        );
        if answered.is_some_and(|answer| !answer.is_of_host()) {
            return Ok(Left::Lost(detail));
        }
        // As if it had never come.
        let session = self.undisturbed()?;
        session.ask_all(&self.requests[..at]);
        let without = session.ask_all(&self.requests[at + 1..]);
        let is_same = rest.iter().zip(&without).enumerate().all(|(index, (one, other))| {
            let is_steady = self.expected.is_steady[at + 1 + index];
            if is_steady { one == other } else { one.status() == other.status() }
        });
        Ok(if is_same { Left::NotHandled } else { Left::Neither(detail) })
    }
}

/// What a crash left of the request that it came in.
enum Left {
    Handled,
    NotHandled,
    /// Although it had been answered.
    Lost(String),
    Neither(String),
}
