//! Savepoints: a way back from staged writes, for transactions.
//!
//! While a savepoint is open it keeps, of every key that is written, what the overlay knew before the first write.
//! Savepoints lie inside each other; the innermost ends first, by [`Overlay::keep`] or by [`Overlay::undo`].
//!
//! Invariant: `undo` brings back every key and the staged set as they were at `begin`. What was no write stays: answers
//! of the store that came meanwhile, entries that were trimmed, commits that were settled.
//!
//! Commits do not stop for a savepoint. One that was in flight at `begin` may be settled before the `undo`; its entries
//! are clean then when they come back. This needs no look at the savepoints when a commit is settled: batches settle
//! in their order, so the number of a batch says whether it is still in flight.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::alarms::Alarms;
use super::size::Growth;
use super::{Entry, Name, Overlay, State, entry_bytes};

/// Where an undo goes back to.
#[derive(Debug)]
pub(super) struct Savepoint {
    /// Of every key written since, what was here before; `None` if nothing was.
    before: BTreeMap<Name, Option<Before>>,
    /// Bytes of `before`, counted as those of entries are.
    bytes: usize,
    /// How many keys were staged. While a savepoint is open keys are only added to the staged ones.
    staged_len: usize,
    staged_bytes: usize,
    staged_growth: Growth,
    /// The alarms, once one of them was written.
    pub(super) alarms: Option<Alarms>,
}

/// An entry before it was written.
#[derive(Debug)]
struct Before {
    value: Option<Bytes>,
    state: State,
}

impl Overlay {
    /// Opens a savepoint, inside of those that are open already.
    pub fn begin(&mut self) {
        self.savepoints.push(Savepoint {
            before: BTreeMap::new(),
            bytes: 0,
            staged_len: self.staged.len(),
            staged_bytes: self.staged_bytes,
            staged_growth: self.staged_growth,
            alarms: None,
        });
    }

    /// Ends the innermost savepoint and keeps what was written since. An `undo` of one around it takes it back all the
    /// same.
    ///
    /// Panics if none is open.
    pub fn keep(&mut self) {
        let inner = self.savepoints.pop().expect("a savepoint is open");
        if let Some(outer) = self.savepoints.last_mut() {
            for (key, before) in inner.before {
                outer.add(key, || before);
            }
            if let Some(alarms) = &inner.alarms {
                outer.save_alarms(alarms);
            }
        }
    }

    /// Ends the innermost savepoint and takes back everything written since its `begin`.
    ///
    /// [`Overlay::last_write`] does not go back: numbers are not given twice. A list that is being read page by page
    /// meanwhile may hold what is undone here, as it holds what is written while it is read.
    ///
    /// Panics if none is open.
    pub fn undo(&mut self) {
        let savepoint = self.savepoints.pop().expect("a savepoint is open");
        for (key, before) in savepoint.before {
            self.remove(&key);
            let Some(Before { value, state }) = before else {
                continue;
            };
            let state = self.state_now(state);
            // As when it is settled: with everything known, having no entry says the same.
            if state != State::Clean || value.is_some() || !self.knows_all {
                self.insert(key, value, state);
            }
        }
        self.staged.truncate(savepoint.staged_len);
        self.staged_bytes = savepoint.staged_bytes;
        self.staged_growth = savepoint.staged_growth;
        if let Some(alarms) = savepoint.alarms {
            self.alarms = alarms;
        }
    }

    /// How many savepoints are open.
    pub fn depth(&self) -> usize {
        self.savepoints.len()
    }

    /// Bytes that open savepoints hold for an undo: keys, values and an allowance for each. Writes under savepoints
    /// inside each other make it larger than everything that is staged.
    pub fn saved_bytes(&self) -> usize {
        self.savepoints.iter().map(|savepoint| savepoint.bytes).sum()
    }

    /// Keeps what is known of `key` for an undo, if a savepoint is open that does not have it yet. Before every write.
    pub(super) fn save(&mut self, key: &str) {
        let Some(savepoint) = self.savepoints.last_mut() else {
            return;
        };
        if savepoint.before.contains_key(key.as_bytes()) {
            return;
        }
        match self.entries.get_key_value(key.as_bytes()) {
            Some((name, Entry { value, state, .. })) => {
                savepoint.add(name.clone(), || Some(Before { value: value.clone(), state: *state }));
            }
            None => savepoint.add(Name(key.into()), || None),
        }
    }

    /// The state today of an entry that was in `state` earlier and was not written since.
    fn state_now(&self, state: State) -> State {
        match state {
            State::InFlight(number) if self.in_flight.front().is_none_or(|batch| batch.number > number) => State::Clean,
            state => state,
        }
    }
}

impl Savepoint {
    /// Keeps the alarms as they were, unless older ones are kept already.
    pub(super) fn save_alarms(&mut self, alarms: &Alarms) {
        if self.alarms.is_none() {
            self.bytes += alarms.bytes();
            self.alarms = Some(alarms.clone());
        }
    }

    /// Keeps what was before, unless something older is kept already.
    fn add(&mut self, key: Name, before: impl FnOnce() -> Option<Before>) {
        if let std::collections::btree_map::Entry::Vacant(place) = self.before.entry(key) {
            let before = before();
            let value = before.as_ref().and_then(|before| before.value.as_ref());
            self.bytes += entry_bytes(place.key(), value);
            place.insert(before);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::commit::KeyValue;
    use crate::numbers::CommitNumber;
    use crate::overlay::{Answer, Staged};
    use crate::read::Content;

    fn value(text: &str) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn put(overlay: &mut Overlay, key: &str, text: &str) {
        overlay.put(key, Bytes::copy_from_slice(text.as_bytes()));
    }

    fn submit(overlay: &mut Overlay, number: u64) -> Staged {
        let staged = overlay.take_staged().expect("something is staged");
        overlay.submitted(CommitNumber(number));
        staged
    }

    #[test]
    fn an_undo_brings_back_values_and_what_was_staged_in_its_order() {
        let mut overlay = Overlay::new(Content::Whole(vec![("clean".into(), Bytes::from("1"))]));
        put(&mut overlay, "b", "staged");
        put(&mut overlay, "a", "staged");
        let before = (overlay.bytes(), overlay.staged_bytes(), overlay.staged_len());
        overlay.begin();
        put(&mut overlay, "a", "a longer value");
        put(&mut overlay, "new", "1");
        overlay.delete("clean");
        overlay.undo();
        assert_eq!((overlay.bytes(), overlay.staged_bytes(), overlay.staged_len()), before);
        assert_eq!(overlay.get("clean"), Answer::Known(value("1")));
        assert_eq!(overlay.get("new"), Answer::Known(None));
        let writes = vec![("b".into(), value("staged")), ("a".into(), value("staged"))];
        assert_eq!(submit(&mut overlay, 1), Staged { writes, ..Staged::default() });
    }

    #[test]
    fn what_an_inner_savepoint_kept_an_outer_undo_takes_back() {
        let mut overlay = Overlay::new(Content::Whole(vec![("k".into(), Bytes::from("0"))]));
        overlay.begin();
        put(&mut overlay, "k", "1");
        overlay.begin();
        put(&mut overlay, "k", "2");
        put(&mut overlay, "inner", "2");
        overlay.keep();
        assert_eq!((overlay.get("k"), overlay.depth()), (Answer::Known(value("2")), 1));
        overlay.undo();
        assert_eq!(overlay.get("k"), Answer::Known(value("0")));
        assert_eq!(overlay.get("inner"), Answer::Known(None));
        assert!(!overlay.has_staged());
    }

    #[test]
    fn an_entry_whose_commit_was_settled_meanwhile_comes_back_clean() {
        let mut overlay = Overlay::new(Content::Whole(Vec::new()));
        put(&mut overlay, "settled", "1");
        overlay.delete("gone");
        submit(&mut overlay, 1);
        put(&mut overlay, "open", "1");
        submit(&mut overlay, 2);
        overlay.begin();
        for key in ["settled", "open"] {
            put(&mut overlay, key, "2");
        }
        overlay.durable_up_to(CommitNumber(1));
        overlay.undo();
        overlay.trim(0);
        assert_eq!(overlay.get("settled"), Answer::Ask, "it is clean, so it could go");
        assert_eq!(overlay.get("open"), Answer::Known(value("1")), "it is not durable, so it could not");
        overlay.durable_up_to(CommitNumber(2));
        overlay.trim(0);
        assert_eq!((overlay.get("open"), overlay.bytes()), (Answer::Ask, 0));
    }

    #[test]
    fn an_answer_of_the_store_stays_knowledge_through_an_undo() {
        let mut overlay = Overlay::new(Content::Partial);
        overlay.begin();
        overlay.learn("learned, then written", value("stored"));
        put(&mut overlay, "learned, then written", "2");
        put(&mut overlay, "written, then answered", "2");
        overlay.learn("written, then answered", value("stored"));
        overlay.learn("learned", value("stored"));
        overlay.undo();
        assert_eq!(overlay.get("learned, then written"), Answer::Known(value("stored")));
        assert_eq!(overlay.get("written, then answered"), Answer::Ask);
        assert_eq!(overlay.get("learned"), Answer::Known(value("stored")));
    }

    #[test]
    fn what_is_held_for_an_undo_is_counted() {
        let mut overlay = Overlay::new(Content::Partial);
        put(&mut overlay, "k", "0");
        let one = overlay.bytes();
        for _ in 0..3 {
            overlay.begin();
            put(&mut overlay, "k", "1");
            put(&mut overlay, "k", "2");
        }
        assert_eq!((overlay.saved_bytes(), overlay.bytes()), (3 * one, 4 * one));
        overlay.keep();
        assert_eq!(overlay.saved_bytes(), 2 * one);
        overlay.undo();
        overlay.undo();
        assert_eq!((overlay.saved_bytes(), overlay.bytes()), (0, one));
    }

    #[test]
    #[should_panic(expected = "staged writes were taken under an open savepoint")]
    fn nothing_is_taken_under_a_savepoint() {
        let mut overlay = Overlay::new(Content::Partial);
        overlay.begin();
        overlay.take_staged();
    }

    #[test]
    #[should_panic(expected = "everything was deleted under an open savepoint")]
    fn nothing_deletes_everything_under_a_savepoint() {
        let mut overlay = Overlay::new(Content::Partial);
        overlay.begin();
        overlay.delete_all();
    }

    #[derive(Clone, Debug)]
    enum Operation {
        Put(usize, u8),
        Delete(usize),
        DeleteAll,
        /// Asks the store for a key if need be; the answer is of this moment.
        Ask(usize),
        /// Takes the oldest answer that is on its way.
        Answer,
        Trim(usize),
        Take,
        /// The oldest commit in flight becomes durable.
        Durable,
        Begin,
        Keep,
        Undo,
    }

    const KEYS: [&str; 5] = ["", "a", "ab", "b", "\u{10ffff}"];

    fn operation() -> impl Strategy<Value = Operation> {
        let key = || 0..KEYS.len();
        prop_oneof![
            6 => (key(), 0u8..20).prop_map(|(key, len)| Operation::Put(key, len)),
            4 => key().prop_map(Operation::Delete),
            1 => Just(Operation::DeleteAll),
            3 => key().prop_map(Operation::Ask),
            3 => Just(Operation::Answer),
            2 => (0usize..400).prop_map(Operation::Trim),
            4 => Just(Operation::Take),
            4 => Just(Operation::Durable),
            4 => Just(Operation::Begin),
            2 => Just(Operation::Keep),
            3 => Just(Operation::Undo),
        ]
    }

    /// The object without any cleverness: maps, and copies of them.
    #[derive(Default)]
    struct Model {
        disk: BTreeMap<String, Bytes>,
        in_flight: VecDeque<(CommitNumber, Staged)>,
        answers: VecDeque<(usize, Option<Bytes>)>,
        now: Written,
        stack: Vec<Written>,
        commits: u64,
    }

    /// What a savepoint copies.
    #[derive(Clone, Debug, Default)]
    struct Written {
        view: BTreeMap<String, Bytes>,
        staged: Staged,
    }

    impl Written {
        fn stage(&mut self, key: &str, value: Option<Bytes>) {
            match &value {
                Some(value) => drop(self.view.insert(key.into(), value.clone())),
                None => drop(self.view.remove(key)),
            }
            match self.staged.writes.iter_mut().find(|(staged, _)| **staged == *key) {
                Some((_, staged)) => *staged = value,
                None => self.staged.writes.push((key.into(), value)),
            }
        }

        fn staged_bytes(&self) -> usize {
            let bytes = |(key, value): &KeyValue| key.len() + value.as_ref().map_or(0, Bytes::len);
            self.staged.writes.iter().map(bytes).sum()
        }
    }

    impl Model {
        fn apply(&mut self, overlay: &mut Overlay, operation: &Operation) {
            match *operation {
                Operation::Put(key, len) => {
                    let value = Bytes::from(vec![len; len.into()]);
                    overlay.put(KEYS[key], value.clone());
                    self.now.stage(KEYS[key], Some(value));
                }
                Operation::Delete(key) => {
                    let (last_write, is_there) = (overlay.last_write(), self.now.view.contains_key(KEYS[key]));
                    if overlay.delete(KEYS[key]) > last_write {
                        self.now.stage(KEYS[key], None);
                    } else {
                        assert!(!is_there, "only the deletion of what is not there stages nothing");
                    }
                }
                Operation::DeleteAll if self.stack.is_empty() => {
                    overlay.delete_all();
                    let staged = Staged { clear: true, ..Staged::default() };
                    self.now = Written { view: BTreeMap::new(), staged };
                }
                Operation::Ask(key) if overlay.get(KEYS[key]) == Answer::Ask => {
                    self.answers.push_back((key, self.disk.get(KEYS[key]).cloned()));
                }
                Operation::Answer => {
                    if let Some((key, value)) = self.answers.pop_front() {
                        overlay.learn(KEYS[key], value);
                    }
                }
                Operation::Trim(bytes_max) if self.answers.is_empty() => overlay.trim(bytes_max),
                Operation::Take if self.stack.is_empty() => self.take(overlay),
                Operation::Durable => self.durable(overlay),
                Operation::Begin if self.stack.len() < 4 => {
                    overlay.begin();
                    self.stack.push(self.now.clone());
                }
                Operation::Keep if self.stack.pop().is_some() => overlay.keep(),
                Operation::Undo => {
                    if let Some(before) = self.stack.pop() {
                        overlay.undo();
                        self.now = before;
                    }
                }
                _ => {}
            }
        }

        fn take(&mut self, overlay: &mut Overlay) {
            let staged = std::mem::take(&mut self.now.staged);
            match overlay.take_staged() {
                None => assert_eq!(staged, Staged::default()),
                Some(taken) => {
                    assert_eq!(taken, staged);
                    self.commits += 1;
                    overlay.submitted(CommitNumber(self.commits));
                    self.in_flight.push_back((CommitNumber(self.commits), staged));
                }
            }
        }

        fn durable(&mut self, overlay: &mut Overlay) {
            let Some((number, staged)) = self.in_flight.pop_front() else {
                return;
            };
            if staged.clear {
                self.disk.clear();
            }
            for (key, value) in staged.writes {
                match value {
                    Some(value) => drop(self.disk.insert(key.to_string(), value)),
                    None => drop(self.disk.remove(&*key)),
                }
            }
            overlay.durable_up_to(number);
        }

        fn check(&self, overlay: &mut Overlay) {
            for key in KEYS {
                let known = match overlay.entries.get(key.as_bytes()) {
                    Some(entry) => entry.value.clone(),
                    None if overlay.knows_all => None,
                    None => self.disk.get(key).cloned(),
                };
                assert_eq!(known, self.now.view.get(key).cloned(), "the value of {key:?}");
            }
            assert_eq!((overlay.depth(), overlay.staged_len()), (self.stack.len(), self.now.staged.writes.len()));
            assert_eq!(overlay.staged_bytes(), self.now.staged_bytes());
            let entries = overlay.entries.iter();
            let held: usize = entries.map(|(key, entry)| entry_bytes(key, entry.value.as_ref())).sum();
            assert_eq!(overlay.bytes(), held + overlay.saved_bytes());
            let is_superfluous = |entry: &Entry| entry.state == State::Clean && entry.value.is_none();
            assert!(!overlay.knows_all || !overlay.entries.values().any(is_superfluous));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn savepoints_are_as_good_as_copies(
            is_whole: bool,
            operations in prop::collection::vec(operation(), 1..80),
        ) {
            let content = if is_whole { Content::Whole(Vec::new()) } else { Content::Partial };
            let (mut overlay, mut model) = (Overlay::new(content), Model::default());
            for operation in &operations {
                model.apply(&mut overlay, operation);
                model.check(&mut overlay);
            }
            // Nothing is stuck: once all is over and durable, everything may go.
            for _ in 0..overlay.depth() {
                model.apply(&mut overlay, &Operation::Undo);
            }
            model.answers.clear();
            model.apply(&mut overlay, &Operation::Take);
            while !model.in_flight.is_empty() {
                model.durable(&mut overlay);
            }
            model.check(&mut overlay);
            overlay.trim(0);
            assert_eq!((overlay.bytes(), overlay.in_flight.len()), (0, 0));
            model.check(&mut overlay);
        }
    }
}
