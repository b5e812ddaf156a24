//! Crowd: many clients send all requests at once. None of them may make the object trap, or wait until it is stopped.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::{Answer, Finding, Probes, Stage};

/// Clients at once.
const CLIENTS: usize = 32;

impl Probes<'_> {
    pub(super) fn crowd(&self) -> anyhow::Result<Finding> {
        let stage = Stage::Crowd;
        let session = self.undisturbed()?;
        let address = session.address();
        let client = || async move {
            let mut answers = Vec::new();
            for asked in &self.requests {
                answers.push(Answer::to(asked, address).await);
            }
            answers
        };
        let clients = join_all((0..CLIENTS).map(|_| client()));
        let answers: Vec<Vec<Answer>> = self.sessions.runtime.block_on(clients);
        let mut bad: BTreeMap<String, usize> = BTreeMap::new();
        for of_client in &answers {
            for (asked, answer) in self.requests.iter().zip(of_client) {
                if answer.is_of_host() || answer.is_nothing() {
                    *bad.entry(format!("{asked} got {answer}")).or_default() += 1;
                }
            }
        }
        let count = CLIENTS * self.requests.len();
        if bad.is_empty() {
            return Ok(Finding::ok(stage, format!("{count} requests of {CLIENTS} clients at once are all answered")));
        }
        let failed: usize = bad.values().sum();
        let text = format!("{failed} of {count} requests of {CLIENTS} clients at once are not answered by the object");
        let lines = bad.iter().map(|(text, times)| format!("{text}, {times} times"));
        let help = "events of an object with the asynchronous ABI interleave wherever it waits for more than storage";
        Ok(Finding::fails(stage, text).details(lines).details(session.warned()).help(help))
    }
}
