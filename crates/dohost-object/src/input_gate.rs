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
//! **Critical sections** close the gate to everything but themselves. They lie inside each other and belong to one task of the
//! guest. While some are open no event enters, and a completion enters only if its import was called inside the innermost
//! one. (One that was called inside a section which has ended meanwhile belongs to what that section lay in.) Another task
//! that wants a section waits until all have ended, and then goes before everything else that waits.
//!
//! Bookkeeping only: no clock, no task, no I/O. `T` is what tells tasks of the guest apart.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

/// See the module.
#[derive(Debug)]
pub(crate) struct InputGate<T> {
    /// Storage operations that wait.
    holders: usize,
    /// Something was admitted and its turn is not over.
    has_admitted: bool,
    /// The open sections, the innermost last.
    sections: Vec<Section<T>>,
    waiting_sections: VecDeque<(Ticket, Waker)>,
    waiters: VecDeque<Waiter>,
    last_ticket: u64,
    last_section: u64,
}

#[derive(Debug)]
struct Section<T> {
    id: SectionId,
    owner: T,
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    scope: Scope,
    waker: Waker,
}

/// A place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// A critical section, in one life of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SectionId(u64);

/// The sections inside of which something was begun, the outermost first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Vec<SectionId>);

/// Why no section was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooDeep;

impl<T> Default for InputGate<T> {
    fn default() -> InputGate<T> {
        InputGate {
            holders: 0,
            has_admitted: false,
            sections: Vec::new(),
            waiting_sections: VecDeque::new(),
            waiters: VecDeque::new(),
            last_ticket: 0,
            last_section: 0,
        }
    }
}

impl<T: PartialEq> InputGate<T> {
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

    /// Whether a critical section is open.
    pub fn is_in_section(&self) -> bool {
        !self.sections.is_empty()
    }

    /// Whether a critical section of this task is open.
    pub fn is_in_section_of(&self, task: &T) -> bool {
        self.sections.last().is_some_and(|section| section.owner == *task)
    }

    /// Where an import that this task calls now is begun.
    pub fn scope_of(&self, task: &T) -> Scope {
        match self.is_in_section_of(task) {
            true => Scope(self.sections.iter().map(|section| section.id).collect()),
            false => Scope::default(),
        }
    }

    /// Admits an event if nothing else is inside, no section is open and nothing waits that goes before.
    pub fn admit_event(&mut self) -> bool {
        let may_enter = self.is_open() && self.sections.is_empty() && self.next().is_none();
        self.has_admitted |= may_enter;
        may_enter
    }

    /// Admits a completion if nothing else is inside, it belongs inside, and none waits before it. Otherwise it waits with
    /// this ticket, and its waker is woken when its turn has come.
    pub fn poll_admit(&mut self, scope: &Scope, ticket: &mut Option<Ticket>, waker: &Waker) -> Poll<()> {
        let belongs = self.is_inside(scope) && (self.is_in_section() || self.waiting_sections.is_empty());
        let first = self.waiters.iter().find(|waiter| self.is_inside(&waiter.scope));
        let is_first = first.is_none_or(|first| Some(first.ticket) == *ticket);
        if self.is_open() && belongs && is_first {
            if let Some(mine) = ticket.take() {
                self.waiters.retain(|waiter| waiter.ticket != mine);
            }
            self.has_admitted = true;
            return Poll::Ready(());
        }
        match *ticket {
            None => {
                let new = self.new_ticket();
                *ticket = Some(new);
                self.waiters.push_back(Waiter { ticket: new, scope: scope.clone(), waker: waker.clone() });
            }
            Some(mine) => {
                let waiter = self.waiters.iter_mut().find(|waiter| waiter.ticket == mine);
                waiter.expect("a ticket has its place").waker.clone_from(waker);
            }
        }
        Poll::Pending
    }

    /// Opens a section for a task: at once if the open ones are its own or there is none, otherwise when the others have
    /// ended. To be called first by the task itself, in its turn.
    pub fn poll_section(
        &mut self,
        task: T,
        depth_max: usize,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Poll<Result<SectionId, TooDeep>> {
        let may_open = match self.sections.last() {
            Some(section) => section.owner == task,
            None => {
                let is_first = self.waiting_sections.front().is_none_or(|(first, _)| Some(*first) == *ticket);
                // Whoever asks for the first time is inside; whoever has waited must be let in.
                is_first && if ticket.is_some() { self.is_open() } else { self.holders == 0 }
            }
        };
        if may_open {
            if let Some(mine) = ticket.take() {
                self.waiting_sections.retain(|(waiting, _)| *waiting != mine);
            }
            if self.sections.len() >= depth_max {
                return Poll::Ready(Err(TooDeep));
            }
            return Poll::Ready(Ok(self.open_section(task)));
        }
        match *ticket {
            None => {
                let new = self.new_ticket();
                *ticket = Some(new);
                self.waiting_sections.push_back((new, waker.clone()));
            }
            Some(mine) => {
                let waiting = self.waiting_sections.iter_mut().find(|(ticket, _)| *ticket == mine);
                waiting.expect("a ticket has its place").1.clone_from(waker);
            }
        }
        Poll::Pending
    }

    /// Opens a section for a task that is let in with it, before anything else has entered.
    pub fn open_section(&mut self, task: T) -> SectionId {
        self.last_section += 1;
        let id = SectionId(self.last_section);
        self.sections.push(Section { id, owner: task });
        self.has_admitted = true;
        id
    }

    /// Whether this section is open.
    pub fn is_open_section(&self, id: SectionId) -> bool {
        self.sections.iter().any(|section| section.id == id)
    }

    /// The innermost section.
    pub fn innermost(&self) -> Option<SectionId> {
        self.sections.last().map(|section| section.id)
    }

    /// Ends the innermost section. The turn goes on; who waits is let in when it is over.
    pub fn end_section(&mut self) {
        self.sections.pop().expect("a section is open");
    }

    /// Takes a completion or a section out of its queue that nobody wants any more.
    pub fn give_up(&mut self, ticket: Ticket) {
        self.waiters.retain(|waiter| waiter.ticket != ticket);
        self.waiting_sections.retain(|(waiting, _)| *waiting != ticket);
        if self.is_open() {
            // Perhaps it was the one that had been woken.
            self.wake_next();
        }
    }

    /// The turn is over. Wakes what may enter next; false if the gate stays closed or nothing waits that may.
    pub fn end_turn(&mut self) -> bool {
        if self.is_held() {
            return false;
        }
        self.has_admitted = false;
        self.wake_next()
    }

    fn is_open(&self) -> bool {
        self.holders == 0 && !self.has_admitted
    }

    /// Whether what was begun in this scope belongs into the innermost section.
    fn is_inside(&self, scope: &Scope) -> bool {
        match self.sections.last() {
            None => true,
            Some(innermost) => scope.0.get(self.sections.len() - 1) == Some(&innermost.id),
        }
    }

    /// Who enters next, apart from events.
    fn next(&self) -> Option<&Waker> {
        let section = self.waiting_sections.front().filter(|_| self.sections.is_empty());
        let completion =
            || self.waiters.iter().find(|waiter| self.is_inside(&waiter.scope)).map(|waiter| &waiter.waker);
        section.map(|(_, waker)| waker).or_else(completion)
    }

    fn wake_next(&self) -> bool {
        match self.next() {
            Some(waker) => {
                waker.wake_by_ref();
                true
            }
            None => false,
        }
    }

    fn new_ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use proptest::prelude::*;

    use super::*;

    const DEPTH_MAX: usize = 4;

    type Gate = InputGate<u8>;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enters(gate: &mut Gate, scope: &Scope, ticket: &mut Option<Ticket>) -> bool {
        gate.poll_admit(scope, ticket, Waker::noop()).is_ready()
    }

    fn opens(gate: &mut Gate, task: u8, ticket: &mut Option<Ticket>) -> bool {
        gate.poll_section(task, DEPTH_MAX, ticket, Waker::noop()).is_ready()
    }

    /// A gate with an event inside that has opened a section for task 1.
    fn in_section() -> Gate {
        let mut gate = Gate::default();
        assert!(gate.admit_event());
        assert!(opens(&mut gate, 1, &mut None));
        gate
    }

    #[test]
    fn nothing_enters_before_the_turn_of_the_one_inside_is_over() {
        let (mut gate, outside) = (Gate::default(), Scope::default());
        assert!(gate.admit_event());
        assert!(!gate.admit_event());
        let mut ticket = None;
        assert!(!enters(&mut gate, &outside, &mut ticket));
        assert!(gate.end_turn(), "a completion waits");
        assert!(!gate.admit_event(), "which goes before events");
        assert!(enters(&mut gate, &outside, &mut ticket));
        assert!(!gate.end_turn());
        assert!(gate.admit_event());
    }

    #[test]
    fn nothing_enters_while_storage_is_waited_for_nor_right_after() {
        let mut gate = Gate::default();
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
        let (mut gate, outside) = (Gate::default(), Scope::default());
        assert!(gate.admit_event());
        let (mut first, mut second) = (None, None);
        assert!(!enters(&mut gate, &outside, &mut first));
        assert!(gate.poll_admit(&outside, &mut second, &waker).is_pending());
        assert!(gate.end_turn());
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        gate.give_up(first.unwrap());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert!(gate.poll_admit(&outside, &mut second, &waker).is_ready());
    }

    #[test]
    #[should_panic(expected = "the gate was held")]
    fn a_release_without_a_hold_is_a_defect() {
        Gate::default().release();
    }

    #[test]
    fn a_critical_section_admits_only_what_was_begun_inside_it() {
        let mut gate = Gate::default();
        assert!(gate.admit_event());
        let before = gate.scope_of(&1);
        assert!(opens(&mut gate, 1, &mut None));
        let (mine, others) = (gate.scope_of(&1), gate.scope_of(&2));
        gate.end_turn();
        assert!(!gate.admit_event());
        let mut tickets = [None; 3];
        assert!(!enters(&mut gate, &before, &mut tickets[0]), "begun before the section");
        assert!(!enters(&mut gate, &others, &mut tickets[1]), "begun by another task");
        assert!(enters(&mut gate, &mine, &mut tickets[2]), "although others came before");
        gate.end_section();
        assert!(gate.end_turn(), "now the others may enter, in order");
        assert!(!enters(&mut gate, &others, &mut tickets[1]));
        assert!(enters(&mut gate, &before, &mut tickets[0]));
    }

    #[test]
    fn the_section_of_another_task_waits_and_then_goes_first() {
        let mut gate = Gate::default();
        assert!(gate.admit_event());
        let early = gate.scope_of(&2);
        assert!(opens(&mut gate, 1, &mut None));
        let (mut completion, mut second, mut third) = (None, None, None);
        assert!(!enters(&mut gate, &early, &mut completion));
        assert!(!opens(&mut gate, 2, &mut second));
        assert!(!opens(&mut gate, 3, &mut third));
        gate.end_section();
        assert!(!opens(&mut gate, 2, &mut second), "not in the turn of somebody else");
        gate.end_turn();
        assert!(!enters(&mut gate, &early, &mut completion) && !gate.admit_event());
        assert!(!opens(&mut gate, 3, &mut third), "in order");
        assert!(opens(&mut gate, 2, &mut second));
        gate.end_section();
        gate.end_turn();
        assert!(opens(&mut gate, 3, &mut third));
        gate.end_section();
        gate.end_turn();
        assert!(enters(&mut gate, &early, &mut completion));
    }

    #[test]
    fn what_was_begun_in_an_inner_section_completes_in_the_outer_one_after_it() {
        let mut gate = in_section();
        let outer = gate.scope_of(&1);
        assert!(opens(&mut gate, 1, &mut None));
        let inner = gate.scope_of(&1);
        gate.end_turn();
        let (mut of_outer, mut of_inner) = (None, None);
        assert!(!enters(&mut gate, &outer, &mut of_outer), "the outer one waits for the inner one");
        assert!(enters(&mut gate, &inner, &mut of_inner));
        gate.end_section();
        gate.end_turn();
        assert!(!enters(&mut gate, &inner, &mut of_inner), "in order with what waits in the outer one");
        assert!(enters(&mut gate, &outer, &mut of_outer));
        gate.end_turn();
        assert!(enters(&mut gate, &inner, &mut of_inner));
    }

    #[test]
    fn a_section_begun_inside_does_not_belong_to_a_later_one() {
        let mut gate = in_section();
        let first = gate.scope_of(&1);
        gate.end_section();
        assert!(opens(&mut gate, 1, &mut None));
        gate.end_turn();
        assert!(!enters(&mut gate, &first, &mut None));
    }

    #[test]
    fn sections_that_lie_too_deep_are_refused_and_leave_the_others_open() {
        let mut gate = in_section();
        for _ in 1..DEPTH_MAX {
            assert!(gate.poll_section(1, DEPTH_MAX, &mut None, Waker::noop()).map(|opened| opened.is_ok()).is_ready());
        }
        assert_eq!(gate.poll_section(1, DEPTH_MAX, &mut None, Waker::noop()), Poll::Ready(Err(TooDeep)));
        for _ in 0..DEPTH_MAX {
            gate.end_section();
        }
        assert!(!gate.is_in_section());
    }

    #[test]
    fn a_section_that_is_given_up_while_it_waits_lets_the_next_one_go() {
        let mut gate = in_section();
        let (mut second, mut third) = (None, None);
        assert!(!opens(&mut gate, 2, &mut second) && !opens(&mut gate, 3, &mut third));
        gate.give_up(second.unwrap());
        gate.end_section();
        gate.end_turn();
        assert!(opens(&mut gate, 3, &mut third));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Event,
        /// Task n calls an import that waits.
        Call(u8),
        /// The import of task n is done and wants in.
        Completion(u8),
        GiveUp(u8),
        Open(u8),
        End,
        Hold,
        Release,
        EndTurn,
    }

    const TASKS: u8 = 4;

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Event),
            (0..TASKS).prop_map(Step::Call),
            (0..TASKS).prop_map(Step::Completion),
            (0..TASKS).prop_map(Step::GiveUp),
            (0..TASKS).prop_map(Step::Open),
            Just(Step::End),
            Just(Step::Hold),
            Just(Step::Release),
            Just(Step::EndTurn),
        ]
    }

    /// What each task waits for.
    #[derive(Clone, Debug, Default)]
    struct Waits {
        scope: Option<Scope>,
        completion: Option<Ticket>,
        section: Option<Ticket>,
    }

    proptest! {
        /// Against a model that knows who is inside, and which sections are open.
        #[test]
        fn at_most_one_is_inside_and_whoever_waits_gets_in(steps in prop::collection::vec(step(), 1..300)) {
            let mut gate = Gate::default();
            let mut tasks: [Waits; TASKS as usize] = Default::default();
            let (mut inside, mut holders) = (false, 0);
            let mut sections: Vec<(SectionId, u8)> = Vec::new();
            for step in steps {
                match step {
                    Step::Event => {
                        let enters = gate.admit_event();
                        prop_assert!(!enters || (!inside && holders == 0 && sections.is_empty()));
                        prop_assert!(!enters || tasks.iter().all(|task| task.completion.is_none() && task.section.is_none()));
                        inside |= enters;
                    }
                    Step::Call(task) if inside => {
                        let waits = &mut tasks[usize::from(task)];
                        if waits.completion.is_none() {
                            waits.scope = Some(gate.scope_of(&task));
                        }
                    }
                    Step::Completion(task) => {
                        let waits = &mut tasks[usize::from(task)];
                        let Some(scope) = waits.scope.clone() else { continue };
                        let enters = enters(&mut gate, &scope, &mut waits.completion);
                        prop_assert!(!enters || (!inside && holders == 0));
                        let belongs = sections.last().is_none_or(|(id, _)| scope.0.contains(id));
                        prop_assert!(!enters || belongs, "it was begun outside of the innermost section");
                        inside |= enters;
                        if enters {
                            waits.scope = None;
                        }
                    }
                    Step::GiveUp(task) => {
                        let waits = std::mem::take(&mut tasks[usize::from(task)]);
                        for ticket in [waits.completion, waits.section].into_iter().flatten() {
                            gate.give_up(ticket);
                        }
                    }
                    Step::Open(task) => {
                        let waits = &mut tasks[usize::from(task)];
                        if waits.section.is_none() && !inside {
                            continue;
                        }
                        let has_waited = waits.section.is_some();
                        if let Poll::Ready(opened) = gate.poll_section(task, DEPTH_MAX, &mut waits.section, Waker::noop()) {
                            prop_assert!(sections.iter().all(|(_, owner)| *owner == task), "sections of two tasks");
                            prop_assert!(!has_waited || !sections.is_empty() || (!inside && holders == 0));
                            inside = true;
                            match opened {
                                Ok(id) => sections.push((id, task)),
                                Err(TooDeep) => prop_assert_eq!(sections.len(), DEPTH_MAX),
                            }
                        }
                    }
                    Step::End if inside && !sections.is_empty() => {
                        prop_assert_eq!(gate.innermost(), sections.pop().map(|(id, _)| id));
                        gate.end_section();
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
                    Step::Call(_) | Step::End | Step::Hold | Step::Release => {}
                }
            }
            for _ in 0..holders {
                gate.release();
            }
            while gate.is_in_section() {
                gate.end_section();
            }
            while tasks.iter().any(|task| task.completion.is_some() || task.section.is_some()) {
                gate.end_turn();
                let entered = (0..TASKS).zip(tasks.iter_mut()).any(|(task, waits)| {
                    let opens = waits.section.is_some() && opens(&mut gate, task, &mut waits.section);
                    let scope = waits.scope.clone().unwrap_or_default();
                    opens || (waits.completion.is_some() && enters(&mut gate, &scope, &mut waits.completion))
                });
                prop_assert!(entered, "somebody waits and nobody gets in");
                while gate.is_in_section() {
                    gate.end_section();
                }
            }
        }
    }
}
