//! The input gate of one object: while a storage operation of it waits, nothing new reaches the guest.
//!
//! Held by each storage operation that had to ask the store. New events and the completions of other imports pass only
//! when nobody holds it. So between two storage calls of a guest nothing else of the same object happens, which is what
//! makes "read, add one, write" safe without a transaction.
//!
//! Bookkeeping only: no clock, no task, no I/O.

use std::task::{Poll, Waker};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct InputGate {
    holders: usize,
    waiters: Vec<Waker>,
}

impl InputGate {
    /// Closes the gate until [`InputGate::release`] was called as often as this.
    pub fn hold(&mut self) {
        self.holders += 1;
    }

    /// Gives up one hold; wakes those who wait if it was the last.
    pub fn release(&mut self) {
        self.holders = self.holders.checked_sub(1).expect("the gate was held");
        if self.holders == 0 {
            self.waiters.drain(..).for_each(Waker::wake);
        }
    }

    /// Whether a storage operation waits.
    pub fn is_held(&self) -> bool {
        self.holders > 0
    }

    /// Ready if the gate is open; otherwise `waker` is woken when it opens.
    pub fn poll_open(&mut self, waker: &Waker) -> Poll<()> {
        if self.holders == 0 {
            return Poll::Ready(());
        }
        if !self.waiters.iter().any(|waiting| waiting.will_wake(waker)) {
            self.waiters.push(waker.clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn nothing_passes_until_the_last_holder_is_gone() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut gate = InputGate::default();
        assert!(gate.poll_open(&waker).is_ready());
        gate.hold();
        gate.hold();
        assert!(gate.poll_open(&waker).is_pending());
        gate.release();
        assert!(gate.poll_open(&waker).is_pending());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        gate.release();
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "woken once, though it asked twice");
        assert!(gate.poll_open(&waker).is_ready());
    }

    #[test]
    #[should_panic(expected = "the gate was held")]
    fn a_release_without_a_hold_is_a_defect() {
        InputGate::default().release();
    }
}
