//! The store from outside: commits, failures, crashes, and the overlay against a model.

mod alarms;
mod by_hand;
mod commits;
mod crash;
mod damage;
mod failures;
mod log;
mod migrations;
mod model;
mod opening;
mod size;
mod stalled;
mod sweep;

use std::sync::Arc;

use bytes::Bytes;
use dohost_storage::{
    ClassNumber, CommitError, CommitNumber, Content, LifeId, Loaded, ObjectNumber, ObjectRecord, Progress, Store,
    StoreOptions, WriteSet, faulty::FaultyDisk,
};

/// The class that most tests use, without registering it.
const CLASS: ClassNumber = ClassNumber(1);

/// Content of any size.
const WHOLE: usize = usize::MAX;

fn options() -> StoreOptions {
    StoreOptions {
        cache_bytes: 1024 * 1024,
        namespace_key: Some([7; 32]),
        created_ms: Some(1_000),
        ..StoreOptions::default()
    }
}

/// With a log that two commits fill, so that a checkpoint is always about.
fn small_log() -> StoreOptions {
    StoreOptions { log_bytes_max: 2_048, ..options() }
}

fn open(disk: &FaultyDisk) -> Store {
    Store::open_disk(disk.clone(), options()).expect("the store opens")
}

/// Waits for the outcome of a commit the way an executor does.
fn outcome(progress: &Progress, number: CommitNumber) -> Result<(), CommitError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        tokio::select! {
            () = progress.drive() => unreachable!("a driver never ends"),
            outcome = progress.durable(number) => outcome,
        }
    })
}

fn commit(store: &Store, set: WriteSet) -> Result<(), CommitError> {
    let number = store.submit(set);
    outcome(&store.progress(), number)
}

fn id(number: u8) -> [u8; 32] {
    [number; 32]
}

fn text(value: &str) -> Option<Bytes> {
    Some(Bytes::copy_from_slice(value.as_bytes()))
}

fn record(number: ObjectNumber) -> ObjectRecord {
    ObjectRecord { number, name: Some("a name".into()), created_ms: 5, active_ms: 6 }
}

/// A write set with these values.
fn puts(object: ObjectNumber, life: LifeId, entries: &[(&str, &str)]) -> WriteSet {
    let mut set = WriteSet::new(object, life);
    set.writes = entries.iter().map(|(key, value)| (Arc::from(*key), text(value))).collect();
    set
}

/// Loads an object and gives it a record if it has none, durably.
fn object(store: &Store, number: u8) -> (ObjectNumber, LifeId) {
    let loaded = store.load(CLASS, &id(number), WHOLE).unwrap();
    let life = store.new_life();
    if loaded.record.is_none() {
        let mut set = WriteSet::new(loaded.number, life);
        set.record = Some((CLASS, id(number), record(loaded.number)));
        commit(store, set).unwrap();
    }
    (loaded.number, life)
}

fn content(loaded: &Loaded) -> Vec<(&str, &str)> {
    match &loaded.content {
        Content::Whole(entries) => {
            entries.iter().map(|(key, value)| (&**key, std::str::from_utf8(value).unwrap())).collect()
        }
        Content::Partial => panic!("the content is not whole"),
    }
}

fn faulty_store() -> (FaultyDisk, Store) {
    let disk = FaultyDisk::new();
    let store = open(&disk);
    (disk, store)
}
