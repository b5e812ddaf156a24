//! What is committed when: the order of write sets, and what goes into a batch.
//!
//! While a batch is being committed, what is submitted gathers here; the next batch takes all of it, up to its limits.
//! That is the group commit. The committer asks for a batch, commits it, says that it is settled, and asks again; with
//! nothing to do it rests, and whoever adds something is told to wake it.
//!
//! Invariants: numbers leave in the order in which they were given, each exactly once; a batch exceeds its limits only
//! by a single write set that is larger on its own; once closed, everything that was accepted still leaves, and what
//! comes after that is refused.
//!
//! Bookkeeping only: no lock, no thread, no waiting. [`super::queue`] adds those.

use std::collections::VecDeque;
use std::sync::mpsc;

use super::change::{Change, ChangeReply};
use super::{CommitError, WriteSet};
use crate::limits::{COMMIT_BYTES_MAX, COMMIT_LARGE_BYTES_MAX, COMMIT_SETS_MAX, LARGE_SET_BYTES_MIN};
use crate::numbers::LifeId;
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
    Class { name: String, reply: ClassReply },
    /// Make a change that no object makes, and answer once that is durable.
    Change { change: Change, reply: ChangeReply },
}

impl Item {
    /// Bytes of a write set.
    fn bytes(&self) -> usize {
        if let Item::Set { bytes, .. } = self { *bytes } else { 0 }
    }

    /// Whether it is a write set that counts among the large ones.
    pub(crate) fn is_large(&self) -> bool {
        self.bytes() >= LARGE_SET_BYTES_MIN
    }

    /// Forgets what a try to commit it made of its object's size.
    pub(crate) fn roll_back(&self) {
        if let Item::Set { set, .. } = self
            && let Some(size) = &set.size
        {
            size.roll_back();
        }
    }
}

pub(crate) type ClassReply = mpsc::Sender<Result<Class, CommitError>>;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    items: VecDeque<Item>,
    /// Bytes of the write sets in `items`.
    queued_bytes: usize,
    /// Bytes of the write sets that are not settled, queued or taken.
    pending_bytes: usize,
    /// The number given last.
    last: u64,
    phase: Phase,
    /// The committer has failed lives to remember.
    remembers_lives: bool,
    is_closing: bool,
}

/// What the committer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It commits, or is about to ask for a batch.
    #[default]
    Busy,
    /// It has nothing to do, and must be woken.
    Resting,
    /// It was told to stop and takes nothing any more.
    Stopped,
}

/// What became of something that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// The committer is busy and comes to it.
    Queued,
    /// The same, and the committer must be woken.
    Wake,
    /// The committer is gone.
    Refused,
}

/// What the committer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It commits what it was given.
    Commit,
    /// It sleeps until woken, and asks again.
    Rest,
    /// It stops: everything is done, and nothing more is accepted.
    Stop,
}

impl Schedule {
    /// Adds a write set of so many bytes and gives it its number, also if it is refused. All numbers before one that
    /// is refused have left.
    pub(crate) fn submit(&mut self, set: WriteSet, bytes: usize) -> (u64, Added) {
        self.last += 1;
        let number = self.last;
        if self.phase == Phase::Stopped {
            return (number, Added::Refused);
        }
        self.queued_bytes += bytes;
        self.pending_bytes += bytes;
        (number, self.add(Item::Set { number, bytes, set }))
    }

    /// Notes that nothing of `life` follows.
    pub(crate) fn end_life(&mut self, life: LifeId) -> Added {
        // Nothing of it is queued or under way, and nothing is remembered: the common case for an idle object.
        if self.phase == Phase::Resting && self.items.is_empty() && !self.remembers_lives {
            return Added::Queued;
        }
        self.add(Item::EndLife(life))
    }

    /// Asks for the file to be opened again, unless the committer is about to look after it anyway.
    pub(crate) fn open_again(&mut self) -> Added {
        match self.phase == Phase::Resting && self.items.is_empty() {
            true => self.add(Item::OpenAgain),
            false => Added::Queued,
        }
    }

    /// Asks for a class. Whoever is refused gets no answer.
    pub(crate) fn class(&mut self, name: &str, reply: ClassReply) -> Added {
        self.add(Item::Class { name: name.to_owned(), reply })
    }

    /// Asks for a change. Whoever is refused gets no answer.
    pub(crate) fn change(&mut self, change: Change, reply: ChangeReply) -> Added {
        self.add(Item::Change { change, reply })
    }

    /// Moves the next batch into `batch`, which is empty, or says what to do without one. The batch before is settled.
    pub(crate) fn take(&mut self, batch: &mut VecDeque<Item>, remembers_lives: bool) -> Next {
        assert!(batch.is_empty(), "a batch was taken and not committed");
        self.remembers_lives = remembers_lives;
        if self.items.is_empty() {
            self.phase = if self.is_closing { Phase::Stopped } else { Phase::Resting };
            return if self.is_closing { Next::Stop } else { Next::Rest };
        }
        self.phase = Phase::Busy;
        if self.items.len() <= COMMIT_SETS_MAX && self.queued_bytes <= COMMIT_BYTES_MAX {
            std::mem::swap(&mut self.items, batch);
            self.queued_bytes = 0;
        } else {
            self.take_up_to_limits(batch);
        }
        Next::Commit
    }

    /// Notes that write sets of so many bytes are settled.
    pub(crate) fn settle(&mut self, bytes: usize) {
        self.pending_bytes -= bytes;
    }

    /// Lets the committer stop once it has done what is queued. It must be woken.
    pub(crate) fn close(&mut self) {
        self.is_closing = true;
        if self.phase == Phase::Resting {
            self.phase = Phase::Busy;
        }
    }

    /// Bytes of write sets submitted and not settled.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// The number given last; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Whether nothing is queued, and more may come.
    pub(crate) fn is_idle(&self) -> bool {
        self.items.is_empty() && !self.is_closing
    }

    fn add(&mut self, item: Item) -> Added {
        if self.phase == Phase::Stopped {
            return Added::Refused;
        }
        self.items.push_back(item);
        match std::mem::take(&mut self.phase) {
            Phase::Resting => Added::Wake,
            Phase::Busy | Phase::Stopped => Added::Queued,
        }
    }

    fn take_up_to_limits(&mut self, batch: &mut VecDeque<Item>) {
        // Of write sets that are not large, and of those that are.
        let mut batch_bytes = [0, 0];
        while let Some(next) = self.items.front()
            && batch.len() < COMMIT_SETS_MAX
        {
            let bytes_max = if next.is_large() { COMMIT_LARGE_BYTES_MAX } else { COMMIT_BYTES_MAX };
            let bytes = &mut batch_bytes[usize::from(next.is_large())];
            if *bytes + next.bytes() > bytes_max && !batch.is_empty() {
                break;
            }
            *bytes += next.bytes();
            self.queued_bytes -= next.bytes();
            batch.extend(self.items.pop_front());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::numbers::ObjectNumber;

    fn set(life: u64) -> WriteSet {
        WriteSet::new(ObjectNumber(1), LifeId(life))
    }

    fn take(schedule: &mut Schedule) -> (Next, Vec<u64>) {
        let mut batch = VecDeque::new();
        let next = schedule.take(&mut batch, false);
        let number = |item| match item {
            Item::Set { number, .. } => number,
            _ => 0,
        };
        (next, batch.into_iter().map(number).collect())
    }

    #[test]
    fn a_batch_takes_everything_in_order() {
        let mut schedule = Schedule::default();
        let numbers = [10, 10, 10].map(|bytes| schedule.submit(set(1), bytes).0);
        assert_eq!((numbers, schedule.pending_bytes()), ([1, 2, 3], 30));
        assert_eq!(take(&mut schedule), (Next::Commit, vec![1, 2, 3]));
        schedule.settle(30);
        assert_eq!(schedule.pending_bytes(), 0);
    }

    #[test]
    fn a_batch_stops_at_its_limit_of_write_sets() {
        let mut schedule = Schedule::default();
        for _ in 0..=COMMIT_SETS_MAX {
            schedule.submit(set(1), 0);
        }
        assert_eq!(take(&mut schedule).1.len(), COMMIT_SETS_MAX);
        assert_eq!(take(&mut schedule).1.len(), 1);
    }

    #[test]
    fn a_batch_stops_at_its_limit_of_bytes_unless_one_write_set_exceeds_it_alone() {
        let mut schedule = Schedule::default();
        let quarter = COMMIT_BYTES_MAX / 4 - 1;
        for bytes in [COMMIT_LARGE_BYTES_MAX + 1, quarter, quarter, quarter, quarter, 4, 1, COMMIT_LARGE_BYTES_MAX + 1]
        {
            schedule.submit(set(1), bytes);
        }
        assert_eq!([1, 2, 3].map(|_| take(&mut schedule).1), [vec![1, 2, 3, 4, 5, 6], vec![7], vec![8]]);
    }

    #[test]
    fn large_write_sets_have_a_limit_of_their_own() {
        let mut schedule = Schedule::default();
        let eighth = COMMIT_LARGE_BYTES_MAX / 8;
        for bytes in [eighth; 9] {
            schedule.submit(set(1), 100);
            schedule.submit(set(1), bytes);
        }
        assert_eq!([1, 2].map(|_| take(&mut schedule).1), [(1..=17).collect::<Vec<_>>(), vec![18]]);
    }

    #[test]
    fn a_resting_committer_is_woken_once_and_a_busy_one_not_at_all() {
        let mut schedule = Schedule::default();
        assert_eq!(schedule.submit(set(1), 1).1, Added::Queued);
        assert_eq!(take(&mut schedule).0, Next::Commit);
        assert_eq!(take(&mut schedule).0, Next::Rest);
        assert_eq!(schedule.end_life(LifeId(1)), Added::Queued, "there is nothing to forget");
        assert_eq!(schedule.submit(set(1), 1).1, Added::Wake);
        assert_eq!(schedule.submit(set(1), 1).1, Added::Queued);
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Submit {
            life: u64,
            bytes: usize,
        },
        EndLife(u64),
        Class,
        /// The committer settles the batch it has, if any, and asks for the next one.
        Take {
            remembers_lives: bool,
        },
        Close,
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let (fifth, third) = (COMMIT_BYTES_MAX / 5, COMMIT_LARGE_BYTES_MAX / 3);
        let near = |bytes: usize| bytes - 2..bytes + 2;
        let bytes = prop_oneof![
            4 => 0usize..100,
            3 => near(fifth),
            2 => near(LARGE_SET_BYTES_MIN),
            2 => near(third),
            1 => Just(2 * COMMIT_LARGE_BYTES_MAX)
        ];
        prop_oneof![
            12 => (0u64..3, bytes).prop_map(|(life, bytes)| Operation::Submit { life, bytes }),
            3 => (0u64..3).prop_map(Operation::EndLife),
            1 => Just(Operation::Class),
            8 => any::<bool>().prop_map(|remembers_lives| Operation::Take { remembers_lives }),
            1 => prop::bool::weighted(0.2)
                .prop_map(|closes| if closes { Operation::Close } else { Operation::Class }),
        ]
    }

    /// The committer and its callers, and what they know.
    #[derive(Default)]
    struct Run {
        schedule: Schedule,
        /// The batch that is being committed.
        batch: VecDeque<Item>,
        remembers_lives: bool,
        /// What was accepted and has not left yet, in order: bytes of a write set, or something else.
        expected: VecDeque<Expected>,
        pending_bytes: usize,
        settled: BTreeSet<u64>,
        refused: BTreeSet<u64>,
        numbers: u64,
        /// The committer was told to rest, and not to wake since.
        sleeps: bool,
        is_closed: bool,
        has_stopped: bool,
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Expected {
        Set { number: u64, life: u64, bytes: usize },
        EndLife(u64),
        Class,
    }

    impl Run {
        fn apply(&mut self, operation: &Operation) {
            match *operation {
                Operation::Submit { life, bytes } => {
                    self.numbers += 1;
                    let (number, added) = self.schedule.submit(set(life), bytes);
                    assert_eq!(number, self.numbers);
                    if self.added(added, Expected::Set { number, life, bytes }) {
                        self.pending_bytes += bytes;
                    } else {
                        self.refused.insert(number);
                    }
                }
                Operation::EndLife(life) => {
                    let len = self.schedule.items.len();
                    let added = self.schedule.end_life(LifeId(life));
                    if self.schedule.items.len() > len || added == Added::Refused {
                        self.added(added, Expected::EndLife(life));
                    } else {
                        let is_about = |item: &Expected| matches!(item, Expected::Set { life: of, .. } if *of == life);
                        assert!(!self.expected.iter().any(is_about), "left out though its write sets are queued");
                        assert!(self.batch.is_empty() && self.sleeps, "left out though a commit is under way");
                        assert!(!self.remembers_lives, "left out though the committer remembers it");
                    }
                }
                Operation::Class => {
                    let added = self.schedule.class("name", mpsc::channel().0);
                    self.added(added, Expected::Class);
                }
                // A committer that sleeps asks for nothing.
                Operation::Take { .. } if self.sleeps || self.has_stopped => {}
                Operation::Take { remembers_lives } => self.take(remembers_lives),
                Operation::Close => {
                    self.schedule.close();
                    (self.is_closed, self.sleeps) = (true, false);
                }
            }
            assert_eq!(self.schedule.pending_bytes(), self.pending_bytes);
            let bytes = |item: &Expected| if let Expected::Set { bytes, .. } = item { *bytes } else { 0 };
            assert_eq!(self.schedule.queued_bytes, self.expected.iter().map(bytes).sum::<usize>());
            assert!(!self.sleeps || self.expected.is_empty(), "the committer sleeps and there is something to do");
        }

        fn added(&mut self, added: Added, item: Expected) -> bool {
            assert_eq!(added == Added::Refused, self.has_stopped, "refused exactly when the committer is gone");
            assert_eq!(added == Added::Wake, self.sleeps, "woken exactly when it sleeps");
            self.sleeps = false;
            if added != Added::Refused {
                self.expected.push_back(item);
            }
            added != Added::Refused
        }

        fn take(&mut self, remembers_lives: bool) {
            self.settle();
            self.remembers_lives = remembers_lives;
            match self.schedule.take(&mut self.batch, remembers_lives) {
                Next::Commit => self.check_batch(),
                Next::Rest => {
                    assert!(self.expected.is_empty() && !self.is_closed);
                    self.sleeps = true;
                }
                Next::Stop => {
                    assert!(self.expected.is_empty() && self.is_closed);
                    self.has_stopped = true;
                }
            }
        }

        fn settle(&mut self) {
            for item in self.batch.drain(..) {
                if let Item::Set { number, bytes, .. } = item {
                    assert!(self.settled.last().is_none_or(|last| *last < number), "numbers settle in order");
                    self.settled.insert(number);
                    self.pending_bytes -= bytes;
                    self.schedule.settle(bytes);
                }
            }
        }

        fn check_batch(&mut self) {
            let (mut small_bytes, mut large_bytes) = (0, 0);
            for item in &self.batch {
                let found = match item {
                    Item::Set { number, bytes, set } => {
                        *if *bytes < LARGE_SET_BYTES_MIN { &mut small_bytes } else { &mut large_bytes } += bytes;
                        Expected::Set { number: *number, life: set.life.0, bytes: *bytes }
                    }
                    Item::EndLife(life) => Expected::EndLife(life.0),
                    Item::OpenAgain => unreachable!("nobody asks for it here"),
                    Item::Class { .. } => Expected::Class,
                    Item::Change { .. } => unreachable!("nobody asks for it here"),
                };
                assert_eq!(Some(found), self.expected.pop_front());
            }
            assert!(!self.batch.is_empty() && self.batch.len() <= COMMIT_SETS_MAX);
            let is_single = matches!(self.batch[0], Item::Set { bytes, .. } if bytes == large_bytes);
            assert!(small_bytes <= COMMIT_BYTES_MAX, "{small_bytes} bytes in one batch");
            assert!(large_bytes <= COMMIT_LARGE_BYTES_MAX || is_single, "{large_bytes} bytes in one batch");
            if let Some(next) = self.expected.front() {
                let is_full = match next {
                    Expected::Set { bytes, .. } if *bytes < LARGE_SET_BYTES_MIN => {
                        small_bytes + bytes > COMMIT_BYTES_MAX
                    }
                    Expected::Set { bytes, .. } => large_bytes + bytes > COMMIT_LARGE_BYTES_MAX,
                    _ => false,
                };
                let is_full = is_full || self.batch.len() == COMMIT_SETS_MAX;
                assert!(is_full, "the batch had room for more");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_is_lost_doubled_or_out_of_order(operations in prop::collection::vec(operation(), 1..80)) {
            let mut run = Run::default();
            operations.iter().for_each(|operation| run.apply(operation));
            run.apply(&Operation::Close);
            while !run.has_stopped {
                run.apply(&Operation::Take { remembers_lives: true });
            }
            run.apply(&Operation::Submit { life: 0, bytes: 1 });
            run.apply(&Operation::Class);
            let all: BTreeSet<u64> = (1..=run.numbers).collect();
            assert_eq!(run.settled.union(&run.refused).copied().collect::<BTreeSet<_>>(), all);
            assert!(run.settled.is_disjoint(&run.refused));
            assert!(run.settled.last() < run.refused.first(), "what is refused comes after all that is settled");
            assert_eq!((run.pending_bytes, run.schedule.pending_bytes()), (0, 0));
        }
    }
}
