//! The order of commits: write sets in, batches out.
//!
//! [`Queue::submit`] holds the lock for a few instructions and wakes the committer only if it sleeps. While a commit
//! is on its way new write sets gather here: the next batch takes them all, up to its limits. That is the group commit.
//!
//! Invariant: numbers are given in the order in which items leave.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use parking_lot::{Condvar, Mutex};

use super::{CommitError, WriteSet};
use crate::limits::{COMMIT_BYTES_MAX, COMMIT_SETS_MAX};
use crate::numbers::{CommitNumber, LifeId};
use crate::record::Class;

/// What the committer is asked to do.
#[derive(Debug)]
pub(crate) enum Item {
    /// Commit a write set under its number.
    Set { number: u64, bytes: usize, set: WriteSet },
    /// Nothing of this life follows: forget whether it failed.
    EndLife(LifeId),
    /// The file is closed because the disk was full, and somebody wants to read it: try to open it again.
    OpenAgain,
    /// Register a class and answer once that is durable.
    Class { name: String, reply: mpsc::Sender<Result<Class, CommitError>> },
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    pending_bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// Bytes of the write sets in `items`.
    bytes: usize,
    /// The number given last.
    last: u64,
    /// The committer sleeps until woken.
    asleep: bool,
    /// The committer has failed lives to remember.
    remembers_lives: bool,
    /// No more items are expected: the committer stops once it has done what is here.
    closing: bool,
    /// The committer is gone.
    stopped: bool,
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
        let mut state = self.state.lock();
        state.last += 1;
        let number = state.last;
        if state.stopped {
            settle_stopped(number);
            return Submitted::Stopped(CommitNumber(number));
        }
        self.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
        state.bytes += bytes;
        self.push(&mut state, Item::Set { number, bytes, set });
        Submitted::Queued(CommitNumber(number))
    }

    /// Notes that nothing of `life` follows.
    pub(crate) fn end_life(&self, life: LifeId) {
        let mut state = self.state.lock();
        // Nothing of it is queued or under way, and nothing is remembered: the common case for an idle object.
        let nothing_to_forget = state.asleep && state.items.is_empty() && !state.remembers_lives;
        if !nothing_to_forget && !state.stopped {
            self.push(&mut state, Item::EndLife(life));
        }
    }

    /// Asks for the file to be opened again, unless the committer is about to look after it anyway.
    pub(crate) fn open_again(&self) {
        let mut state = self.state.lock();
        if state.asleep && state.items.is_empty() && !state.stopped {
            self.push(&mut state, Item::OpenAgain);
        }
    }

    /// The number given last; 0 before the first.
    pub(crate) fn last_submitted(&self) -> CommitNumber {
        CommitNumber(self.state.lock().last)
    }

    /// Asks for a class; the answer is an error if the committer is gone.
    pub(crate) fn class(&self, name: &str) -> mpsc::Receiver<Result<Class, CommitError>> {
        let (reply, answer) = mpsc::channel();
        let mut state = self.state.lock();
        if state.stopped {
            let _ = reply.send(Err(CommitError::Closed));
        } else {
            self.push(&mut state, Item::Class { name: name.to_owned(), reply });
        }
        answer
    }

    fn push(&self, state: &mut State, item: Item) {
        state.items.push_back(item);
        if std::mem::take(&mut state.asleep) {
            self.wake.notify_one();
        }
    }

    /// Waits for items and moves a batch of them into `batch`; false once the queue is closed and empty.
    pub(crate) fn take(&self, batch: &mut VecDeque<Item>, remembers_lives: bool) -> bool {
        debug_assert!(batch.is_empty());
        let mut state = self.state.lock();
        state.remembers_lives = remembers_lives;
        while state.items.is_empty() {
            if state.closing {
                state.stopped = true;
                return false;
            }
            state.asleep = true;
            self.wake.wait(&mut state);
        }
        state.asleep = false;
        if state.items.len() <= COMMIT_SETS_MAX && state.bytes <= COMMIT_BYTES_MAX {
            std::mem::swap(&mut state.items, batch);
            state.bytes = 0;
            return true;
        }
        let mut batch_bytes = 0;
        while batch.len() < COMMIT_SETS_MAX {
            let next_bytes = match state.items.front() {
                None => break,
                Some(Item::Set { bytes, .. }) => *bytes,
                Some(_) => 0,
            };
            if batch_bytes + next_bytes > COMMIT_BYTES_MAX && !batch.is_empty() {
                break;
            }
            batch_bytes += next_bytes;
            state.bytes -= next_bytes;
            batch.extend(state.items.pop_front());
        }
        true
    }

    /// Whether nothing is queued. If so, the committer counts as asleep, as it would in [`Queue::take`].
    pub(crate) fn rest_if_empty(&self, remembers_lives: bool) -> bool {
        let mut state = self.state.lock();
        state.remembers_lives = remembers_lives;
        state.asleep = state.items.is_empty();
        state.asleep
    }

    /// Notes that `bytes` of write sets are settled.
    pub(crate) fn settled(&self, bytes: usize) {
        self.pending_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes submitted and not settled.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes.load(Ordering::Relaxed)
    }

    /// Lets the committer stop once it has done what is queued.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closing = true;
        state.asleep = false;
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::numbers::ObjectNumber;

    fn set_of(value_len: usize) -> WriteSet {
        let mut set = WriteSet::new(ObjectNumber(1), LifeId(1));
        set.writes.push((Arc::from(""), Some(Bytes::from(vec![0; value_len]))));
        set
    }

    fn submit(queue: &Queue, set: WriteSet) -> u64 {
        match queue.submit(set, |_| ()) {
            Submitted::Queued(number) | Submitted::Stopped(number) => number.0,
        }
    }

    fn take(queue: &Queue) -> Vec<u64> {
        let mut batch = VecDeque::new();
        assert!(queue.take(&mut batch, false));
        let number = |item| match item {
            Item::Set { number, .. } => number,
            _ => 0,
        };
        batch.into_iter().map(number).collect()
    }

    #[test]
    fn a_batch_takes_everything_in_order() {
        let queue = Queue::default();
        for expected in 1..=3 {
            assert_eq!(submit(&queue, set_of(10)), expected);
        }
        assert_eq!(queue.pending_bytes(), 30);
        assert_eq!(take(&queue), [1, 2, 3]);
        queue.settled(30);
        assert_eq!(queue.pending_bytes(), 0);
    }

    #[test]
    fn a_batch_stops_at_its_limit_of_write_sets() {
        let queue = Queue::default();
        for _ in 0..=COMMIT_SETS_MAX {
            submit(&queue, set_of(0));
        }
        assert_eq!(take(&queue).len(), COMMIT_SETS_MAX);
        assert_eq!(take(&queue).len(), 1);
    }

    #[test]
    fn a_batch_stops_at_its_limit_of_bytes_unless_one_write_set_exceeds_it_alone() {
        let queue = Queue::default();
        for value_len in [COMMIT_BYTES_MAX + 1, COMMIT_BYTES_MAX - 1, 1, 1] {
            submit(&queue, set_of(value_len));
        }
        assert_eq!(take(&queue), [1]);
        assert_eq!(take(&queue), [2, 3]);
        assert_eq!(take(&queue), [4]);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_then_refuses() {
        let queue = Queue::default();
        submit(&queue, set_of(1));
        queue.close();
        assert_eq!(take(&queue), [1]);
        assert!(!queue.take(&mut VecDeque::new(), false));
        let mut told = None;
        assert!(matches!(queue.submit(set_of(1), |number| told = Some(number)), Submitted::Stopped(CommitNumber(2))));
        assert_eq!(told, Some(2));
    }
}
