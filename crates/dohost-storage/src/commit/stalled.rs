//! Which commits an executor does not wait for any more.
//!
//! A disk may take so long that waiting is worse than failing. Whoever gives up tells everyone who waits that the
//! outcome is not known; what truly becomes of the commit is another question, see [`crate::Progress::settled`].
//!
//! Invariant: a number that was given up stays so, whatever becomes of it: who asks later hears what those heard who
//! waited. (Of a commit that settles at the very moment of giving up, somebody may have heard the outcome before.)

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::limits::FAILED_RANGES_MAX;

/// See the module.
#[derive(Debug)]
pub(crate) struct Stalled {
    /// Nothing outside of `first..=last` was ever given up; spares everyone the lock.
    first: AtomicU64,
    last: AtomicU64,
    /// Ascending, with gaps between them.
    ranges: Mutex<Vec<(u64, u64)>>,
}

impl Stalled {
    pub(crate) fn new() -> Stalled {
        Stalled { first: AtomicU64::new(u64::MAX), last: AtomicU64::new(0), ranges: Mutex::default() }
    }

    /// Whether `number` was given up.
    pub(crate) fn contains(&self, number: u64) -> bool {
        if number > self.last.load(Ordering::SeqCst) || number < self.first.load(Ordering::SeqCst) {
            return false;
        }
        let ranges = self.ranges.lock();
        let at = ranges.partition_point(|(_, last)| *last < number);
        ranges.get(at).is_some_and(|(first, _)| *first <= number)
    }

    /// Gives up what is open of the numbers up to `through`; `settled_through` are not open.
    ///
    /// Past the limit the two oldest ranges become one, which covers what was settled between them too: who asks that
    /// late may hear that a commit was given up which was not, never the reverse.
    pub(crate) fn give_up(&self, settled_through: u64, through: u64) {
        let mut ranges = self.ranges.lock();
        // What was given up before is not given up twice.
        let first = ranges.last().map_or(0, |(_, last)| last + 1).max(settled_through + 1);
        if first > through {
            return;
        }
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == first => *last = through,
            _ => ranges.push((first, through)),
        }
        if ranges.len() > FAILED_RANGES_MAX {
            let (oldest, _) = ranges.remove(0);
            ranges[0].0 = oldest;
        }
        self.first.fetch_min(first, Ordering::SeqCst);
        self.last.fetch_max(through, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given_up(stalled: &Stalled, numbers: std::ops::RangeInclusive<u64>) -> Vec<u64> {
        numbers.filter(|number| stalled.contains(*number)).collect()
    }

    #[test]
    fn only_what_was_open_is_given_up_and_stays_so() {
        let stalled = Stalled::new();
        assert_eq!(given_up(&stalled, 0..=9), []);
        stalled.give_up(2, 4);
        stalled.give_up(2, 4);
        assert_eq!(given_up(&stalled, 0..=9), [3, 4]);
        stalled.give_up(3, 5);
        stalled.give_up(6, 6);
        stalled.give_up(7, 8);
        assert_eq!(given_up(&stalled, 0..=9), [3, 4, 5, 8]);
        assert_eq!(*stalled.ranges.lock(), [(3, 5), (8, 8)]);
    }

    #[test]
    fn past_the_limit_the_oldest_grow_together_and_none_is_forgotten() {
        let stalled = Stalled::new();
        let count = FAILED_RANGES_MAX as u64 + 10;
        for range in 0..count {
            stalled.give_up(range * 2, range * 2 + 1);
        }
        assert_eq!(stalled.ranges.lock().len(), FAILED_RANGES_MAX);
        assert!((0..count).all(|range| stalled.contains(range * 2 + 1)));
        assert!(!stalled.contains(count * 2 - 2) && !stalled.contains(count * 2));
    }
}
