//! The size of an object, counted without a scan.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use dohost_storage::{
    CommitNumber, Key, LifeId, Loaded, ObjectNumber, ObjectRecord, ObjectSize, Progress, SIZE_ROW_BYTES_MIN, Store,
    WriteSet,
};
use proptest::prelude::*;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::{CLASS, WHOLE, commit, faulty_store, id, object, open, options, outcome, puts, record};

const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");

fn load(store: &Store, number: u8, content_bytes_max: usize) -> Loaded {
    store.load(CLASS, &id(number), content_bytes_max).unwrap()
}

fn size_of(store: &Store, number: u8) -> u64 {
    load(store, number, 0).size.bytes()
}

/// A write set of one key, with the size.
fn put(object: ObjectNumber, life: LifeId, size: &ObjectSize, key: &str, len: usize) -> WriteSet {
    let mut set = WriteSet::new(object, life);
    set.writes.push((Arc::from(key), Some(Bytes::from(vec![1; len]))));
    set.size = Some(size.clone());
    set
}

/// The row of an object's size in a store that is closed.
fn size_row(directory: &Path, object: ObjectNumber) -> Option<Vec<u8>> {
    let database = Database::open(directory.join("store.redb")).unwrap();
    let rows = database.begin_read().unwrap().open_table(ROWS).unwrap();
    rows.get(&Key::Size { object }.encode()[..]).unwrap().map(|row| row.value().to_vec())
}

#[test]
fn an_object_has_a_row_for_its_size_only_while_it_is_large() {
    let directory = tempfile::tempdir().unwrap();
    let large = SIZE_ROW_BYTES_MIN as usize;
    let rows = [("k", large - 1, false), ("k", large, true), ("l", 9, true), ("k", 0, false)];
    for (round, (key, len, has_row)) in rows.into_iter().enumerate() {
        let store = Store::open(directory.path(), options()).unwrap();
        let (number, life) = object(&store, 1);
        let size = load(&store, 1, WHOLE).size;
        commit(&store, put(number, life, &size, key, len)).unwrap();
        let bytes = size.bytes();
        store.close();
        let row = size_row(directory.path(), number);
        assert_eq!(row.is_some(), has_row, "round {round}");
        assert!(row.is_none_or(|row| row == bytes.to_be_bytes()));
        let store = Store::open(directory.path(), options()).unwrap();
        assert_eq!(size_of(&store, 1), bytes);
    }
}

#[test]
fn the_row_of_a_size_is_no_key_of_the_object() {
    let (_disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let (next, next_life) = object(&store, 2);
    commit(&store, puts(next, next_life, &[("neighbour", "1")])).unwrap();
    let size = load(&store, 1, WHOLE).size;
    commit(&store, put(number, life, &size, "k", 100_000)).unwrap();
    let entries = crate::content(&load(&store, 2, WHOLE)).len();
    assert_eq!(entries, 1);
    let page = store.list(number, &dohost_storage::KeyRange::all()).unwrap();
    assert_eq!(page.entries.iter().map(|(key, _)| &**key).collect::<Vec<_>>(), ["k"]);
    let mut clear = WriteSet::new(number, life);
    (clear.clear, clear.size) = (true, Some(size.clone()));
    commit(&store, clear).unwrap();
    assert_eq!((size.bytes(), size_of(&store, 1)), (0, 0));
    assert_eq!(size_of(&store, 2), 10);
}

#[test]
fn a_size_is_that_of_the_last_durable_commit() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let size = load(&store, 1, WHOLE).size;
    let progress = store.progress();
    let held = disk.hold_syncs();
    let first = store.submit(put(number, life, &size, "k", 10));
    held.wait_for_sync();
    // Two of one object in one transaction.
    store.submit(put(number, life, &size, "k", 20));
    let last = store.submit(put(number, life, &size, "k2", 30));
    assert_eq!(size.bytes(), 0);
    drop(held);
    outcome(&progress, first).unwrap();
    outcome(&progress, last).unwrap();
    assert_eq!(size.bytes(), 1 + 20 + 2 + 30);

    disk.fill_once();
    commit(&store, put(number, life, &size, "k", 1_000)).unwrap_err();
    commit(&store, put(number, life, &size, "k", 2_000)).unwrap_err();
    assert_eq!(size.bytes(), 53, "what failed does not count");
    assert_eq!(size_of(&store, 1), 53);
    commit(&store, put(number, store.new_life(), &size, "k", 2)).unwrap();
    assert_eq!(size.bytes(), 35, "nor later");
}

#[test]
fn a_store_of_format_1_is_brought_to_this_one_and_its_large_objects_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), options()).unwrap();
    let (number, life) = object(&store, 1);
    // Without a size: the way format 1 was written.
    commit(&store, puts(number, life, &[("k", &"x".repeat(100_000)), ("l", "1")])).unwrap();
    store.close();
    let version = |change: Option<u32>| {
        let database = Database::open(directory.path().join("store.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        let found = {
            let mut rows = transaction.open_table(ROWS).unwrap();
            let found = rows.get(&Key::Format.encode()[..]).unwrap().unwrap().value().to_vec();
            if let Some(version) = change {
                let value = [&version.to_be_bytes()[..], &found[4..]].concat();
                rows.insert(&Key::Format.encode()[..], &value[..]).unwrap();
                // Records had no time of the last write before format 3.
                let record = [&number.0.to_be_bytes()[..], &5u64.to_be_bytes(), b"\x01a name"].concat();
                let key = Key::Object { class: CLASS, id: id(1) }.encode();
                rows.insert(&key[..], &record[..]).unwrap();
            }
            found
        };
        transaction.commit().unwrap();
        found
    };
    version(Some(1));
    assert_eq!(size_row(directory.path(), number), None);

    let store = Store::open(directory.path(), options()).unwrap();
    let loaded = load(&store, 1, 64 * 1024);
    assert_eq!(loaded.record, Some(ObjectRecord { active_ms: 5, ..record(number) }));
    let size = loaded.size;
    assert_eq!((size.bytes(), store.created_ms()), (100_003, 1_000));
    commit(&store, put(number, store.new_life(), &size, "l", 2)).unwrap();
    store.close();
    assert_eq!(version(None), [&dohost_storage::FORMAT_VERSION.to_be_bytes()[..], &1_000u64.to_be_bytes()].concat());
    assert_eq!(size_row(directory.path(), number), Some(100_004u64.to_be_bytes().to_vec()));
}

#[test]
fn a_write_set_without_a_size_leaves_no_row_that_is_wrong() {
    let (_disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let size = load(&store, 1, WHOLE).size;
    commit(&store, put(number, life, &size, "k", 100_000)).unwrap();
    commit(&store, puts(number, store.new_life(), &[("l", "1")])).unwrap();
    assert_eq!(size_of(&store, 1), 100_003);
}

#[derive(Clone, Debug)]
enum Operation {
    Put {
        object: usize,
        key: u8,
        len: usize,
    },
    Delete {
        object: usize,
        key: u8,
    },
    Clear {
        object: usize,
    },
    /// The commit of what follows finds the disk full, which resets everything that is not durable.
    Fail,
    /// Waits for everything, checks the sizes and loads the objects again.
    Reload {
        content_bytes_max: usize,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let len = prop_oneof![3 => 0usize..200, 2 => 20_000usize..50_000, 1 => 60_000usize..70_000];
    prop_oneof![
        8 => (0..2usize, 0u8..4, len).prop_map(|(object, key, len)| Operation::Put { object, key, len }),
        4 => (0..2usize, 0u8..4).prop_map(|(object, key)| Operation::Delete { object, key }),
        1 => (0..2usize).prop_map(|object| Operation::Clear { object }),
        1 => Just(Operation::Fail),
        3 => prop::sample::select(vec![0, 100, 65_536, 200_000])
            .prop_map(|content_bytes_max| Operation::Reload { content_bytes_max }),
    ]
}

struct Object {
    number: ObjectNumber,
    life: LifeId,
    size: ObjectSize,
    /// Lengths of the values by key: durable, and with what was submitted since.
    durable: BTreeMap<u8, usize>,
    now: BTreeMap<u8, usize>,
    last: Option<CommitNumber>,
}

impl Object {
    fn new(store: &Store, at: usize) -> Object {
        let (number, life) = object(store, at as u8);
        let size = load(store, at as u8, 0).size;
        Object { number, life, size, durable: BTreeMap::new(), now: BTreeMap::new(), last: None }
    }

    fn submit(&mut self, store: &Store, key: Option<u8>, len: Option<usize>) {
        let mut set = WriteSet::new(self.number, self.life);
        set.size = Some(self.size.clone());
        match (key, len) {
            (None, _) => {
                self.now.clear();
                set.clear = true;
            }
            (Some(key), Some(len)) => drop(self.now.insert(key, len)),
            (Some(key), None) => drop(self.now.remove(&key)),
        }
        set.writes.extend(key.map(|key| {
            let name = "k".repeat(1 + usize::from(key));
            (Arc::from(name), len.map(|len| Bytes::from(vec![key; len])))
        }));
        self.last = Some(store.submit(set));
    }

    /// Whether everything that was submitted is durable.
    fn is_durable(&mut self, progress: &Progress) -> bool {
        self.last.take().is_none_or(|last| outcome(progress, last).is_ok())
    }

    fn reload(&mut self, store: &Store, is_durable: bool, at: usize, content_bytes_max: usize) {
        match is_durable {
            true => self.durable = self.now.clone(),
            // What was submitted before the failure may have been durable before it: the store says.
            false => {
                let entries = load(store, at as u8, WHOLE).content;
                let dohost_storage::Content::Whole(entries) = entries else { panic!("everything was asked for") };
                self.durable = entries.iter().map(|(key, value)| (key.len() as u8 - 1, value.len())).collect();
            }
        }
        self.now = self.durable.clone();
        let bytes: usize = self.durable.iter().map(|(key, len)| 1 + usize::from(*key) + len).sum();
        assert_eq!(self.size.bytes(), bytes as u64, "the size of the life that ends");
        store.end_life(self.life);
        self.life = store.new_life();
        self.size = load(store, at as u8, content_bytes_max).size;
        assert_eq!(self.size.bytes(), bytes as u64, "the size that is loaded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_size_is_the_sum_of_keys_and_values(operations in prop::collection::vec(operation(), 1..60)) {
        let (disk, store) = faulty_store();
        let progress = store.progress();
        let mut objects = [Object::new(&store, 0), Object::new(&store, 1)];
        let reload = |objects: &mut [Object], content_bytes_max| {
            let are_durable: Vec<_> = objects.iter_mut().map(|object| object.is_durable(&progress)).collect();
            // A second failure may have come while the store was opened anew; the next commit tries again.
            disk.set_full(false);
            store.class("Room").unwrap();
            for (at, object) in objects.iter_mut().enumerate() {
                object.reload(&store, are_durable[at], at, content_bytes_max);
            }
        };
        for operation in operations {
            match operation {
                Operation::Put { object, key, len } => objects[object].submit(&store, Some(key), Some(len)),
                Operation::Delete { object, key } => objects[object].submit(&store, Some(key), None),
                Operation::Clear { object } => objects[object].submit(&store, None, None),
                Operation::Fail => disk.fill_once(),
                Operation::Reload { content_bytes_max } => reload(&mut objects, content_bytes_max),
            }
        }
        reload(&mut objects, 0);
        store.close();
        let store = open(&disk);
        for (at, object) in objects.iter().enumerate() {
            assert_eq!(size_of(&store, at as u8), object.size.bytes());
            assert_eq!(load(&store, at as u8, 0).record, Some(record(object.number)));
        }
    }
}
