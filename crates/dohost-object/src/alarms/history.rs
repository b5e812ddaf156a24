//! The last runs of alarms, for people who look after objects, and how many there were.
//!
//! Kept in memory, for all objects together: a restart forgets them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use dohost_storage::ClassNumber;
use parking_lot::Mutex;

use crate::id::ObjectId;

/// Runs that are remembered; the oldest go first.
pub const ALARM_RUNS_KEPT: usize = 10_000;

/// Bytes of the text of an error that are remembered with a run.
const ERROR_BYTES_MAX: usize = 512;

/// One call of an alarm handler that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRun {
    /// The class of the object.
    pub class: ClassNumber,
    /// Its id.
    pub id: ObjectId,
    /// The name of the alarm.
    pub name: String,
    /// The time for which it was set; none if the handler was not reached.
    pub scheduled_ms: Option<u64>,
    /// When the event was sent to the object, in milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Retries before it that counted.
    pub retry_count: u32,
    /// What came of it.
    pub outcome: AlarmOutcome,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmOutcome {
    /// The handler returned, and what it wrote is durable.
    Succeeded,
    /// It failed, and is tried again.
    Failed {
        /// Why.
        error: String,
        /// When, in milliseconds since 1970.
        next_ms: u64,
    },
    /// It failed, and is not tried again.
    GivenUp {
        /// Why it failed.
        error: String,
    },
}

/// Figures of the alarms of a host since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmFigures {
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed, given up or not.
    pub failed: u64,
    /// Runs that are under way, or wait for a moment to be tried again.
    pub under_way: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct AlarmHistory {
    runs: Mutex<VecDeque<PastRun>>,
    succeeded: AtomicU64,
    failed: AtomicU64,
    under_way: AtomicUsize,
}

impl AlarmHistory {
    pub fn add(&self, mut run: PastRun) {
        let count = match &mut run.outcome {
            AlarmOutcome::Succeeded => &self.succeeded,
            AlarmOutcome::Failed { error, .. } | AlarmOutcome::GivenUp { error } => {
                error.truncate(error.floor_char_boundary(ERROR_BYTES_MAX));
                &self.failed
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut runs = self.runs.lock();
        if runs.len() >= ALARM_RUNS_KEPT {
            runs.pop_front();
        }
        runs.push_back(run);
    }

    pub fn set_under_way(&self, count: usize) {
        self.under_way.store(count, Ordering::Relaxed);
    }

    /// The last runs of an object, the newest first.
    pub fn of(&self, class: ClassNumber, id: ObjectId, limit: usize) -> Vec<PastRun> {
        let runs = self.runs.lock();
        runs.iter().rev().filter(|run| run.class == class && run.id == id).take(limit).cloned().collect()
    }

    pub fn figures(&self) -> AlarmFigures {
        AlarmFigures {
            succeeded: self.succeeded.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            under_way: self.under_way.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: u8, outcome: AlarmOutcome) -> PastRun {
        let (class, id, name) = (ClassNumber(1), ObjectId([id; 32]), String::new());
        PastRun { class, id, name, scheduled_ms: None, started_ms: 0, took_ms: 0, retry_count: 0, outcome }
    }

    #[test]
    fn the_last_runs_of_an_object_are_told_and_the_oldest_are_forgotten() {
        let history = AlarmHistory::default();
        history.add(run(1, AlarmOutcome::GivenUp { error: "ü".repeat(1_000) }));
        let AlarmOutcome::GivenUp { error } = &history.of(ClassNumber(1), ObjectId([1; 32]), 9)[0].outcome else {
            panic!("it was given up");
        };
        assert_eq!(error.len(), 512);
        for _ in 0..ALARM_RUNS_KEPT {
            history.add(run(2, AlarmOutcome::Succeeded));
        }
        assert_eq!(history.of(ClassNumber(1), ObjectId([1; 32]), 9), []);
        assert_eq!(history.of(ClassNumber(1), ObjectId([2; 32]), 9).len(), 9);
        let figures = history.figures();
        assert_eq!((figures.succeeded, figures.failed), (ALARM_RUNS_KEPT as u64, 1));
    }
}
