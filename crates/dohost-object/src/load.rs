//! How busy executors are, for connections that think of moving.
//!
//! A connection that is where its objects are saves work, but takes work from two threads to one. So it goes there if there is time
//! left, and away again if there is none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long an executor is watched before something is said. In that time one connection may come or go.
const WINDOW: Duration = Duration::from_millis(20);
/// After so long, what was seen says nothing of now.
const OLD: Duration = Duration::from_secs(1);

/// For how much of the time an executor may be busy that gets another connection, in percent.
const ROOM_PERCENT: u32 = 85;
/// The same for one that gets a connection because another executor has too many.
const RELIEF_PERCENT: u32 = 60;
/// An executor that is busy for as much or more has too many.
const FULL_PERCENT: u32 = 97;

/// What is known of one executor.
pub(crate) struct Load {
    base: Instant,
    /// For how long its thread had nothing to do, in all.
    parked_ns: AtomicU64,
    /// Since when it has nothing to do; 0 if it has.
    parked_since_ns: AtomicU64,
    seen: Mutex<Seen>,
}

struct Seen {
    at: Duration,
    /// For how long it had had nothing to do.
    parked: Duration,
    /// What that came to in the window before, if it was one.
    busy_percent: Option<u32>,
    /// A connection came or went since.
    has_changed: bool,
}

impl Default for Load {
    fn default() -> Load {
        let seen = Seen { at: Duration::ZERO, parked: Duration::ZERO, busy_percent: None, has_changed: false };
        let (parked_ns, parked_since_ns) = (AtomicU64::new(0), AtomicU64::new(0));
        Load { base: Instant::now(), parked_ns, parked_since_ns, seen: Mutex::new(seen) }
    }
}

impl Load {
    /// Its thread has nothing to do. Called by that thread, as the next one.
    pub fn parks(&self) {
        self.parked_since_ns.store(self.now_ns(), Ordering::Relaxed);
    }

    pub fn unparks(&self) {
        let since = self.parked_since_ns.swap(0, Ordering::Relaxed);
        if since != 0 {
            self.parked_ns.fetch_add(self.now_ns().saturating_sub(since), Ordering::Relaxed);
        }
    }

    /// Whether there is time for one more connection; then it must come.
    pub fn has_room(&self) -> bool {
        self.changes(|percent| percent < ROOM_PERCENT)
    }

    /// Whether there is time for one that another executor has too many; then it must come.
    pub fn has_relief(&self) -> bool {
        self.changes(|percent| percent < RELIEF_PERCENT)
    }

    /// Whether it has too many; then one should go, if it can.
    pub fn is_full(&self) -> bool {
        self.changes(|percent| percent >= FULL_PERCENT)
    }

    fn changes(&self, is_right: impl FnOnce(u32) -> bool) -> bool {
        let now_ns = self.now_ns();
        let since = self.parked_since_ns.load(Ordering::Relaxed);
        let now_parked = if since == 0 { 0 } else { now_ns.saturating_sub(since) };
        let parked_ns = self.parked_ns.load(Ordering::Relaxed) + now_parked;
        self.seen.lock().changes(Duration::from_nanos(now_ns), Duration::from_nanos(parked_ns), is_right)
    }

    fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos().max(1) as u64
    }
}

impl Seen {
    fn changes(&mut self, at: Duration, parked: Duration, is_right: impl FnOnce(u32) -> bool) -> bool {
        let time = at.saturating_sub(self.at);
        if time >= WINDOW {
            let parked_now = parked.saturating_sub(self.parked).min(time);
            let busy = 100 - (parked_now.as_micros() * 100 / time.as_micros()) as u32;
            *self = Seen { at, parked, busy_percent: (time < OLD).then_some(busy), has_changed: false };
        }
        let changes = !self.has_changed && self.busy_percent.is_some_and(is_right);
        self.has_changed |= changes;
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_comes_at_a_time_while_there_is_time_left() {
        let load = Load::default();
        let mut seen = load.seen.into_inner();
        let mut has_room = |ms, parked| {
            let (at, parked) = (Duration::from_millis(ms), Duration::from_millis(parked));
            seen.changes(at, parked, |percent| percent < ROOM_PERCENT)
        };
        assert!(!has_room(10, 10), "too little is known");
        assert!(has_room(30, 20), "two thirds of the time were left");
        assert!(!has_room(40, 29), "another has just come");
        assert!(!has_room(130, 25), "it was busy for nearly all of the time");
        assert!(has_room(160, 50));
        assert!(!has_room(9_000, 8_000), "what was then is not now");
        assert!(has_room(9_030, 8_020));
    }

    #[test]
    fn a_thread_that_does_not_park_is_busy_and_one_that_stays_parked_is_not() {
        let load = Load::default();
        let comes_true = |is: fn(&Load) -> bool| {
            (0..1_000).any(|_| {
                std::thread::sleep(WINDOW);
                is(&load)
            })
        };
        assert!(comes_true(Load::is_full));
        load.parks();
        assert!(comes_true(Load::has_relief), "also if it has not come back yet");
        load.unparks();
    }
}
