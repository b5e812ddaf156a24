//! The overlay over the store against an ordered map, by property test.
//!
//! One enum of operations; the map is what the object would see if memory were the disk. A commit may be held up on
//! the disk while the operations after it go on, so that reads meet staged, in-flight and durable writes in every
//! mixture.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use dohost_storage::faulty::{FaultyDisk, HeldSyncs};
use dohost_storage::{
    Answer, CommitNumber, KeyRange, LifeId, ListOptions, ListStep, Listing, Loaded, ObjectNumber, ObjectSize, Overlay,
    Page, Progress, Store, WriteSet,
};
use proptest::prelude::*;

use crate::{CLASS, id, outcome, record, small_log};

#[derive(Clone, Debug)]
enum Operation {
    Put(String, u8),
    Delete(String),
    DeleteAll,
    Get(String),
    List {
        start: Start,
        end: Option<String>,
        prefix: Option<String>,
        reverse: bool,
        limit: Option<u64>,
        page: usize,
    },
    /// Submits what is staged; held up on the disk or not.
    Commit {
        held: bool,
    },
    /// Waits until everything submitted is durable.
    Settle,
    Trim(usize),
    /// Savepoints. What cannot be done under one is left out while one is open.
    Begin,
    Keep,
    Undo,
    /// Ends the life, once everything is durable, and loads the object again.
    Reload {
        content_bytes_max: usize,
    },
}

#[derive(Clone, Debug)]
enum Start {
    No,
    At(String),
    After(String),
}

/// Few and related keys, so that operations meet; some with bytes at the edges.
fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "a\0", "aa", "ab", "b", "b\u{7f}", "ba", "c", "é", "\u{ff}", "\u{10ffff}", "z"])
        .prop_map(str::to_owned)
}

fn operation() -> impl Strategy<Value = Operation> {
    let start = prop_oneof![
        2 => Just(Start::No),
        1 => key().prop_map(Start::At),
        1 => key().prop_map(Start::After),
    ];
    let list = (
        start,
        prop::option::weighted(0.3, key()),
        prop::option::weighted(0.3, key()),
        any::<bool>(),
        prop::option::of(1u64..6),
        1usize..5,
    )
        .prop_map(|(start, end, prefix, reverse, limit, page)| Operation::List {
            start,
            end,
            prefix,
            reverse,
            limit,
            page,
        });
    prop_oneof![
        8 => (key(), any::<u8>()).prop_map(|(key, value)| Operation::Put(key, value)),
        5 => key().prop_map(Operation::Delete),
        1 => Just(Operation::DeleteAll),
        6 => key().prop_map(Operation::Get),
        8 => list,
        4 => any::<bool>().prop_map(|held| Operation::Commit { held }),
        2 => Just(Operation::Settle),
        3 => prop_oneof![Just(0), 1usize..800].prop_map(Operation::Trim),
        3 => Just(Operation::Begin),
        1 => Just(Operation::Keep),
        2 => Just(Operation::Undo),
        1 => prop_oneof![Just(0), Just(6), Just(usize::MAX)]
            .prop_map(|content_bytes_max| Operation::Reload { content_bytes_max }),
    ]
}

/// One object as an executor runs it.
struct Object {
    disk: FaultyDisk,
    store: Store,
    progress: Progress,
    overlay: Overlay,
    number: ObjectNumber,
    size: ObjectSize,
    life: LifeId,
    is_recorded: bool,
    last_commit: Option<CommitNumber>,
    held: Option<HeldSyncs>,
}

impl Object {
    fn new() -> Object {
        let disk = FaultyDisk::new();
        let store = Store::open_disk(disk.clone(), small_log()).unwrap();
        let Loaded { number, content, size, .. } = store.load(CLASS, &id(1), 0).unwrap();
        let (progress, life) = (store.progress(), store.new_life());
        let overlay = Overlay::new(content);
        Object { disk, store, progress, overlay, number, size, life, is_recorded: false, last_commit: None, held: None }
    }

    fn get(&mut self, key: &str) -> Option<Bytes> {
        if let Answer::Known(value) = self.overlay.get(key) {
            return value;
        }
        let value = self.store.get(self.number, key).unwrap();
        self.overlay.learn(key, value);
        match self.overlay.get(key) {
            Answer::Known(value) => value,
            Answer::Ask => panic!("what was learned is known"),
        }
    }

    fn list(&self, options: ListOptions<'_>, page_len: usize) -> Vec<(Arc<str>, Bytes)> {
        let Some(range) = KeyRange::compile(options).unwrap() else {
            return Vec::new();
        };
        if let Answer::Known(entries) = self.overlay.list(&range) {
            return entries;
        }
        let mut listing = Listing::new(range);
        loop {
            let page = shorten(self.store.list(self.number, listing.ask()).unwrap(), page_len);
            match self.overlay.merge_list(listing, page) {
                ListStep::Done(entries) => return entries,
                ListStep::More(next) => listing = next,
            }
        }
    }

    fn commit(&mut self, held: bool) {
        let Some(staged) = self.overlay.take_staged() else {
            return;
        };
        if held && self.held.is_none() {
            self.held = Some(self.disk.hold_syncs());
        }
        let mut set = WriteSet::new(self.number, self.life);
        (set.clear, set.writes, set.size) = (staged.clear, staged.writes, Some(self.size.clone()));
        if !std::mem::replace(&mut self.is_recorded, true) {
            set.record = Some((CLASS, id(1), record(self.number)));
        }
        let number = self.store.submit(set);
        self.overlay.submitted(number);
        self.last_commit = Some(number);
    }

    fn settle(&mut self) {
        self.held = None;
        if let Some(number) = self.last_commit.take() {
            outcome(&self.progress, number).unwrap();
            self.overlay.durable_up_to(number);
        }
    }

    fn reload(&mut self, content_bytes_max: usize) {
        self.commit(false);
        self.settle();
        self.store.end_life(self.life);
        self.life = self.store.new_life();
        let loaded = self.store.load(CLASS, &id(1), content_bytes_max).unwrap();
        assert_eq!(loaded.record.is_some(), self.is_recorded);
        (self.number, self.size) = (loaded.number, loaded.size);
        self.overlay = Overlay::new(loaded.content);
    }
}

/// The store's page as if pages were `len` long.
fn shorten(mut page: Page, len: usize) -> Page {
    if page.entries.len() > len {
        page.entries.truncate(len);
        page.more = true;
    }
    page
}

/// What a list of the model gives, written down without a look at the code under test.
fn model_list(model: &BTreeMap<String, u8>, options: ListOptions<'_>) -> Vec<(String, u8)> {
    let lower = match (options.start, options.start_after) {
        (Some(start), _) => Bound::Included(start),
        (None, Some(start)) => Bound::Excluded(start),
        (None, None) => Bound::Unbounded,
    };
    let above = |key: &str| match lower {
        Bound::Included(start) => key >= start,
        Bound::Excluded(start) => key > start,
        Bound::Unbounded => true,
    };
    let matching = model
        .iter()
        .filter(|(key, _)| above(key) && options.end.is_none_or(|end| key.as_str() < end))
        .filter(|(key, _)| options.prefix.is_none_or(|prefix| key.starts_with(prefix)))
        .map(|(key, value)| (key.clone(), *value));
    let mut entries: Vec<_> = matching.collect();
    if options.reverse {
        entries.reverse();
    }
    entries.truncate(options.limit.unwrap_or(u64::MAX) as usize);
    entries
}

fn check(operations: Vec<Operation>) {
    let mut object = Object::new();
    let mut model: BTreeMap<String, u8> = BTreeMap::new();
    let mut copies = Vec::new();
    for operation in operations {
        let needs_no_savepoint =
            matches!(operation, Operation::DeleteAll | Operation::Commit { .. } | Operation::Reload { .. });
        if needs_no_savepoint && object.overlay.depth() > 0 {
            continue;
        }
        match &operation {
            Operation::Put(key, value) => {
                object.overlay.put(key, Bytes::from(vec![*value]));
                model.insert(key.clone(), *value);
            }
            Operation::Delete(key) => {
                object.overlay.delete(key);
                model.remove(key);
            }
            Operation::DeleteAll => {
                object.overlay.delete_all();
                model.clear();
            }
            Operation::Get(key) => {
                let expected = model.get(key).map(|value| Bytes::from(vec![*value]));
                assert_eq!(object.get(key), expected, "{operation:?}");
            }
            Operation::List { start, end, prefix, reverse, limit, page } => {
                let options = ListOptions {
                    start: if let Start::At(key) = start { Some(key) } else { None },
                    start_after: if let Start::After(key) = start { Some(key) } else { None },
                    end: end.as_deref(),
                    prefix: prefix.as_deref(),
                    reverse: *reverse,
                    limit: *limit,
                };
                let listed = object.list(options, *page);
                let listed: Vec<_> = listed.into_iter().map(|(key, value)| (key.to_string(), value[0])).collect();
                assert_eq!(listed, model_list(&model, options), "{operation:?}");
            }
            Operation::Commit { held } => object.commit(*held),
            Operation::Settle => object.settle(),
            Operation::Trim(bytes_max) => object.overlay.trim(*bytes_max),
            Operation::Begin => {
                object.overlay.begin();
                copies.push(model.clone());
            }
            Operation::Keep if copies.pop().is_some() => object.overlay.keep(),
            Operation::Undo if object.overlay.depth() > 0 => {
                object.overlay.undo();
                model = copies.pop().unwrap();
            }
            Operation::Keep | Operation::Undo => {}
            Operation::Reload { content_bytes_max } => object.reload(*content_bytes_max),
        }
        let bytes = model.keys().map(|key| key.len() as u64 + 1).sum();
        let bytes_max = object.overlay.size_max(&object.size);
        assert!(bytes_max >= bytes, "{bytes} bytes, and not more than {bytes_max}");
        let all_is_durable = object.last_commit.is_none() && !object.overlay.has_staged();
        assert!(!all_is_durable || bytes_max == bytes, "{bytes} bytes on disk, counted as {bytes_max}");
        let overlay_keys = object.overlay.bytes();
        assert!(overlay_keys > 0 || !object.overlay.has_staged() || model.is_empty());
    }
    while object.overlay.depth() > 0 {
        object.overlay.keep();
    }
    object.reload(0);
    let all = object.list(ListOptions::default(), 3);
    let all: Vec<_> = all.into_iter().map(|(key, value)| (key.to_string(), value[0])).collect();
    assert_eq!(all, model.into_iter().collect::<Vec<_>>(), "the store has what the object saw");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn an_object_reads_what_it_wrote_whatever_became_of_it(operations in prop::collection::vec(operation(), 1..80)) {
        check(operations);
    }
}
