//! The order of commits, shared by many threads: write sets in, batches out.
//!
//! What is decided is decided in [`Schedule`]; this adds the lock and the sleep of the committer. [`Queue::submit`]
//! holds the lock for a few instructions and wakes the committer only if it sleeps.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use parking_lot::{Condvar, Mutex};

use super::change::Change;
use super::schedule::{Added, Item, Next, Schedule};
use super::{CommitError, WriteSet};
use crate::numbers::{CommitNumber, LifeId};
use crate::record::Class;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    schedule: Mutex<Schedule>,
    wake: Condvar,
    /// As the schedule has it, to be read without the lock.
    pending_bytes: AtomicUsize,
}

/// What [`Queue::submit`] came to.
pub(crate) enum Submitted {
    /// The committer will settle it.
    Queued(CommitNumber),
    /// The committer is gone: the caller settles this number as failed, and all before it are settled.
    Stopped(CommitNumber),
}

impl Queue {
    /// Adds a write set and gives it its number. `settle_stopped` runs under the lock if the committer is gone, so
    /// that numbers settle in order then, too.
    pub(crate) fn submit(&self, set: WriteSet, settle_stopped: impl FnOnce(u64)) -> Submitted {
        let bytes = set.bytes();
        let mut schedule = self.schedule.lock();
        let (number, added) = schedule.submit(set, bytes);
        self.pending_bytes.store(schedule.pending_bytes(), Ordering::Relaxed);
        if added == Added::Refused {
            settle_stopped(number);
            return Submitted::Stopped(CommitNumber(number));
        }
        self.wake_if_needed(added);
        Submitted::Queued(CommitNumber(number))
    }

    /// Notes that nothing of `life` follows.
    pub(crate) fn end_life(&self, life: LifeId) {
        let added = self.schedule.lock().end_life(life);
        self.wake_if_needed(added);
    }

    /// Asks for the file to be opened again, unless the committer is about to look after it anyway.
    pub(crate) fn open_again(&self) {
        let added = self.schedule.lock().open_again();
        self.wake_if_needed(added);
    }

    /// The number given last; 0 before the first.
    pub(crate) fn last_submitted(&self) -> CommitNumber {
        CommitNumber(self.schedule.lock().last())
    }

    /// Asks for a class; the answer is an error if the committer is gone.
    pub(crate) fn class(&self, name: &str) -> mpsc::Receiver<Result<Class, CommitError>> {
        let (reply, answer) = mpsc::channel();
        let added = self.schedule.lock().class(name, reply.clone());
        if added == Added::Refused {
            let _ = reply.send(Err(CommitError::Closed));
        }
        self.wake_if_needed(added);
        answer
    }

    /// Asks for a change; the answer is an error if the committer is gone.
    pub(crate) fn change(&self, change: Change) -> mpsc::Receiver<Result<(), CommitError>> {
        let (reply, answer) = mpsc::channel();
        let added = self.schedule.lock().change(change, reply.clone());
        if added == Added::Refused {
            let _ = reply.send(Err(CommitError::Closed));
        }
        self.wake_if_needed(added);
        answer
    }

    /// Waits for items and moves a batch of them into `batch`; false once the queue is closed and empty.
    pub(crate) fn take(&self, batch: &mut VecDeque<Item>, remembers_lives: bool) -> bool {
        let mut schedule = self.schedule.lock();
        loop {
            match schedule.take(batch, remembers_lives) {
                Next::Commit => return true,
                Next::Rest => self.wake.wait(&mut schedule),
                Next::Stop => return false,
            }
        }
    }

    /// Whether nothing is queued, and more may come.
    pub(crate) fn is_idle(&self) -> bool {
        self.schedule.lock().is_idle()
    }

    /// Moves a batch of what is queued into `batch`; false if nothing is.
    pub(crate) fn take_queued(&self, batch: &mut VecDeque<Item>, remembers_lives: bool) -> bool {
        self.schedule.lock().take(batch, remembers_lives) == Next::Commit
    }

    /// Notes that `bytes` of write sets are settled.
    pub(crate) fn settled(&self, bytes: usize) {
        let mut schedule = self.schedule.lock();
        schedule.settle(bytes);
        self.pending_bytes.store(schedule.pending_bytes(), Ordering::Relaxed);
    }

    /// Bytes submitted and not settled.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Relaxed)
    }

    /// Lets the committer stop once it has done what is queued.
    pub(crate) fn close(&self) {
        self.schedule.lock().close();
        self.wake.notify_one();
    }

    fn wake_if_needed(&self, added: Added) {
        if added == Added::Wake {
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::ObjectNumber;

    #[test]
    fn a_closed_queue_gives_what_it_has_and_then_refuses() {
        let queue = Queue::default();
        let set = || WriteSet::new(ObjectNumber(1), LifeId(1));
        queue.submit(set(), |_| ());
        queue.close();
        let mut batch = VecDeque::new();
        assert!(queue.take(&mut batch, false));
        assert_eq!(batch.len(), 1);
        batch.clear();
        assert!(!queue.take(&mut batch, false));
        let mut told = None;
        assert!(matches!(queue.submit(set(), |number| told = Some(number)), Submitted::Stopped(CommitNumber(2))));
        assert_eq!(told, Some(2));
        assert_eq!(queue.class("late").recv().unwrap(), Err(CommitError::Closed));
    }
}
