//! What became of every commit number.
//!
//! Write sets settle in the order of their numbers, so one watermark says which are settled, and the rare failures are
//! kept as ranges beside it.
//!
//! Invariant: a failure is recorded before the watermark passes it. Who sees the watermark sees the failure.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::CommitError;
use crate::limits::FAILED_RANGES_MAX;
use crate::numbers::CommitNumber;

/// See the module.
#[derive(Debug)]
pub(crate) struct Settled {
    through: AtomicU64,
    /// Below it nothing ever failed; spares everyone the lock as long as nothing fails.
    first_failed: AtomicU64,
    failed: Mutex<Vec<Failed>>,
}

/// Numbers `first..=last` failed with `error`.
#[derive(Debug)]
struct Failed {
    first: u64,
    last: u64,
    error: CommitError,
}

impl Settled {
    pub(crate) fn new() -> Settled {
        Settled { through: AtomicU64::new(0), first_failed: AtomicU64::new(u64::MAX), failed: Mutex::new(Vec::new()) }
    }

    /// The highest settled number.
    pub(crate) fn through(&self) -> u64 {
        // Sequentially consistent with the waiters' `lowest_waiting`, see `progress`.
        self.through.load(Ordering::SeqCst)
    }

    /// The outcome of `number`, if it is settled.
    pub(crate) fn outcome(&self, number: CommitNumber) -> Option<Result<(), CommitError>> {
        if number.0 > self.through() {
            return None;
        }
        if number.0 < self.first_failed.load(Ordering::Acquire) {
            return Some(Ok(()));
        }
        let failed = self.failed.lock();
        let at = failed.partition_point(|range| range.last < number.0);
        match failed.get(at) {
            Some(range) if range.first <= number.0 => Some(Err(range.error.clone())),
            _ => Some(Ok(())),
        }
    }

    /// Records that `first..=last` failed. In ascending order, before [`Settled::advance`].
    pub(crate) fn fail(&self, first: u64, last: u64, error: &CommitError) {
        let mut failed = self.failed.lock();
        self.first_failed.fetch_min(first, Ordering::Release);
        if let Some(range) = failed.last_mut()
            && range.last + 1 == first
            && range.error == *error
        {
            range.last = last;
            return;
        }
        debug_assert!(failed.last().is_none_or(|range| range.last < first), "failures out of order");
        failed.push(Failed { first, last, error: error.clone() });
        if failed.len() > FAILED_RANGES_MAX {
            let oldest = failed.remove(0);
            failed[0].first = oldest.first;
        }
    }

    /// Moves the watermark: everything up to `through` is settled.
    pub(crate) fn advance(&self, through: u64) {
        self.through.store(through, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(settled: &Settled, number: u64) -> Option<Result<(), CommitError>> {
        settled.outcome(CommitNumber(number))
    }

    #[test]
    fn an_outcome_is_known_once_the_watermark_passed() {
        let settled = Settled::new();
        assert_eq!(outcome(&settled, 1), None);
        settled.advance(2);
        assert_eq!(outcome(&settled, 2), Some(Ok(())));
        assert_eq!(outcome(&settled, 3), None);
    }

    #[test]
    fn failures_are_remembered_as_ranges() {
        let settled = Settled::new();
        settled.fail(3, 4, &CommitError::EarlierFailed);
        settled.fail(5, 5, &CommitError::EarlierFailed);
        settled.fail(6, 6, &CommitError::Closed);
        settled.advance(8);
        assert_eq!(settled.failed.lock().len(), 2);
        for (number, expected) in [
            (2, Ok(())),
            (3, Err(CommitError::EarlierFailed)),
            (5, Err(CommitError::EarlierFailed)),
            (6, Err(CommitError::Closed)),
            (7, Ok(())),
        ] {
            assert_eq!(outcome(&settled, number), Some(expected), "{number}");
        }
    }

    #[test]
    fn past_the_limit_old_failures_grow_together_and_none_is_forgotten() {
        let settled = Settled::new();
        let count = FAILED_RANGES_MAX as u64 + 10;
        for range in 0..count {
            settled.fail(range * 2 + 1, range * 2 + 1, &CommitError::EarlierFailed);
        }
        settled.advance(count * 2);
        assert_eq!(settled.failed.lock().len(), FAILED_RANGES_MAX);
        for range in 0..count {
            assert_eq!(outcome(&settled, range * 2 + 1), Some(Err(CommitError::EarlierFailed)), "{range}");
        }
        assert_eq!(outcome(&settled, count * 2), Some(Ok(())));
    }
}
