//! How busy executors are, for connections that think of moving.
//!
//! A connection that is where its objects are saves work, but takes work from two threads to one. So it goes there if there is time
//! left, and away again if there is none.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;

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
#[derive(Default)]
pub(crate) struct Load(Mutex<Option<Seen>>);

struct Seen {
    at: Instant,
    /// How long it had been busy in all.
    busy: Duration,
    /// What that came to in the window before, if it was one.
    percent: Option<u32>,
    /// A connection came or went since.
    has_changed: bool,
}

impl Load {
    /// Whether there is time for one more connection; then it must come.
    pub fn has_room(&self, runtime: &Handle) -> bool {
        self.changes(runtime, |percent| percent < ROOM_PERCENT)
    }

    /// Whether there is time for one that another executor has too many; then it must come.
    pub fn has_relief(&self, runtime: &Handle) -> bool {
        self.changes(runtime, |percent| percent < RELIEF_PERCENT)
    }

    /// Whether it has too many; then one should go, if it can.
    pub fn is_full(&self, runtime: &Handle) -> bool {
        self.changes(runtime, |percent| percent >= FULL_PERCENT)
    }

    fn changes(&self, runtime: &Handle, is_right: impl FnOnce(u32) -> bool) -> bool {
        let (at, busy) = (Instant::now(), runtime.metrics().worker_total_busy_duration(0));
        let mut seen = self.0.lock();
        seen.get_or_insert(Seen { at, busy, percent: None, has_changed: false }).changes(at, busy, is_right)
    }
}

impl Seen {
    fn changes(&mut self, at: Instant, busy: Duration, is_right: impl FnOnce(u32) -> bool) -> bool {
        let time = at.duration_since(self.at);
        if time >= WINDOW {
            let busy_now = busy.saturating_sub(self.busy);
            let percent = (busy_now.as_micros() * 100 / time.as_micros()).min(100) as u32;
            *self = Seen { at, busy, percent: (time < OLD).then_some(percent), has_changed: false };
        }
        let changes = !self.has_changed && self.percent.is_some_and(is_right);
        self.has_changed |= changes;
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_comes_at_a_time_while_there_is_time_left() {
        let start = Instant::now();
        let mut seen = Seen { at: start, busy: Duration::ZERO, percent: None, has_changed: false };
        let mut has_room = |ms, busy| {
            let (at, busy) = (start + Duration::from_millis(ms), Duration::from_millis(busy));
            seen.changes(at, busy, |percent| percent < ROOM_PERCENT)
        };
        assert!(!has_room(0, 0), "nothing is known");
        assert!(!has_room(10, 0), "too little is known");
        assert!(has_room(30, 20), "a third of the time was left");
        assert!(!has_room(40, 21), "another has just come");
        assert!(!has_room(130, 119), "it was busy for nearly all of the time");
        assert!(has_room(160, 119));
        assert!(!has_room(9_000, 119), "what was then is not now");
        assert!(has_room(9_030, 119));
    }
}
