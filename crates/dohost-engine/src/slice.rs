//! How long a guest has been running, and whether it waits.
//!
//! wasmtime asks at every epoch while guest code runs. The answer needs two times: how long ago the executor gave this
//! guest the thread (a guest that just woke up is left alone), and how much the current turn has used in all. Both are kept
//! outside the store because they are written while the store is busy.
//!
//! The times are those of the wall clock while the guest has the thread: on a machine with more to do than cores they are
//! longer than CPU time.
//!
//! Atomics only because a store must be `Send`; all accesses but wakes come from the thread that runs the guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use crate::config::EPOCH;

/// A guest that was not running at this many epochs in a row has been waiting. For guests that are driven by others.
const EPOCHS_OF_A_WAIT: u32 = 3;

/// See the module.
pub(crate) struct Slice {
    base: Instant,
    polled_at_ns: AtomicU64,
    turn_ns: AtomicU64,
    last_tick_ns: AtomicU64,
    preempted: AtomicBool,
    turn_max: Duration,
    /// We poll the guest; otherwise somebody else does and we only see ticks.
    is_polled_here: AtomicBool,
}

/// What a guest that runs at an epoch should do.
pub(crate) enum Verdict {
    GoOn,
    Yield,
    Stop(Duration),
}

impl Slice {
    pub fn new(turn_max: Duration) -> Slice {
        Slice {
            base: Instant::now(),
            polled_at_ns: AtomicU64::new(0),
            turn_ns: AtomicU64::new(0),
            last_tick_ns: AtomicU64::new(0),
            preempted: AtomicBool::new(false),
            turn_max,
            is_polled_here: AtomicBool::new(false),
        }
    }

    fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    /// Called at an epoch while the guest runs.
    pub fn tick(&self) -> Verdict {
        let now_ns = self.now_ns();
        let since_last_tick_ns = now_ns.saturating_sub(self.last_tick_ns.swap(now_ns, Ordering::Relaxed));
        let running_ns = if self.is_polled_here.load(Ordering::Relaxed) {
            now_ns.saturating_sub(self.polled_at_ns.load(Ordering::Relaxed))
        } else if since_last_tick_ns > (EPOCH * EPOCHS_OF_A_WAIT).as_nanos() as u64 {
            self.end_turn();
            0
        } else {
            since_last_tick_ns
        };
        let turn_ns = self.turn_ns.load(Ordering::Relaxed) + running_ns;
        if turn_ns > self.turn_max.as_nanos() as u64 {
            return Verdict::Stop(self.turn_max);
        }
        if running_ns < EPOCH.as_nanos() as u64 / 2 {
            return Verdict::GoOn;
        }
        self.turn_ns.store(turn_ns, Ordering::Relaxed);
        self.polled_at_ns.store(now_ns, Ordering::Relaxed);
        self.preempted.store(true, Ordering::Relaxed);
        Verdict::Yield
    }

    /// Polls a future that runs the guest.
    pub fn poll<T>(&self, guest: impl FnOnce() -> Poll<T>) -> Poll<T> {
        self.is_polled_here.store(true, Ordering::Relaxed);
        self.preempted.store(false, Ordering::Relaxed);
        self.polled_at_ns.store(self.now_ns(), Ordering::Relaxed);
        guest()
    }

    /// Whether the guest was interrupted in the middle of a turn to let others run, in the last poll: it will be woken.
    pub fn was_preempted(&self) -> bool {
        self.preempted.load(Ordering::Relaxed)
    }

    /// The turn goes on in the next poll: the time of this one counts.
    pub fn pause_turn(&self) {
        let running_ns = self.now_ns().saturating_sub(self.polled_at_ns.load(Ordering::Relaxed));
        self.turn_ns.fetch_add(running_ns, Ordering::Relaxed);
    }

    /// The turn is over, the next one begins with all its time.
    pub fn end_turn(&self) {
        self.turn_ns.store(0, Ordering::Relaxed);
    }
}

/// Between the guest's wakers and the executor: tells whether the guest was woken while it was being polled, which means
/// that it has more to do at once (it yielded, or something it waits for was there already).
#[derive(Default)]
pub(crate) struct Wakes {
    outer: AtomicWaker,
    is_polling: AtomicBool,
    was_woken: AtomicBool,
}

impl Wakes {
    /// The waker to poll the guest with.
    pub fn waker(self: &Arc<Wakes>) -> Waker {
        Waker::from(self.clone())
    }

    /// Begins a poll of the executor.
    pub fn begin(&self, cx: &Context<'_>) {
        self.outer.register(cx.waker());
        self.is_polling.store(true, Ordering::SeqCst);
        self.was_woken.store(false, Ordering::SeqCst);
    }

    /// Whether the guest was woken since this was asked last.
    pub fn take(&self) -> bool {
        self.was_woken.swap(false, Ordering::SeqCst)
    }

    /// Asks for another poll of the executor after this one.
    pub fn again(&self) {
        self.was_woken.store(true, Ordering::SeqCst);
    }

    /// Ends a poll of the executor: wakes from now on reach it, and one that came meanwhile asks for another poll, but only
    /// after the executor has looked for news from its sockets and timers.
    ///
    /// A plain wake would not do. The runtime looks for news only when it has nothing to poll, or after 61 polls: with a
    /// guest that never gives way, each of them a slice of the thread, everybody else would wait for a third of a second.
    pub fn end(&self, cx: &mut Context<'_>) {
        self.is_polling.store(false, Ordering::SeqCst);
        if self.take() {
            let poll = std::pin::pin!(tokio::task::yield_now()).poll(cx);
            assert!(poll.is_pending(), "a yield is not done at once");
        }
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Wakes>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Wakes>) {
        self.was_woken.store(true, Ordering::SeqCst);
        if !self.is_polling.load(Ordering::SeqCst) {
            self.outer.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN_MAX: Duration = Duration::from_millis(200);

    fn spin(slice: &Slice, time: Duration) -> Option<Duration> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            std::thread::sleep(EPOCH);
            if let Verdict::Stop(max) = slice.tick() {
                return Some(max);
            }
        }
        None
    }

    #[test]
    fn a_guest_that_keeps_running_is_stopped() {
        let slice = Slice::new(TURN_MAX);
        assert!(slice.poll(|| Poll::Ready(spin(&slice, TURN_MAX * 2))) == Poll::Ready(Some(TURN_MAX)));
    }

    #[test]
    fn time_of_a_turn_adds_up_over_polls_and_begins_anew_with_the_next_turn() {
        let slice = Slice::new(TURN_MAX);
        // Far from the limit, so that a busy machine does not matter; together far over it.
        for _ in 0..16 {
            assert!(slice.poll(|| Poll::Ready(spin(&slice, TURN_MAX / 8))) == Poll::Ready(None));
            slice.end_turn();
        }
        assert!(slice.poll(|| Poll::Ready(spin(&slice, TURN_MAX / 8))) == Poll::Ready(None));
        slice.pause_turn();
        assert!(slice.poll(|| Poll::Ready(spin(&slice, TURN_MAX))) == Poll::Ready(Some(TURN_MAX)));
    }

    #[test]
    fn an_interruption_is_told_of_the_poll_that_it_was_in_and_of_no_other() {
        let slice = Slice::new(TURN_MAX);
        assert!(slice.poll(|| Poll::Ready(spin(&slice, EPOCH * 2))) == Poll::Ready(None));
        assert!(slice.was_preempted());
        assert!(slice.poll(|| Poll::Ready(())).is_ready());
        assert!(!slice.was_preempted());
    }

    #[test]
    fn a_guest_that_others_poll_is_not_charged_for_the_time_it_waits() {
        let slice = Slice::new(TURN_MAX);
        for _ in 0..5 {
            std::thread::sleep(TURN_MAX);
            assert!(!matches!(slice.tick(), Verdict::Stop(_)));
        }
        assert!(spin(&slice, TURN_MAX * 3).is_some(), "but it is for the time it runs");
    }

    #[test]
    fn a_wake_during_a_poll_is_told_and_not_lost() {
        let wakes = Arc::new(Wakes::default());
        let outer = Arc::new(Wakes::default());
        let waker = outer.waker();
        wakes.begin(&Context::from_waker(&waker));
        assert!(!wakes.take());
        wakes.waker().wake();
        assert!(wakes.take() && !wakes.take());
        wakes.waker().wake();
        assert!(!outer.take(), "kept back while polling");
        wakes.end(&mut Context::from_waker(&waker));
        assert!(outer.take(), "and passed on at the end");
        wakes.begin(&Context::from_waker(&waker));
        wakes.end(&mut Context::from_waker(&waker));
        assert!(!outer.take());
        wakes.waker().wake();
        assert!(outer.take(), "passed on at once when nobody polls");
    }
}
