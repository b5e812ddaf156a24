//! Who is resident: the states that an object goes through on its executor.
//!
//! ```text
//!            first event                        idle, or over the limit
//!  (absent) ──────────────► Live ─────────────────────────────────────► Ending
//!     ▲                      │  trap, failed commit, abort                │
//!     │                      └───────────────────────────────────────────►│
//!     └───────────────────────────────────────────────────────────────────┤ its commits are settled, nobody waits
//!                            ▲                                            │
//!                            └────────────────────────────────────────────┘ its commits are settled, somebody waits
//! ```
//!
//! Invariant: an object has one slot, a slot has one life, and the next life begins only after the one before has let go
//! of everything and its commits are settled. Whoever comes while a life ends waits in the slot.
//!
//! Bookkeeping only: no clock, no task, no I/O. `K` names an object, `L` is a life, `W` is what waits for the next one.

use std::collections::HashMap;
use std::hash::Hash;

use rustc_hash::FxBuildHasher;

/// Part of the idle objects that go when the limit is hit: one at a time would mean a search for each.
const EVICTED_AT_ONCE_PART: usize = 16;

/// See the module.
pub(crate) struct Residency<K, L, W> {
    /// Nobody can choose ids (they are made with a secret), so the hash needs no secret: an order that is the same in every
    /// run is worth more.
    slots: HashMap<K, Slot<L, W>, FxBuildHasher>,
    residents_max: usize,
    ending: usize,
    generations: u64,
}

struct Slot<L, W> {
    life: L,
    /// Set while the life ends: who waits for the next one, in order.
    waiting: Option<Vec<W>>,
}

/// Where an object is.
pub(crate) enum Place<'a, L, W> {
    Absent,
    Live(&'a L),
    Ending(&'a L, &'a mut Vec<W>),
}

impl<K: Copy + Eq + Hash, L, W> Residency<K, L, W> {
    /// With room for so many objects.
    pub fn new(residents_max: usize) -> Self {
        Residency { slots: HashMap::default(), residents_max, ending: 0, generations: 0 }
    }

    /// Where an object is.
    pub fn place(&mut self, key: &K) -> Place<'_, L, W> {
        match self.slots.get_mut(key) {
            None => Place::Absent,
            Some(Slot { life, waiting: None }) => Place::Live(life),
            Some(Slot { life, waiting: Some(waiting) }) => Place::Ending(life, waiting),
        }
    }

    /// Whether one more object fits.
    pub fn has_room(&self) -> bool {
        self.slots.len() < self.residents_max
    }

    /// Whether one more object may start although there is no room: those that are on their way out make room soon, so a
    /// few over the limit are better than a refusal.
    pub fn may_exceed(&self) -> bool {
        self.ending > 0 && self.slots.len() < self.residents_max + self.part()
    }

    /// A number that no life had before.
    pub fn next_generation(&mut self) -> u64 {
        self.generations += 1;
        self.generations
    }

    /// A life begins.
    pub fn begin(&mut self, key: K, life: L) {
        let before = self.slots.insert(key, Slot { life, waiting: None });
        assert!(before.is_none(), "an object has one life at a time");
    }

    /// A life begins to end, if it has not already: from now on whoever comes waits for the next one.
    pub fn end(&mut self, key: &K) {
        if let Some(slot @ Slot { waiting: None, .. }) = self.slots.get_mut(key) {
            slot.waiting = Some(Vec::new());
            self.ending += 1;
        }
    }

    /// A life has ended: it has let go of everything and its commits are settled. Gives it and who waits for the next.
    pub fn ended(&mut self, key: &K) -> (L, Vec<W>) {
        let slot = self.slots.remove(key).expect("the slot of a life stays until the life has ended");
        let waiting = slot.waiting.expect("a life begins to end before it has ended");
        self.ending -= 1;
        (slot.life, waiting)
    }

    /// The lives that are not ending.
    pub fn live(&self) -> impl Iterator<Item = (&K, &L)> {
        self.slots.iter().filter(|(_, slot)| slot.waiting.is_none()).map(|(key, slot)| (key, &slot.life))
    }

    /// All lives, those that are ending too.
    pub fn all(&self) -> impl Iterator<Item = (&K, &L)> {
        self.slots.iter().map(|(key, slot)| (key, &slot.life))
    }

    /// Those that have been idle the longest, as many as should go when there is no room.
    pub fn longest_idle<T: Ord + Copy>(&self, idle_since: impl Fn(&L) -> Option<T>) -> Vec<(K, T)> {
        let mut idle: Vec<(K, T)> = self.live().filter_map(|(key, life)| Some((*key, idle_since(life)?))).collect();
        let count = self.part().min(idle.len());
        if count > 0 {
            idle.select_nth_unstable_by_key(count - 1, |(_, since)| *since);
        }
        idle.truncate(count);
        idle
    }

    /// Objects that are resident, those that are ending too.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    fn part(&self) -> usize {
        (self.residents_max / EVICTED_AT_ONCE_PART).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OBJECTS: u8 = 5;
    const RESIDENTS_MAX: usize = 3;

    /// A life in the model: its generation and what it was given.
    type Life = (u64, Vec<u32>);

    #[test]
    #[should_panic(expected = "one life at a time")]
    fn a_second_life_beside_the_first_is_a_defect() {
        let mut residency = Residency::<u8, (), ()>::new(2);
        residency.begin(1, ());
        residency.begin(1, ());
    }

    #[test]
    fn those_idle_the_longest_go_first_and_busy_ones_stay() {
        let mut residency = Residency::<u8, Option<u32>, ()>::new(32);
        for (key, idle_since) in [(1, Some(30)), (2, None), (3, Some(10)), (4, Some(20))] {
            residency.begin(key, idle_since);
        }
        let mut idle = residency.longest_idle(|life| *life);
        idle.sort_unstable();
        assert_eq!(idle, [(3, 10), (4, 20)], "a sixteenth of 32");
        residency.end(&3);
        residency.end(&4);
        assert_eq!(residency.longest_idle(|life| *life), [(1, 30)], "those that are ending go anyway");
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// Something comes for an object.
        Come(u8),
        /// A life begins to end: idle, trapped, aborted.
        End(u8),
        /// Its commits are settled.
        Settle(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..OBJECTS).prop_map(Step::Come),
            2 => (0..OBJECTS).prop_map(Step::End),
            2 => (0..OBJECTS).prop_map(Step::Settle),
        ]
    }

    fn start(residency: &mut Residency<u8, Life, u32>, key: u8, with: Vec<u32>) {
        let generation = residency.next_generation();
        residency.begin(key, (generation, with));
    }

    proptest! {
        /// Whatever comes reaches one life, once and in order, and lives of an object follow each other.
        #[test]
        fn whatever_comes_reaches_one_life_in_order(steps in prop::collection::vec(step(), 1..200)) {
            let mut residency = Residency::<u8, Life, u32>::new(RESIDENTS_MAX);
            let mut sent: [Vec<u32>; OBJECTS as usize] = Default::default();
            let mut got: [Vec<u32>; OBJECTS as usize] = Default::default();
            let mut generations = [0; OBJECTS as usize];
            let mut begun: [Vec<u32>; OBJECTS as usize] = Default::default();
            let mut settle = |residency: &mut Residency<u8, Life, u32>, key: u8, begun: &mut Vec<u32>| {
                let at = usize::from(key);
                let ((generation, _), waiting) = residency.ended(&key);
                assert!(generation > generations[at], "generations grow");
                generations[at] = generation;
                got[at].append(begun);
                if !waiting.is_empty() {
                    begun.extend(&waiting);
                    start(residency, key, waiting);
                }
            };
            for (number, step) in (0..).zip(steps) {
                match step {
                    Step::Come(key) => {
                        let at = usize::from(key);
                        let fits = residency.has_room() || residency.may_exceed();
                        match residency.place(&key) {
                            Place::Live(_) => begun[at].push(number),
                            Place::Ending(_, waiting) => waiting.push(number),
                            Place::Absent if fits => {
                                begun[at].push(number);
                                start(&mut residency, key, vec![number]);
                            }
                            Place::Absent => {
                                prop_assert!(residency.len() >= RESIDENTS_MAX, "refused with room");
                                continue;
                            }
                        }
                        sent[at].push(number);
                        prop_assert!(residency.len() <= RESIDENTS_MAX + 1);
                    }
                    Step::End(key) => residency.end(&key),
                    Step::Settle(key) => {
                        if matches!(residency.place(&key), Place::Ending(..)) {
                            settle(&mut residency, key, &mut begun[usize::from(key)]);
                        }
                    }
                }
            }
            // All end in time, and with them those that begin for who waits.
            while residency.len() > 0 {
                for key in 0..OBJECTS {
                    residency.end(&key);
                    if !matches!(residency.place(&key), Place::Absent) {
                        settle(&mut residency, key, &mut begun[usize::from(key)]);
                    }
                }
            }
            prop_assert_eq!(got, sent);
            prop_assert!(!residency.may_exceed());
        }
    }
}
