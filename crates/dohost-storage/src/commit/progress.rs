//! Who waits for a commit, and how it is woken.
//!
//! Each executor has one [`Progress`]. Its tasks register as waiters in its own list, whose lock nobody else takes;
//! after a commit the committer wakes at most one task per executor, the one that runs [`Progress::drive`], and that
//! one wakes the waiters of its own thread. A commit of a thousand write sets so costs as many wakes across threads as
//! there are executors with someone waiting, and not a thousand.
//!
//! The race between "settled" and "waiting" is closed by order: a waiter publishes the lowest number waited for and
//! then looks at the watermark; the committer moves the watermark and then looks at that number. Both are sequentially
//! consistent, so one of the two sees the other.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use super::CommitError;
use super::settled::Settled;
use super::stalled::Stalled;
use crate::numbers::CommitNumber;

/// An executor's view of the commits. Clones share one list of waiters; a new one comes from
/// [`crate::Store::progress`].
#[derive(Clone, Debug)]
pub struct Progress {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settled: Arc<Settled>,
    stalled: Stalled,
    /// The task that drives.
    driver: AtomicWaker,
    /// The lowest number anyone waits for; `u64::MAX` if nobody does. May be too low for a while, never too high.
    lowest_waiting: AtomicU64,
    waiters: Mutex<Waiters>,
    notified: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiters {
    by_number: BTreeMap<(u64, u64), Waker>,
    next_ticket: u64,
}

/// The executors that want to hear of commits.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    list: Mutex<Vec<Weak<Inner>>>,
}

impl Subscribers {
    pub(crate) fn subscribe(&self, settled: Arc<Settled>) -> Progress {
        let inner = Arc::new(Inner {
            settled,
            stalled: Stalled::new(),
            driver: AtomicWaker::new(),
            lowest_waiting: AtomicU64::new(u64::MAX),
            waiters: Mutex::default(),
            notified: AtomicU64::new(0),
        });
        let mut list = self.list.lock();
        list.retain(|subscriber| subscriber.strong_count() > 0);
        list.push(Arc::downgrade(&inner));
        Progress { inner }
    }

    /// Moves the watermark and wakes the executors that waited for it.
    pub(crate) fn publish(&self, settled: &Settled, through: u64) {
        settled.advance(through);
        for subscriber in self.list.lock().iter().filter_map(Weak::upgrade) {
            if subscriber.lowest_waiting.load(Ordering::SeqCst) <= through {
                subscriber.notified.fetch_add(1, Ordering::Relaxed);
                subscriber.driver.wake();
            }
        }
    }
}

impl Progress {
    /// The outcome of a commit, or `None` while it is open. [`CommitError::Stalled`] if it was given up, for ever.
    pub fn is_durable(&self, number: CommitNumber) -> Option<Result<(), CommitError>> {
        self.inner.outcome(number, Question::MayGiveUp)
    }

    /// Waits for the outcome of a commit. Answers at once if it is known, and with [`CommitError::Stalled`] if it is
    /// given up. Some task must run [`Progress::drive`].
    ///
    /// Cancel-safe: a dropped future leaves nothing behind.
    pub fn durable(
        &self,
        number: CommitNumber,
    ) -> impl Future<Output = Result<(), CommitError>> + Send + Unpin + 'static {
        Outcome { inner: self.inner.clone(), question: Question::MayGiveUp, number, ticket: None }
    }

    /// Waits for what truly becomes of a commit, given up or not: what the next life of its object must wait for
    /// before it loads. As [`Progress::durable`] otherwise.
    pub fn settled(
        &self,
        number: CommitNumber,
    ) -> impl Future<Output = Result<(), CommitError>> + Send + Unpin + 'static {
        Outcome { inner: self.inner.clone(), question: Question::Truth, number, ticket: None }
    }

    /// Gives up every commit up to `through` that is open: [`Progress::is_durable`] and [`Progress::durable`] of this
    /// executor answer [`CommitError::Stalled`] from now on, also if it becomes durable later. Later commits are not
    /// touched, if `through` is a number that was given ([`crate::Store::last_submitted`]).
    ///
    /// Wakes all who wait for one of them, on any thread.
    pub fn give_up(&self, through: CommitNumber) {
        self.inner.stalled.give_up(self.inner.settled.through(), through.0);
        // Who registers after this look sees that it was given up.
        self.inner.wake_up_to(through.0);
    }

    /// Passes news of commits on to the waiters of this executor, for ever. One task of the executor runs it; of two,
    /// only one would be woken.
    ///
    /// Cancel-safe: the next call takes over.
    pub fn drive(&self) -> impl Future<Output = ()> + Send + Unpin + 'static {
        Drive { inner: self.inner.clone() }
    }

    /// How often the committer woke this executor. For tests and figures.
    pub fn notified(&self) -> u64 {
        self.inner.notified.load(Ordering::Relaxed)
    }

    /// How many futures wait. For tests and figures.
    pub fn waiting(&self) -> usize {
        self.inner.waiters.lock().by_number.len()
    }
}

impl Inner {
    fn outcome(&self, number: CommitNumber, question: Question) -> Option<Result<(), CommitError>> {
        match question {
            Question::MayGiveUp if self.stalled.contains(number.0) => Some(Err(CommitError::Stalled)),
            Question::MayGiveUp | Question::Truth => self.settled.outcome(number),
        }
    }

    /// Wakes all who wait for a number up to `through`. Those that go on waiting register again.
    fn wake_up_to(&self, through: u64) {
        let woken = {
            let mut waiters = self.waiters.lock();
            let others = waiters.by_number.split_off(&(through.saturating_add(1), 0));
            // The lowest number waited for stays: at worst the driver is woken once for nobody.
            std::mem::replace(&mut waiters.by_number, others)
        };
        woken.into_values().for_each(Waker::wake);
    }

    fn wake_settled(&self) {
        let ready = {
            let mut waiters = self.waiters.lock();
            let still_waiting = waiters.by_number.split_off(&(self.settled.through() + 1, 0));
            let lowest = still_waiting.first_key_value().map_or(u64::MAX, |((number, _), _)| *number);
            self.lowest_waiting.store(lowest, Ordering::SeqCst);
            std::mem::replace(&mut waiters.by_number, still_waiting)
        };
        for waker in ready.into_values() {
            waker.wake();
        }
    }
}

struct Drive {
    inner: Arc<Inner>,
}

impl Future for Drive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Registered before the look at the watermark: news that come in between wake us again.
        self.inner.driver.register(context.waker());
        loop {
            self.inner.wake_settled();
            // A commit that was published between the look at the watermark and the store of the new lowest number
            // may have compared itself with the old one, which was lower: then it woke us. But it may also have been
            // published before we registered, so look once more.
            if self.inner.lowest_waiting.load(Ordering::SeqCst) > self.inner.settled.through() {
                return Poll::Pending;
            }
        }
    }
}

/// What a waiter wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// The outcome, or that it was given up.
    MayGiveUp,
    /// The outcome.
    Truth,
}

struct Outcome {
    inner: Arc<Inner>,
    question: Question,
    number: CommitNumber,
    ticket: Option<u64>,
}

impl Outcome {
    fn withdraw(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            // The lowest number stays: at worst the driver is woken once for nobody.
            self.inner.waiters.lock().by_number.remove(&(self.number.0, ticket));
        }
    }
}

impl Future for Outcome {
    type Output = Result<(), CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(outcome) = self.inner.outcome(self.number, self.question) {
            self.withdraw();
            return Poll::Ready(outcome);
        }
        let ticket = {
            let mut waiters = self.inner.waiters.lock();
            let ticket = self.ticket.unwrap_or_else(|| {
                waiters.next_ticket += 1;
                waiters.next_ticket
            });
            waiters.by_number.insert((self.number.0, ticket), context.waker().clone());
            self.inner.lowest_waiting.fetch_min(self.number.0, Ordering::SeqCst);
            ticket
        };
        self.ticket = Some(ticket);
        match self.inner.outcome(self.number, self.question) {
            Some(outcome) => {
                self.withdraw();
                Poll::Ready(outcome)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        self.withdraw();
    }
}
