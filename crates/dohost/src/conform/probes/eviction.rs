//! Evicted twin: an object that leaves memory before every request answers like one that never does.
//!
//! What it only remembers, and did not store, is missed here.

use super::{Finding, Probes, Stage};

/// Leaves memory as soon as it has nothing to do.
const LEAVES: [&str; 2] = ["--idle-timeout", "1ms"];

impl Probes<'_> {
    pub(super) fn evicted_twin(&self) -> anyhow::Result<Finding> {
        let stage = Stage::EvictedTwin;
        if self.is_blind() {
            return Ok(self.blind(stage));
        }
        let session = self.sessions.start(&LEAVES)?;
        for (at, asked) in self.requests.iter().enumerate() {
            if !session.wait_until_nobody_is_in_memory()? {
                let text = format!("an object stayed in memory before request {}: it had something to do", at + 1);
                return Ok(Finding::could_not_tell(stage, text));
            }
            let answer = session.ask(asked);
            if !self.expected.allows(at, &answer) {
                let text = "an object that was evicted answers otherwise: something is only in memory";
                let help = "store what has to outlast the instance; an object is evicted whenever it is idle";
                return Ok(Finding::fails(stage, text).detail(self.difference(at, &answer)).help(help));
            }
        }
        let count = self.requests.len();
        Ok(Finding::ok(stage, format!("{count} requests, each after an eviction, are answered alike")))
    }
}
