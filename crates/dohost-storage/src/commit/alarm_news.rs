//! What became of the index of alarms, for whoever keeps its beginning in memory.
//!
//! The committer adds the changes of each commit once it is durable, before it tells anyone else that it is. Nobody
//! listening is no reason to remember anything; a listener that falls too far behind loses the changes and is told so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::alarm::AlarmChange;
use crate::limits::ALARM_NEWS_LEN_MAX;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct AlarmNewsQueue {
    has_listener: AtomicBool,
    news: Mutex<AlarmNews>,
    waker: AtomicWaker,
}

/// Changes of the index since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlarmNews {
    /// In the order in which they became durable.
    pub changes: Vec<AlarmChange>,
    /// Changes before these were lost: what is known of the index is of no use.
    pub has_lost: bool,
}

impl AlarmNewsQueue {
    /// Begins to remember changes.
    pub fn listen(&self) {
        self.has_listener.store(true, Ordering::SeqCst);
    }

    /// Adds the changes of a commit.
    pub fn add(&self, changes: Vec<AlarmChange>) {
        if changes.is_empty() || !self.has_listener.load(Ordering::SeqCst) {
            return;
        }
        let mut news = self.news.lock();
        if news.changes.len() + changes.len() > ALARM_NEWS_LEN_MAX {
            news.changes = Vec::new();
            news.has_lost = true;
        } else {
            news.changes.extend(changes);
        }
        drop(news);
        self.waker.wake();
    }

    /// The changes so far, at once.
    pub fn take(&self) -> AlarmNews {
        std::mem::take(&mut self.news.lock())
    }

    /// Whether there are any; who asks last is woken.
    pub fn poll_any(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        let news = self.news.lock();
        if news.changes.is_empty() && !news.has_lost { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{PendingAlarm, Tries};
    use crate::numbers::{ClassNumber, ObjectNumber};

    fn changes(count: usize) -> Vec<AlarmChange> {
        let (class, object, tries) = (ClassNumber(1), ObjectNumber(1), Tries::default());
        let pending = PendingAlarm { class, due_ms: 1, object, name: "".into(), id: [1; 32], stamp: 1, tries };
        vec![AlarmChange::Removed(pending); count]
    }

    #[test]
    fn nothing_is_remembered_for_nobody() {
        let queue = AlarmNewsQueue::default();
        queue.add(changes(1));
        assert_eq!(queue.take(), AlarmNews::default());
        queue.listen();
        queue.add(changes(1));
        assert_eq!(queue.take().changes.len(), 1);
    }

    #[test]
    fn who_falls_behind_loses_the_changes_and_is_told() {
        let queue = AlarmNewsQueue::default();
        queue.listen();
        queue.add(changes(ALARM_NEWS_LEN_MAX));
        queue.add(changes(1));
        queue.add(changes(2));
        assert_eq!(queue.take(), AlarmNews { changes: changes(2), has_lost: true });
    }
}
