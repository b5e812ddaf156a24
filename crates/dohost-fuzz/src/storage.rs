//! What an object sees of its store, against an ordered map: one enum of operations, in any order.
//!
//! Writes are staged, on their way or durable when they are read; the object goes and comes back; the disk loses power.

use std::collections::BTreeMap;
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{
    Answer, ClassNumber, CommitNumber, Committing, KeyRange, LifeId, ListOptions, ListStep, Listing, Loaded,
    ObjectNumber, ObjectRecord, ObjectSize, Overlay, Store, StoreOptions, WriteSet,
};

const CLASS: ClassNumber = ClassNumber(1);
const ID: [u8; 32] = [1; 32];
/// So many operations are done at most: more of them only take longer.
const OPERATIONS_MAX: usize = 200;
/// A crash comes within so many operations on the disk.
const CRASH_OPERATIONS: u64 = 8;
/// Few and related keys, so that operations meet.
const KEYS: [&str; 8] = ["", "a", "a\0", "aa", "ab", "b", "é", "\u{10ffff}"];

#[derive(Clone, Copy, Debug)]
struct Key(u8);

impl Key {
    fn text(self) -> &'static str {
        KEYS[usize::from(self.0) % KEYS.len()]
    }
}

#[derive(Debug)]
enum Operation {
    Put(Key, u8),
    Delete(Key),
    DeleteAll,
    Get(Key),
    List {
        start: Option<Key>,
        end: Option<Key>,
        prefix: Option<Key>,
        reverse: bool,
        limit: Option<u8>,
    },
    Commit,
    Trim(u8),
    Begin,
    Keep,
    Undo,
    /// Commits, ends the life, and loads the object again, whole or not.
    Reload {
        is_whole: bool,
    },
    /// The store is closed and opened again.
    Reopen,
    /// The power goes at an operation of the disk, in the commit of what is staged; the disk keeps some of what was not synced.
    Crash {
        after: u8,
        keeps: u64,
    },
    /// The disk is full for one write, in the commit of what is staged. The life ends, as the host sees to.
    Full,
}

impl Operation {
    fn take(from: &mut Unstructured<'_>) -> arbitrary::Result<Operation> {
        let key = |from: &mut Unstructured<'_>| u8::arbitrary(from).map(Key);
        let some_key = |from: &mut Unstructured<'_>| Option::<u8>::arbitrary(from).map(|number| number.map(Key));
        // Writes come more often than what ends them.
        Ok(match u8::arbitrary(from)? % 20 {
            0..=4 => Operation::Put(key(from)?, u8::arbitrary(from)?),
            5 | 6 => Operation::Delete(key(from)?),
            7 => Operation::DeleteAll,
            8 | 9 => Operation::Get(key(from)?),
            10 | 11 => Operation::List {
                start: some_key(from)?,
                end: some_key(from)?,
                prefix: some_key(from)?,
                reverse: bool::arbitrary(from)?,
                limit: Option::arbitrary(from)?,
            },
            12 => Operation::Commit,
            13 => Operation::Trim(u8::arbitrary(from)?),
            14 => Operation::Begin,
            15 => Operation::Keep,
            16 => Operation::Undo,
            17 => Operation::Reload { is_whole: bool::arbitrary(from)? },
            18 if bool::arbitrary(from)? => Operation::Reopen,
            18 => Operation::Full,
            _ => Operation::Crash { after: u8::arbitrary(from)?, keeps: u64::arbitrary(from)? },
        })
    }
}

/// What an object has stored, as far as it knows.
type Model = BTreeMap<&'static str, u8>;

/// See the module.
pub fn run(bytes: &[u8]) {
    let mut from = Unstructured::new(bytes);
    let mut operations = Vec::new();
    while !from.is_empty() && operations.len() < OPERATIONS_MAX {
        operations.extend(Operation::take(&mut from));
    }
    let mut object = Object::new();
    let mut model = Model::new();
    // As it was at each savepoint that is open, and when it was last durable.
    let mut copies: Vec<Model> = Vec::new();
    let mut durable = Model::new();
    for operation in &operations {
        let is_open = object.overlay.depth() > 0;
        match operation {
            Operation::Put(key, value) => {
                object.overlay.put(key.text(), Bytes::from(vec![*value]));
                model.insert(key.text(), *value);
            }
            Operation::Delete(key) => {
                object.overlay.delete(key.text());
                model.remove(key.text());
            }
            Operation::Get(key) => {
                let expected = model.get(key.text()).map(|value| Bytes::from(vec![*value]));
                assert_eq!(object.get(key.text()), expected, "{operation:?}");
            }
            Operation::List { start, end, prefix, reverse, limit } => {
                let options = ListOptions {
                    start: start.map(Key::text),
                    start_after: None,
                    end: end.map(Key::text),
                    prefix: prefix.map(Key::text),
                    reverse: *reverse,
                    limit: limit.map(|limit| u64::from(limit) + 1),
                };
                assert_eq!(object.list(options), listed(&model, options), "{operation:?}");
            }
            Operation::Trim(bytes_max) => object.overlay.trim(usize::from(*bytes_max)),
            Operation::Begin if object.overlay.depth() < 8 => {
                object.overlay.begin();
                copies.push(model.clone());
            }
            Operation::Keep if copies.pop().is_some() => object.overlay.keep(),
            Operation::Undo if is_open => {
                object.overlay.undo();
                model = copies.pop().expect("as many copies as savepoints");
            }
            Operation::DeleteAll if !is_open => {
                object.overlay.delete_all();
                model.clear();
            }
            Operation::Commit if !is_open => {
                object.commit();
                durable = model.clone();
            }
            Operation::Reload { is_whole } if !is_open => {
                object.reload(if *is_whole { usize::MAX } else { 0 });
                durable = model.clone();
            }
            Operation::Reopen if !is_open => {
                object.reopen();
                durable = model.clone();
            }
            Operation::Crash { .. } | Operation::Full => {
                let became_durable = match operation {
                    Operation::Crash { after, keeps } => object.crash(u64::from(*after), *keeps, !is_open),
                    _ => object.fill(!is_open),
                };
                copies.clear();
                let found = object.list(ListOptions::default());
                let is_whole = found == listed(&model, ListOptions::default()) && !is_open;
                let is_old = found == listed(&durable, ListOptions::default());
                assert!(is_whole || (is_old && !became_durable), "{operation:?}: {found:?}, {durable:?} and {model:?}");
                if !is_whole {
                    model = durable.clone();
                }
                durable = model.clone();
            }
            _ => {}
        }
    }
    while object.overlay.depth() > 0 {
        object.overlay.keep();
    }
    object.reopen();
    assert_eq!(object.list(ListOptions::default()), listed(&model, ListOptions::default()));
}

/// What a list of the model gives.
fn listed(model: &Model, options: ListOptions<'_>) -> Vec<(String, u8)> {
    let is_in = |key: &str| {
        options.start.is_none_or(|start| key >= start)
            && options.end.is_none_or(|end| key < end)
            && options.prefix.is_none_or(|prefix| key.starts_with(prefix))
    };
    let mut entries: Vec<(String, u8)> =
        model.iter().filter(|(key, _)| is_in(key)).map(|(key, value)| ((*key).to_owned(), *value)).collect();
    if options.reverse {
        entries.reverse();
    }
    entries.truncate(options.limit.unwrap_or(u64::MAX) as usize);
    entries
}

struct Object {
    disk: FaultyDisk,
    store: Store,
    overlay: Overlay,
    number: ObjectNumber,
    size: ObjectSize,
    life: LifeId,
    is_recorded: bool,
}

fn open(disk: &FaultyDisk) -> Store {
    let options = StoreOptions {
        cache_bytes: 1 << 20,
        namespace_key: Some([7; 32]),
        created_ms: Some(1),
        committing: Committing::ByHand,
        // A checkpoint comes with every other commit.
        log_bytes_max: 2_048,
        ..StoreOptions::default()
    };
    Store::open_disk(disk.clone(), options).expect("the store opens")
}

impl Object {
    fn new() -> Object {
        let disk = FaultyDisk::new();
        let store = open(&disk);
        let Loaded { number, content, size, .. } = store.load(CLASS, &ID, 0).expect("it loads");
        let life = store.new_life();
        Object { disk, store, overlay: Overlay::new(content), number, size, life, is_recorded: false }
    }

    fn get(&mut self, key: &str) -> Option<Bytes> {
        if let Answer::Known(value) = self.overlay.get(key) {
            return value;
        }
        let value = self.store.get(self.number, key).expect("it reads");
        self.overlay.learn(key, value.clone());
        value
    }

    fn list(&self, options: ListOptions<'_>) -> Vec<(String, u8)> {
        let Some(range) = KeyRange::compile(options).expect("the options make sense") else { return Vec::new() };
        let entries = match self.overlay.list(&range) {
            Answer::Known(entries) => entries,
            Answer::Ask => {
                let mut listing = Listing::new(range);
                loop {
                    let page = self.store.list(self.number, listing.ask()).expect("it reads");
                    match self.overlay.merge_list(listing, page) {
                        ListStep::Done(entries) => break entries,
                        ListStep::More(next) => listing = next,
                    }
                }
            }
        };
        entries.into_iter().map(|(key, value): (Arc<str>, Bytes)| (key.to_string(), value[0])).collect()
    }

    fn commit(&mut self) {
        if let Some(number) = self.submit() {
            assert_eq!(self.store.progress().is_durable(number), Some(Ok(())));
            self.overlay.durable_up_to(number);
        }
    }

    /// Submits what is staged and commits it, as well as that goes.
    fn submit(&mut self) -> Option<CommitNumber> {
        let staged = self.overlay.take_staged()?;
        let mut set = WriteSet::new(self.number, self.life);
        (set.clear, set.writes, set.size) = (staged.clear, staged.writes, Some(self.size.clone()));
        if !std::mem::replace(&mut self.is_recorded, true) {
            let record = ObjectRecord { number: self.number, name: None, created_ms: 1, active_ms: 1 };
            set.record = Some((CLASS, ID, record));
        }
        let number = self.store.submit(set);
        self.overlay.submitted(number);
        if self.store.gather() {
            self.store.commit_gathered();
        }
        Some(number)
    }

    /// Whether what was staged had become durable for whoever asked, if it was submitted at all.
    fn crash(&mut self, after: u64, keeps: u64, is_submitted: bool) -> bool {
        self.disk.crash_at(self.disk.operations() + after % CRASH_OPERATIONS);
        let number = if is_submitted { self.submit() } else { None };
        let is_durable = number.is_some_and(|number| self.store.progress().is_durable(number) == Some(Ok(())));
        // Nothing of what is still to be dropped may reach the disk.
        self.disk.crash_at(0);
        let mut keeps = keeps;
        let kept = self.disk.after_crash(|| {
            keeps = keeps.rotate_left(1);
            keeps & 1 == 1
        });
        self.disk = kept;
        self.start();
        is_durable
    }

    fn fill(&mut self, is_submitted: bool) -> bool {
        self.disk.fill_once();
        let number = if is_submitted { self.submit() } else { None };
        self.disk.set_full(false);
        let is_durable = number.is_some_and(|number| self.store.progress().is_durable(number) == Some(Ok(())));
        self.store.close();
        self.start();
        is_durable
    }

    /// The first life in a store that is opened again.
    fn start(&mut self) {
        self.store = open(&self.disk);
        self.life = self.store.new_life();
        let loaded = self.store.load(CLASS, &ID, 0).expect("it loads");
        self.is_recorded = loaded.record.is_some();
        (self.number, self.size) = (loaded.number, loaded.size);
        self.overlay = Overlay::new(loaded.content);
    }

    fn reload(&mut self, content_bytes_max: usize) {
        self.commit();
        self.store.end_life(self.life);
        self.life = self.store.new_life();
        let loaded = self.store.load(CLASS, &ID, content_bytes_max).expect("it loads");
        assert_eq!(loaded.record.is_some(), self.is_recorded);
        (self.number, self.size) = (loaded.number, loaded.size);
        self.overlay = Overlay::new(loaded.content);
    }

    fn reopen(&mut self) {
        self.commit();
        self.store.close();
        let was_recorded = self.is_recorded;
        self.start();
        assert_eq!(self.is_recorded, was_recorded);
    }
}
