//! The output gate of one object: what leaves waits for the commits of the writes that came before it, and for no others.
//!
//! The gate is *sampled* at each send. If nothing was written that is not submitted yet, the output depends on the last commit
//! that was; its number is known, so the output goes on its way at once and waits there. If something is staged, the number
//! comes with the commit that the turn makes, and the output stays here until then. A write that comes later delays neither.
//!
//! Unconfirmed writes hold nothing back, unless they share a commit with confirmed ones.
//!
//! Bookkeeping only: no clock, no task, no I/O. `T` is an output.

use dohost_storage::CommitNumber;

/// See the module.
#[derive(Debug)]
pub(crate) struct OutputGate<T> {
    /// The last commit with a confirmed write.
    last: Option<CommitNumber>,
    /// Something is staged that output must wait for.
    has_confirmed: bool,
    held: Vec<T>,
}

/// The commit that an output depends on; none if the object has not written anything in this life.
pub(crate) type After = Option<CommitNumber>;

impl<T> Default for OutputGate<T> {
    fn default() -> OutputGate<T> {
        OutputGate { last: None, has_confirmed: false, held: Vec::new() }
    }
}

impl<T> OutputGate<T> {
    /// The guest wrote something that output must wait for.
    pub fn wrote(&mut self) {
        self.has_confirmed = true;
    }

    /// What an output depends on that is sent now. `None` if that is not known before the turn ends: then it must be left
    /// here with [`OutputGate::hold_back`].
    pub fn sample(&self) -> Option<After> {
        (!self.has_confirmed).then_some(self.last)
    }

    /// Takes an output that must wait for the end of the turn.
    pub fn hold_back(&mut self, output: T) {
        self.held.push(output);
    }

    /// What was staged has been submitted. Gives what was held back, and what it depends on.
    pub fn submitted(&mut self, commit: CommitNumber) -> (Vec<T>, After) {
        if std::mem::take(&mut self.has_confirmed) {
            self.last = Some(commit);
        }
        (std::mem::take(&mut self.held), self.last)
    }

    /// The turn ended with nothing to submit (what it wrote changed nothing). Gives what was held back.
    pub fn nothing_submitted(&mut self) -> (Vec<T>, After) {
        self.has_confirmed = false;
        (std::mem::take(&mut self.held), self.last)
    }

    /// The life is over: what was held back never leaves.
    pub fn give_up(&mut self) -> Vec<T> {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sends an output and tells what it waits for; none if that is not known yet.
    fn send(gate: &mut OutputGate<u32>, output: u32) -> Option<After> {
        let sampled = gate.sample();
        if sampled.is_none() {
            gate.hold_back(output);
        }
        sampled
    }

    #[test]
    fn an_output_waits_for_the_writes_before_it_and_for_none_after_it() {
        let mut gate = OutputGate::default();
        assert_eq!(send(&mut gate, 1), Some(None), "nothing was written");
        gate.wrote();
        assert_eq!(send(&mut gate, 2), None);
        assert_eq!(gate.submitted(CommitNumber(7)), (vec![2], Some(CommitNumber(7))));
        assert_eq!(send(&mut gate, 3), Some(Some(CommitNumber(7))));
        gate.wrote();
        assert_eq!(gate.submitted(CommitNumber(9)), (vec![], Some(CommitNumber(9))));
    }

    #[test]
    fn an_unconfirmed_write_holds_nothing_back_and_one_confirmed_write_holds_back_all() {
        let mut gate = OutputGate::default();
        assert_eq!(send(&mut gate, 1), Some(None), "an unconfirmed write is not told to the gate");
        assert_eq!(gate.submitted(CommitNumber(1)), (vec![], None));
        gate.wrote();
        assert_eq!(send(&mut gate, 2), None, "it shares a commit with a confirmed one");
        assert_eq!(gate.submitted(CommitNumber(2)), (vec![2], Some(CommitNumber(2))));
    }

    #[test]
    fn writes_that_change_nothing_let_output_go() {
        let mut gate = OutputGate::default();
        gate.wrote();
        assert_eq!(send(&mut gate, 1), None);
        assert_eq!(gate.nothing_submitted(), (vec![1], None));
        assert_eq!(send(&mut gate, 2), Some(None));
    }

    #[test]
    fn what_was_held_back_at_the_end_of_a_life_never_leaves() {
        let mut gate = OutputGate::default();
        gate.wrote();
        send(&mut gate, 1);
        assert_eq!(gate.give_up(), [1]);
        assert!(gate.submitted(CommitNumber(1)).0.is_empty());
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Confirmed,
        Unconfirmed,
        Send,
        EndTurn,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![Just(Step::Confirmed), Just(Step::Unconfirmed), Just(Step::Send), Just(Step::EndTurn)]
    }

    proptest! {
        /// Every output waits exactly for the commit of the last confirmed write before it, in view of which writes share
        /// a commit, and leaves as soon as that is known.
        #[test]
        fn every_output_waits_for_the_last_confirmed_write_before_it(steps in prop::collection::vec(step(), 1..100)) {
            let mut gate = OutputGate::default();
            // The batch of each write, whether it is confirmed; and the position in it of each output.
            let (mut batch, mut confirmed, mut outputs) = (1, Vec::new(), Vec::new());
            let mut waits: Vec<Option<After>> = Vec::new();
            for step in steps.into_iter().chain([Step::EndTurn]) {
                match step {
                    Step::Confirmed => {
                        gate.wrote();
                        confirmed.push(batch);
                    }
                    Step::Unconfirmed => {}
                    Step::Send => {
                        outputs.push(confirmed.last().copied());
                        let number = waits.len() as u32;
                        waits.push(send(&mut gate, number));
                    }
                    Step::EndTurn => {
                        let (left, after) = gate.submitted(CommitNumber(batch));
                        for output in left {
                            prop_assert_eq!(waits[output as usize].replace(after), None);
                        }
                        batch += 1;
                    }
                }
            }
            for (expected, waits) in outputs.into_iter().zip(waits) {
                prop_assert_eq!(waits, Some(expected.map(CommitNumber)));
            }
        }
    }
}
