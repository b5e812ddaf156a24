//! Large objects that delete everything.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{Committing, KeyRange, ObjectNumber, SWEEP_ROWS_MAX, Store, StoreOptions, WriteSet};

use redb::{ReadableDatabase, TableDefinition};

use crate::{CLASS, WHOLE, content, id, open, puts, small_log};

/// Rows of the large object: enough for three steps.
const ROWS: usize = 2 * SWEEP_ROWS_MAX + 100;

fn store_by_hand(disk: &FaultyDisk) -> Store {
    Store::open_disk(disk.clone(), StoreOptions { committing: Committing::ByHand, ..small_log() }).unwrap()
}

fn commit_by_hand(store: &Store, set: WriteSet) {
    let number = store.submit(set);
    while store.gather() {
        store.commit_gathered();
    }
    assert_eq!(store.progress().is_durable(number), Some(Ok(())));
}

/// Makes a large object and a neighbour on each side.
fn three_objects(store: &Store) -> ObjectNumber {
    let numbers = [1u8, 2, 3].map(|at| {
        let loaded = store.load(CLASS, &id(at), WHOLE).unwrap();
        let mut set = WriteSet::new(loaded.number, store.new_life());
        set.record = Some((CLASS, id(at), crate::record(loaded.number)));
        set.size = Some(loaded.size);
        let rows = if at == 2 { ROWS } else { 1 };
        set.writes = (0..rows).map(|row| (Arc::from(format!("key{row:06}")), Some(Bytes::from("value")))).collect();
        commit_by_hand(store, set);
        loaded.number
    });
    numbers[1]
}

/// The write set of an object that deleted everything.
fn forget(store: &Store) -> WriteSet {
    let loaded = store.load(CLASS, &id(2), 0).unwrap();
    let mut set = WriteSet::new(loaded.number, store.new_life());
    (set.clear, set.forget, set.size) = (true, Some((CLASS, id(2))), Some(loaded.size));
    set
}

/// How many rows are left under a number.
fn rows_left(store: &Store, number: ObjectNumber) -> usize {
    let mut range = KeyRange::all();
    let mut rows = 0;
    loop {
        let page = store.list(number, &range).unwrap();
        rows += page.entries.len();
        let Some((last, _)) = page.entries.last().filter(|_| page.more) else { return rows };
        let options = dohost_storage::ListOptions { start_after: Some(last), ..Default::default() };
        range = KeyRange::compile(options).unwrap().unwrap();
    }
}

/// Whether a closed store has notes of numbers to sweep.
fn has_notes(disk: &FaultyDisk) -> bool {
    let database = redb::Builder::new().create_with_backend(disk.open_redb()).unwrap();
    let rows = TableDefinition::<&[u8], &[u8]>::new("rows");
    let rows = database.begin_read().unwrap().open_table(rows).unwrap();
    rows.range::<&[u8]>(&[7][..]..&[8][..]).unwrap().next().is_some()
}

fn neighbours_are_there(store: &Store) {
    for at in [1, 3] {
        assert_eq!(content(&store.load(CLASS, &id(at), WHOLE).unwrap()), [("key000000", "value")]);
    }
}

#[test]
fn a_large_object_is_gone_at_once_and_its_rows_go_step_by_step() {
    let disk = FaultyDisk::new();
    let store = store_by_hand(&disk);
    let number = three_objects(&store);
    let set = forget(&store);
    let size = set.size.clone().unwrap();
    commit_by_hand(&store, set);
    let again = store.load(CLASS, &id(2), WHOLE).unwrap();
    assert!(again.record.is_none() && again.number > number && size.bytes() == 0);
    assert_eq!(rows_left(&store, number), ROWS, "the commit removed none of the rows");

    let (other, life) = (store.load(CLASS, &id(1), WHOLE).unwrap().number, store.new_life());
    for left in [ROWS - SWEEP_ROWS_MAX, ROWS - 2 * SWEEP_ROWS_MAX, 0, 0] {
        commit_by_hand(&store, puts(other, life, &[("key000000", "value")]));
        assert_eq!(rows_left(&store, number), left, "a commit takes one step");
    }
    neighbours_are_there(&store);
}

#[test]
fn what_was_not_swept_before_a_close_is_swept_after_it() {
    let disk = FaultyDisk::new();
    let store = store_by_hand(&disk);
    let number = three_objects(&store);
    commit_by_hand(&store, forget(&store));
    store.close();
    assert!(has_notes(&disk));
    let store = open(&disk);
    // With a thread the committer sweeps when it has nothing else to do.
    for _ in 0..1_000 {
        if rows_left(&store, number) == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(rows_left(&store, number), 0);
    neighbours_are_there(&store);
    store.close();
    assert!(!has_notes(&disk), "the note goes with the last row");
}

#[test]
fn a_crash_at_any_step_leaves_the_object_whole_or_gone_and_the_rest_is_swept() {
    let before = FaultyDisk::new();
    let store = store_by_hand(&before);
    let number = three_objects(&store);
    store.close();
    let mut crashes = 0;
    for operation in 0.. {
        let disk = before.after_crash(|| true);
        let store = store_by_hand(&disk);
        let set = forget(&store);
        disk.crash_at(disk.operations() + operation);
        let forgotten = store.submit(set);
        let mut is_acknowledged = false;
        let other = store.load(CLASS, &id(1), WHOLE).unwrap().number;
        for _ in 0..4 {
            while store.gather() {
                store.commit_gathered();
            }
            is_acknowledged |= store.progress().is_durable(forgotten) == Some(Ok(()));
            store.submit(puts(other, store.new_life(), &[("key000000", "value")]));
        }
        let has_crashed = disk.has_crashed();
        for keeps in [false, true] {
            let store = store_by_hand(&disk.after_crash(|| keeps));
            neighbours_are_there(&store);
            let is_gone = store.load(CLASS, &id(2), 0).unwrap().record.is_none();
            assert!(is_gone || !is_acknowledged);
            for _ in 0..4 {
                commit_by_hand(&store, puts(other, store.new_life(), &[("key000000", "value")]));
            }
            assert_eq!(rows_left(&store, number), if is_gone { 0 } else { ROWS });
            neighbours_are_there(&store);
        }
        if !has_crashed {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 10, "only {crashes} crashes");
}

#[test]
fn what_is_swept_after_a_later_object_is_swept_from_its_beginning() {
    let store = store_by_hand(&FaultyDisk::new());
    let numbers = [1u8, 2].map(|at| {
        let loaded = store.load(CLASS, &id(at), WHOLE).unwrap();
        let mut set = WriteSet::new(loaded.number, store.new_life());
        (set.record, set.size) = (Some((CLASS, id(at), crate::record(loaded.number))), Some(loaded.size));
        set.writes = (0..ROWS).map(|row| (Arc::from(format!("key{row:06}")), Some(Bytes::from("value")))).collect();
        commit_by_hand(&store, set);
        loaded.number
    });
    for at in [2, 1] {
        let loaded = store.load(CLASS, &id(at), 0).unwrap();
        let mut set = WriteSet::new(loaded.number, store.new_life());
        (set.clear, set.forget, set.size) = (true, Some((CLASS, id(at))), Some(loaded.size));
        commit_by_hand(&store, set);
    }
    let other = store.load(CLASS, &id(3), WHOLE).unwrap().number;
    for round in 0..8 {
        commit_by_hand(&store, puts(other, store.new_life(), &[("round", &round.to_string())]));
    }
    assert_eq!(numbers.map(|number| rows_left(&store, number)), [0, 0]);
}
