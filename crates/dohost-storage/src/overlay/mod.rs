//! What one resident object knows of its own store: staged writes, writes in flight, and a cache of reads.
//!
//! A write is *staged* while its turn runs, *in flight* from [`Overlay::take_staged`] until its commit is durable, and
//! then *clean*: the store has it too, so it may be dropped. Reads are answered here as long as possible, also with
//! "there is no such key"; [`Answer::Ask`] sends the caller to the store, and [`Overlay::learn`] or
//! [`Overlay::merge_list`] put what the store said underneath what was written since.
//!
//! Invariant: a read sees every earlier write of this object, durable or not, and an answer of the store never hides
//! one.
//!
//! While the *whole* content is known (a new or small object, or after delete-all) an absent key is known to be
//! absent and the store is never asked.
//!
//! Bookkeeping only: no clock, no task, no I/O. One owner, the object's executor. There is no way back from a staged
//! write but the one of [`Overlay::begin`]: a turn that fails ends the life of its object, and the overlay with it.

mod alarms;
mod list;
mod savepoint;
mod size;

use std::borrow::Borrow;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use alarms::Alarms;
pub use list::{ListStep, Listing};
use savepoint::Savepoint;
use size::Growth;

use crate::alarm::Alarm;
use crate::commit::KeyValue;
use crate::numbers::{CommitNumber, WriteNumber};
use crate::read::Content;

/// What an entry costs beside its key and value, in bytes: map node, handles, reference counts.
const ENTRY_OVERHEAD_BYTES: usize = 96;

/// An answer of the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It is known here.
    Known(T),
    /// The store has to be asked.
    Ask,
}

/// The staged writes of a turn, as [`crate::WriteSet`] wants them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// Whether all keys that the object had are removed first.
    pub clear: bool,
    /// The last value of every key that was written, each key once; `None` deletes.
    pub writes: Vec<KeyValue>,
    /// The last state of every alarm that was set or deleted, by name; `None` deletes.
    pub alarms: Vec<(Arc<str>, Option<Alarm>)>,
}

/// See the module.
#[derive(Debug)]
pub struct Overlay {
    entries: BTreeMap<Name, Entry>,
    /// Whether a key without an entry is known to be absent.
    knows_all: bool,
    /// Keys whose newest write is staged, in order, each once.
    staged: Vec<Name>,
    staged_clear: bool,
    staged_bytes: usize,
    staged_growth: Growth,
    in_flight: VecDeque<Batch>,
    /// Number of the batch that [`Overlay::take_staged`] makes next.
    next_batch: u64,
    last_write: WriteNumber,
    bytes: usize,
    /// Where [`Overlay::trim`] goes on.
    trim_from: Option<Name>,
    alarms: Alarms,
    /// The open ones, the innermost last.
    savepoints: Vec<Savepoint>,
}

/// A key, ordered by its bytes. Borrowed as bytes because the ends of a range need not be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name(Arc<str>);

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[derive(Debug)]
struct Entry {
    value: Option<Bytes>,
    state: State,
    /// Read or written since trim last came by.
    used: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Staged,
    /// In the batch of this number, and not overwritten since.
    InFlight(u64),
    Clean,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    commit: Option<CommitNumber>,
    keys: Vec<Name>,
    growth: Growth,
}

impl Overlay {
    /// An overlay over what [`crate::Store::load`] gave.
    pub fn new(content: Content) -> Overlay {
        let mut overlay = Overlay {
            entries: BTreeMap::new(),
            knows_all: matches!(content, Content::Whole(_)),
            staged: Vec::new(),
            staged_clear: false,
            staged_bytes: 0,
            staged_growth: Growth::default(),
            in_flight: VecDeque::new(),
            next_batch: 0,
            last_write: WriteNumber::NONE,
            bytes: 0,
            trim_from: None,
            alarms: Alarms::default(),
            savepoints: Vec::new(),
        };
        if let Content::Whole(entries) = content {
            for (key, value) in entries {
                overlay.insert(Name(key), Some(value), State::Clean);
            }
        }
        overlay
    }

    /// The value of `key`; `Known(None)` if it is known to have none.
    pub fn get(&mut self, key: &str) -> Answer<Option<Bytes>> {
        match self.entries.get_mut(key.as_bytes()) {
            Some(entry) => {
                entry.used = true;
                Answer::Known(entry.value.clone())
            }
            None if self.knows_all => Answer::Known(None),
            None => Answer::Ask,
        }
    }

    /// Takes what the store said of `key` after [`Answer::Ask`]. What was written since the question stays.
    pub fn learn(&mut self, key: &str, value: Option<Bytes>) {
        // With everything known the question was asked before a delete-all, and the answer is out of date.
        if !self.knows_all && !self.entries.contains_key(key.as_bytes()) {
            self.insert(Name(key.into()), value, State::Clean);
        }
    }

    /// Stages a value.
    pub fn put(&mut self, key: &str, value: Bytes) -> WriteNumber {
        self.stage(key, Some(value))
    }

    /// Stages a deletion. Whether the key existed is what [`Overlay::get`] says before. A key that is known to be
    /// absent stages nothing.
    pub fn delete(&mut self, key: &str) -> WriteNumber {
        if self.knows_all && !self.entries.contains_key(key.as_bytes()) {
            return self.last_write;
        }
        self.stage(key, None)
    }

    /// Stages the deletion of every key and every alarm. Nothing is left to ask the store for.
    ///
    /// Not while a savepoint is open: that would have to keep everything the object has.
    pub fn delete_all(&mut self) -> WriteNumber {
        assert!(self.savepoints.is_empty(), "everything was deleted under an open savepoint");
        self.entries.clear();
        self.bytes = 0;
        self.staged.clear();
        self.alarms = Alarms::default();
        self.staged_bytes = 0;
        self.staged_clear = true;
        self.staged_growth = Growth::after_clear();
        self.knows_all = true;
        self.trim_from = None;
        self.last_write.0 += 1;
        self.last_write
    }

    /// Whether something waits for [`Overlay::take_staged`].
    pub fn has_staged(&self) -> bool {
        self.staged_clear || !self.staged.is_empty() || !self.alarms.staged.is_empty()
    }

    /// The number of the newest staged write, taken or not. An output sampled now depends on the commit that the
    /// writes up to this number go into.
    pub fn last_write(&self) -> WriteNumber {
        self.last_write
    }

    /// The staged writes, to be submitted at once; [`Overlay::submitted`] must follow before the next call of this.
    ///
    /// Not while a savepoint is open: what is taken cannot be undone.
    pub fn take_staged(&mut self) -> Option<Staged> {
        assert!(self.savepoints.is_empty(), "staged writes were taken under an open savepoint");
        if !self.has_staged() {
            return None;
        }
        assert!(self.in_flight.back().is_none_or(|batch| batch.commit.is_some()), "the last batch was not submitted");
        let number = self.next_batch;
        self.next_batch += 1;
        let keys = std::mem::take(&mut self.staged);
        let mut writes = Vec::with_capacity(keys.len());
        for key in &keys {
            let entry = self.entries.get_mut(key).expect("a staged key has an entry");
            entry.state = State::InFlight(number);
            writes.push((key.0.clone(), entry.value.clone()));
        }
        self.staged_bytes = 0;
        let growth = std::mem::take(&mut self.staged_growth);
        self.in_flight.push_back(Batch { number, commit: None, keys, growth });
        let alarms = self.alarms.take_staged();
        Some(Staged { clear: std::mem::take(&mut self.staged_clear), writes, alarms })
    }

    /// Notes under which number the writes that were taken last were submitted.
    pub fn submitted(&mut self, commit: CommitNumber) {
        let batch = self.in_flight.back_mut().expect("staged writes were taken");
        assert!(batch.commit.is_none(), "the batch was submitted already");
        batch.commit = Some(commit);
    }

    /// Notes that everything submitted up to `commit` is durable, so that it may be dropped from memory.
    pub fn durable_up_to(&mut self, commit: CommitNumber) {
        while let Some(batch) = self.in_flight.pop_front_if(|batch| batch.commit.is_some_and(|number| number <= commit))
        {
            for key in batch.keys {
                self.settle(&key, batch.number);
            }
        }
    }

    /// Drops clean entries, least used first, until [`Overlay::bytes`] is at most `bytes_max` or none is left.
    ///
    /// Only while no read of this object is on its way to the store: the answer may be older than the entry dropped
    /// here, and with the entry gone nothing would keep the old value out.
    pub fn trim(&mut self, bytes_max: usize) {
        // Two rounds: the first may only find entries in use and take their mark away. And one visit to find that the
        // place to go on at lies behind the last entry.
        let mut visits_left = self.entries.len() * 2 + 1;
        let saved_bytes = self.saved_bytes();
        while self.bytes + saved_bytes > bytes_max && visits_left > 0 {
            visits_left -= 1;
            let from = self.trim_from.as_ref().map_or(Bound::Unbounded, |name| Bound::Included(name.0.as_bytes()));
            let mut rest = self.entries.range_mut::<[u8], _>((from, Bound::Unbounded));
            let Some((key, entry)) = rest.next() else {
                self.trim_from = None;
                continue;
            };
            let key = key.clone();
            let goes = entry.state == State::Clean && !std::mem::take(&mut entry.used);
            self.trim_from = rest.next().map(|(next, _)| next.clone());
            if goes {
                self.remove(&key);
                self.knows_all = false;
            }
        }
    }

    /// Bytes held: keys, values and an allowance for each entry, [`Overlay::saved_bytes`] among them.
    pub fn bytes(&self) -> usize {
        self.bytes + self.saved_bytes()
    }

    /// Bytes of keys and values that are staged.
    pub fn staged_bytes(&self) -> usize {
        self.staged_bytes
    }

    /// How many keys are staged.
    pub fn staged_len(&self) -> usize {
        self.staged.len()
    }

    /// Whether a key that is not here is known to be absent.
    pub fn knows_all(&self) -> bool {
        self.knows_all
    }

    fn stage(&mut self, key: &str, value: Option<Bytes>) -> WriteNumber {
        self.last_write.0 += 1;
        self.save(key);
        let len = value.as_ref().map_or(0, Bytes::len);
        self.staged_growth.bytes += self.growth_max(key, value.as_ref().map(Bytes::len));
        match self.entries.get_mut(key.as_bytes()) {
            Some(entry) => {
                let old_len = entry.value.as_ref().map_or(0, Bytes::len);
                self.bytes = self.bytes - old_len + len;
                if entry.state == State::Staged {
                    self.staged_bytes = self.staged_bytes - old_len + len;
                } else {
                    let (name, _) = self.entries.get_key_value(key.as_bytes()).expect("it was found above");
                    self.staged.push(name.clone());
                    self.staged_bytes += key.len() + len;
                }
                let entry = self.entries.get_mut(key.as_bytes()).expect("it was found above");
                *entry = Entry { value, state: State::Staged, used: true };
            }
            None => {
                let name = Name(key.into());
                self.staged.push(name.clone());
                self.staged_bytes += key.len() + len;
                self.insert(name, value, State::Staged);
            }
        }
        self.last_write
    }

    /// Makes the entry of `key` clean if its newest write is the one of `batch`.
    fn settle(&mut self, key: &Name, batch: u64) {
        let Some(entry) = self.entries.get_mut(key) else {
            return;
        };
        if entry.state != State::InFlight(batch) {
            return;
        }
        entry.state = State::Clean;
        // With everything known, having no entry says the same. While a delete-all is in flight this cannot be wrong
        // either: what is durable now came before it and was dropped by it.
        if entry.value.is_none() && self.knows_all {
            self.remove(key);
        }
    }

    fn insert(&mut self, key: Name, value: Option<Bytes>, state: State) {
        self.bytes += entry_bytes(&key, value.as_ref());
        let before = self.entries.insert(key, Entry { value, state, used: true });
        debug_assert!(before.is_none(), "an entry was replaced and counted twice");
    }

    fn remove(&mut self, key: &Name) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry_bytes(key, entry.value.as_ref());
        }
    }
}

fn entry_bytes(key: &Name, value: Option<&Bytes>) -> usize {
    ENTRY_OVERHEAD_BYTES + key.0.len() + value.map_or(0, Bytes::len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{KeyRange, ListOptions};
    use crate::read::Page;

    fn value(text: &str) -> Option<Bytes> {
        Some(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn put(overlay: &mut Overlay, key: &str, text: &str) {
        overlay.put(key, Bytes::copy_from_slice(text.as_bytes()));
    }

    fn page(keys: &[&str], more: bool) -> Page {
        let entry = |key: &&str| (Arc::from(*key), Bytes::from("stored"));
        Page { entries: keys.iter().map(entry).collect(), more }
    }

    fn listed(step: ListStep) -> Vec<(String, Bytes)> {
        match step {
            ListStep::Done(entries) => entries.into_iter().map(|(key, value)| (key.to_string(), value)).collect(),
            ListStep::More(_) => panic!("the page was the last one"),
        }
    }

    #[test]
    fn an_answer_of_the_store_never_hides_what_was_written_since_the_question() {
        let mut overlay = Overlay::new(Content::Partial);
        for key in ["put", "deleted", "settled", "untouched"] {
            assert_eq!(overlay.get(key), Answer::Ask);
        }
        put(&mut overlay, "put", "new");
        overlay.delete("deleted");
        put(&mut overlay, "settled", "new");
        overlay.take_staged();
        overlay.submitted(CommitNumber(1));
        overlay.durable_up_to(CommitNumber(1));
        for key in ["put", "deleted", "settled", "untouched"] {
            overlay.learn(key, value("old"));
        }
        assert_eq!(overlay.get("put"), Answer::Known(value("new")));
        assert_eq!(overlay.get("deleted"), Answer::Known(None));
        assert_eq!(overlay.get("settled"), Answer::Known(value("new")));
        assert_eq!(overlay.get("untouched"), Answer::Known(value("old")));
    }

    #[test]
    fn an_answer_of_the_store_never_survives_a_delete_all() {
        let mut overlay = Overlay::new(Content::Partial);
        assert_eq!(overlay.get("k"), Answer::Ask);
        let listing = Listing::new(KeyRange::all());
        overlay.delete_all();
        put(&mut overlay, "new", "1");
        overlay.learn("k", value("old"));
        assert_eq!(overlay.get("k"), Answer::Known(None));
        let entries = listed(overlay.merge_list(listing, page(&["k"], true)));
        assert_eq!(entries, [("new".into(), Bytes::from("1"))]);
    }

    #[test]
    fn a_page_is_laid_under_what_was_written_since_it_was_asked_for() {
        let mut overlay = Overlay::new(Content::Partial);
        let listing = Listing::new(KeyRange::all());
        overlay.delete("b");
        put(&mut overlay, "c", "new");
        put(&mut overlay, "d", "new");
        let entries = listed(overlay.merge_list(listing, page(&["a", "b", "c"], false)));
        let new = Bytes::from("new");
        assert_eq!(entries, [("a".into(), Bytes::from("stored")), ("c".into(), new.clone()), ("d".into(), new)]);
    }

    #[test]
    fn a_limited_list_ends_with_its_limit_and_goes_on_where_deletions_ate_into_it() {
        let options = ListOptions { limit: Some(1), ..ListOptions::default() };
        let range = KeyRange::compile(options).unwrap().unwrap();
        let mut overlay = Overlay::new(Content::Partial);
        let step = overlay.merge_list(Listing::new(range.clone()), page(&["a", "b"], true));
        assert_eq!(listed(step), [("a".into(), Bytes::from("stored"))]);
        overlay.delete("a");
        overlay.delete("b");
        let step = overlay.merge_list(Listing::new(range), page(&["a", "b"], true));
        let ListStep::More(listing) = step else { panic!("nothing was found yet") };
        assert_eq!(listing.ask().start, b"b\0");
        let step = overlay.merge_list(listing, page(&["c"], true));
        assert_eq!(listed(step), [("c".into(), Bytes::from("stored"))]);
    }

    #[test]
    fn staged_writes_are_taken_once_and_each_key_with_its_last_value() {
        let mut overlay = Overlay::new(Content::Whole(vec![("old".into(), Bytes::from("1"))]));
        assert_eq!(overlay.take_staged(), None);
        put(&mut overlay, "before", "gone with the delete-all");
        overlay.delete_all();
        put(&mut overlay, "a", "1");
        put(&mut overlay, "a", "23");
        assert_eq!(overlay.staged_bytes(), 3);
        assert_eq!(overlay.last_write(), WriteNumber(4));
        let staged = overlay.take_staged().unwrap();
        assert_eq!(staged, Staged { clear: true, writes: vec![("a".into(), value("23"))], ..Staged::default() });
        overlay.submitted(CommitNumber(9));
        assert!(!overlay.has_staged());
        assert_eq!((overlay.staged_bytes(), overlay.take_staged()), (0, None));
    }

    #[test]
    fn a_delete_of_a_key_known_to_be_absent_writes_nothing() {
        let mut overlay = Overlay::new(Content::Whole(Vec::new()));
        assert_eq!(overlay.delete("k"), WriteNumber::NONE);
        assert!(!overlay.has_staged());
        let mut overlay = Overlay::new(Content::Partial);
        assert_eq!(overlay.delete("k"), WriteNumber(1));
        assert!(overlay.has_staged());
    }

    #[test]
    fn trim_keeps_what_is_not_durable_and_what_was_used_last() {
        let mut overlay =
            Overlay::new(Content::Whole(vec![("clean".into(), Bytes::from("1")), ("used".into(), Bytes::from("2"))]));
        put(&mut overlay, "in flight", "3");
        overlay.take_staged();
        overlay.submitted(CommitNumber(1));
        put(&mut overlay, "staged", "4");
        // The first round takes all marks away, the read sets one again.
        overlay.trim(overlay.bytes() - 1);
        assert_eq!(overlay.get("clean"), Answer::Ask, "the first in order goes");
        overlay.learn("clean", value("1"));
        overlay.trim(overlay.bytes() - 1);
        assert_eq!(overlay.get("used"), Answer::Ask, "it was not read since the first round, the other was");
        assert_eq!(overlay.get("clean"), Answer::Known(value("1")));
        overlay.trim(0);
        assert_eq!(overlay.get("clean"), Answer::Ask);
        assert_eq!(overlay.get("in flight"), Answer::Known(value("3")));
        assert_eq!(overlay.get("staged"), Answer::Known(value("4")));
        let held = 2 * ENTRY_OVERHEAD_BYTES + "in flight".len() + "staged".len() + 2;
        assert_eq!(overlay.bytes(), held, "bytes are counted right through all of it");
    }

    #[test]
    fn keys_deleted_again_and_again_leave_nothing_behind() {
        let mut overlay = Overlay::new(Content::Whole(Vec::new()));
        for round in 0..100 {
            put(&mut overlay, &format!("k{round}"), "1");
            overlay.delete(&format!("k{round}"));
            overlay.take_staged();
            overlay.submitted(CommitNumber(round));
            overlay.durable_up_to(CommitNumber(round));
        }
        assert_eq!((overlay.bytes(), overlay.knows_all()), (0, true));
    }
}
