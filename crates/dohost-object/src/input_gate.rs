//! The input gate of one object: one thing enters at a time, and nothing while a storage operation waits.
//!
//! What wants to enter is an event, or the completion of an import that is not storage (an answer to a call, a timer). One is
//! *admitted*; the guest then runs until every task of it waits, which ends the turn. Only then may the next one enter, and
//! not if the turn has left a storage operation waiting: such an operation *holds* the gate, its completion belongs to the same
//! turn, and the gate opens when the guest has run on from there to where it waits for something else. So between two storage
//! calls of a guest nothing else of the same object happens, which is what makes "read, add one, write" safe without a
//! transaction.
//!
//! Completions go before new events, and in the order in which they came.
//!
//! Bookkeeping only: no clock, no task, no I/O.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct InputGate {
    /// Storage operations that wait.
    holders: usize,
    /// Something was admitted and its turn is not over.
    has_admitted: bool,
    waiters: VecDeque<(Ticket, Waker)>,
    last_ticket: u64,
}

/// A place in the queue of completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl InputGate {
    /// Closes the gate until [`InputGate::release`] was called as often as this.
    pub fn hold(&mut self) {
        self.holders += 1;
    }

    /// Gives up one hold. The turn goes on, so nothing else is admitted yet.
    pub fn release(&mut self) {
        self.holders = self.holders.checked_sub(1).expect("the gate was held");
        self.has_admitted = true;
    }

    /// Whether a storage operation waits.
    pub fn is_held(&self) -> bool {
        self.holders > 0
    }

    /// Admits an event if nothing else is inside and no completion waits.
    pub fn admit_event(&mut self) -> bool {
        let may_enter = self.is_open() && self.waiters.is_empty();
        self.has_admitted |= may_enter;
        may_enter
    }

    /// Admits a completion if nothing else is inside and none waits before it. Otherwise it waits with this ticket, and its
    /// waker is woken when its turn has come.
    pub fn poll_admit(&mut self, ticket: &mut Option<Ticket>, waker: &Waker) -> Poll<()> {
        let is_first = self.waiters.front().is_none_or(|(first, _)| Some(*first) == *ticket);
        if self.is_open() && is_first {
            if ticket.take().is_some() {
                self.waiters.pop_front();
            }
            self.has_admitted = true;
            return Poll::Ready(());
        }
        match *ticket {
            None => {
                self.last_ticket += 1;
                *ticket = Some(Ticket(self.last_ticket));
                self.waiters.push_back((Ticket(self.last_ticket), waker.clone()));
            }
            Some(mine) => {
                let waiter = self.waiters.iter_mut().find(|(ticket, _)| *ticket == mine);
                waiter.expect("a ticket has its place").1.clone_from(waker);
            }
        }
        Poll::Pending
    }

    /// Takes a completion out of the queue that nobody wants any more.
    pub fn give_up(&mut self, ticket: Ticket) {
        let was_first = self.waiters.front().is_some_and(|(first, _)| *first == ticket);
        self.waiters.retain(|(waiting, _)| *waiting != ticket);
        if was_first && self.is_open() {
            self.wake_first();
        }
    }

    /// The turn is over. Wakes the completion that may enter next; false if the gate stays closed or none waits.
    pub fn end_turn(&mut self) -> bool {
        if self.is_held() {
            return false;
        }
        self.has_admitted = false;
        self.wake_first()
    }

    fn is_open(&self) -> bool {
        self.holders == 0 && !self.has_admitted
    }

    fn wake_first(&self) -> bool {
        match self.waiters.front() {
            Some((_, waker)) => {
                waker.wake_by_ref();
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn nothing_enters_before_the_turn_of_the_one_inside_is_over() {
        let mut gate = InputGate::default();
        assert!(gate.admit_event());
        assert!(!gate.admit_event());
        let mut ticket = None;
        assert!(gate.poll_admit(&mut ticket, Waker::noop()).is_pending());
        assert!(gate.end_turn(), "a completion waits");
        assert!(!gate.admit_event(), "which goes before events");
        assert!(gate.poll_admit(&mut ticket, Waker::noop()).is_ready());
        assert!(!gate.end_turn());
        assert!(gate.admit_event());
    }

    #[test]
    fn nothing_enters_while_storage_is_waited_for_nor_right_after() {
        let mut gate = InputGate::default();
        assert!(gate.admit_event());
        gate.hold();
        gate.hold();
        assert!(!gate.end_turn());
        gate.release();
        assert!(!gate.end_turn() && !gate.admit_event());
        gate.release();
        assert!(!gate.admit_event(), "the guest has not run on yet");
        gate.end_turn();
        assert!(gate.admit_event());
    }

    #[test]
    fn a_completion_that_gives_up_lets_the_next_one_go() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut gate = InputGate::default();
        assert!(gate.admit_event());
        let (mut first, mut second) = (None, None);
        assert!(gate.poll_admit(&mut first, Waker::noop()).is_pending());
        assert!(gate.poll_admit(&mut second, &waker).is_pending());
        assert!(gate.end_turn());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        gate.give_up(first.unwrap());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(gate.poll_admit(&mut second, &waker).is_ready());
    }

    #[test]
    #[should_panic(expected = "the gate was held")]
    fn a_release_without_a_hold_is_a_defect() {
        InputGate::default().release();
    }

    #[derive(Clone, Debug)]
    enum Step {
        Event,
        Completion(usize),
        GiveUp(usize),
        Hold,
        Release,
        EndTurn,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Event),
            (0..4usize).prop_map(Step::Completion),
            (0..4usize).prop_map(Step::GiveUp),
            Just(Step::Hold),
            Just(Step::Release),
            Just(Step::EndTurn),
        ]
    }

    proptest! {
        /// Against a model that knows only who is inside.
        #[test]
        fn at_most_one_is_inside_and_whoever_waits_gets_in(steps in prop::collection::vec(step(), 1..200)) {
            let mut gate = InputGate::default();
            let mut tickets: [Option<Ticket>; 4] = Default::default();
            let (mut inside, mut holders) = (false, 0);
            for step in steps {
                match step {
                    Step::Event => {
                        let waits = tickets.iter().any(Option::is_some);
                        prop_assert_eq!(gate.admit_event(), !inside && holders == 0 && !waits);
                        inside |= holders == 0 && !waits;
                    }
                    Step::Completion(i) => {
                        let enters = gate.poll_admit(&mut tickets[i], Waker::noop()).is_ready();
                        prop_assert!(!enters || (!inside && holders == 0));
                        prop_assert_eq!(enters, tickets[i].is_none());
                        inside |= enters;
                    }
                    Step::GiveUp(i) => {
                        if let Some(ticket) = tickets[i].take() {
                            gate.give_up(ticket);
                        }
                    }
                    // Only what is inside touches storage.
                    Step::Hold if inside => {
                        gate.hold();
                        holders += 1;
                    }
                    Step::Release if holders > 0 => {
                        gate.release();
                        holders -= 1;
                        inside = true;
                    }
                    Step::EndTurn => {
                        gate.end_turn();
                        inside &= holders > 0;
                    }
                    Step::Hold | Step::Release => {}
                }
            }
            for _ in 0..holders {
                gate.release();
            }
            while tickets.iter().any(Option::is_some) {
                gate.end_turn();
                let entered = tickets.iter_mut().any(|ticket| {
                    ticket.is_some() && gate.poll_admit(ticket, Waker::noop()).is_ready()
                });
                prop_assert!(entered, "somebody waits and nobody gets in");
            }
        }
    }
}
