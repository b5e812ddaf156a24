//! Ceilings: with hardly any memory or time the object may fail, and then the host answers in its place and goes on.
//!
//! Along the way it is found out how much memory it takes to answer these requests.

use super::{Finding, Probes, Stage};
use crate::size::shown;

/// The least memory that a class can be given.
const MEMORY_BYTES_MIN: u64 = 64 << 10;
/// Hardly any time on the thread.
const TURN_CPU: &str = "turn-cpu=1ms";
/// Hosts that are started to find out how much memory it takes.
const TRIES_MAX: usize = 7;

/// How it went with a little memory.
enum Went {
    /// All answers are those that come with more, as far as can be told.
    Well,
    /// The host refused it, or answered in its place.
    Refused,
}

impl Probes<'_> {
    pub(super) fn ceilings(&self) -> anyhow::Result<Finding> {
        let stage = Stage::Ceilings;
        if let Some(failure) = self.with_hardly_any_time()? {
            return Ok(failure);
        }
        let most = self.subject.memory_bytes_max;
        // Between what is known to be too little and what is known to be enough.
        let (mut low, mut high) = (MEMORY_BYTES_MIN / 2, most);
        for _ in 0..self.starts(TRIES_MAX) {
            if low * 2 >= high {
                break;
            }
            let middle = geometric_middle(low, high);
            match self.with_memory(middle)? {
                Ok(Went::Well) => high = middle,
                Ok(Went::Refused) => low = middle,
                Err(failure) => return Ok(failure),
            }
        }
        let needs = match (low < MEMORY_BYTES_MIN, high) {
            (true, high) => format!("{} or less", shown(high)),
            (false, high) => format!("between {} and {}", shown(low), shown(high)),
        };
        let text = format!("with hardly any time or memory the host goes on; this takes {needs} of {}", shown(most));
        Ok(Finding::ok(stage, text))
    }

    fn with_hardly_any_time(&self) -> anyhow::Result<Option<Finding>> {
        let session = self.sessions.start(&["--limit", TURN_CPU])?;
        for asked in &self.requests {
            let answer = session.ask(asked);
            if answer.is_nothing() {
                let text = format!("with the limit {TURN_CPU}, {asked} got {answer}");
                return Ok(Some(Finding::fails(Stage::Ceilings, text).details(session.warned())));
            }
        }
        let is_gone = || Finding::fails(Stage::Ceilings, format!("with the limit {TURN_CPU} the host is gone"));
        Ok((!session.is_alive()).then(is_gone))
    }

    fn with_memory(&self, bytes: u64) -> anyhow::Result<Result<Went, Finding>> {
        let limit = format!("memory={bytes}");
        // A component that has more from the beginning is refused before anything is served.
        let Ok(session) = self.sessions.start(&["--limit", &limit]) else { return Ok(Ok(Went::Refused)) };
        let mut went = Went::Well;
        for (at, asked) in self.requests.iter().enumerate() {
            let answer = session.ask(asked);
            if answer.is_nothing() {
                let text = format!("with the limit {limit}, {asked} got {answer}");
                return Ok(Err(Finding::fails(Stage::Ceilings, text).details(session.warned())));
            }
            if !self.expected.allows(at, &answer) {
                went = Went::Refused;
            }
        }
        match session.is_alive() {
            true => Ok(Ok(went)),
            false => Ok(Err(Finding::fails(Stage::Ceilings, format!("with the limit {limit} the host is gone")))),
        }
    }
}

/// A power of two between them: what is known doubles in exactness with each try.
fn geometric_middle(low: u64, high: u64) -> u64 {
    let middle = (low.ilog2() + high.ilog2()).div_ceil(2);
    1 << middle.clamp(low.ilog2() + 1, high.ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_lies_between_and_the_search_ends() {
        for needed in [1, 64 << 10, 3 << 20, 128 << 20] {
            let (mut low, mut high, mut tries) = (MEMORY_BYTES_MIN / 2, 128 << 20, 0);
            while low * 2 < high {
                let middle = geometric_middle(low, high);
                assert!(low < middle && middle < high, "{low} {middle} {high}");
                if middle >= needed {
                    high = middle
                } else {
                    low = middle
                }
                tries += 1;
            }
            assert!(tries <= TRIES_MAX && (low < needed || low < MEMORY_BYTES_MIN) && needed <= high, "{needed}");
        }
    }
}
