//! A full disk and a failing fsync, without a restart.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{CommitError, ObjectNumber, OpenError, Store, StoreError, StoreOptions};

use crate::{CLASS, WHOLE, commit, content, faulty_store, id, object, open, options, outcome, puts, small_log};

#[test]
fn after_a_full_disk_the_store_goes_on_and_the_life_does_not() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let (other, other_life) = object(&store, 2);
    commit(&store, puts(number, life, &[("k", "before")])).unwrap();
    disk.fill_once();
    let failed = commit(&store, puts(number, life, &[("k", "lost")])).unwrap_err();
    assert!(matches!(failed, CommitError::NoSpace { .. }), "{failed:?}");
    assert!(!failed.is_permanent());
    assert_eq!(commit(&store, puts(number, life, &[("k", "on top")])), Err(CommitError::EarlierFailed));
    commit(&store, puts(other, other_life, &[("k", "fine")])).unwrap();

    store.end_life(life);
    assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), [("k", "before")]);
    commit(&store, puts(number, store.new_life(), &[("k", "again")])).unwrap();
    store.close();
    let store = open(&disk);
    assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::from("again")));
    assert_eq!(store.get(other, "k").unwrap(), Some(Bytes::from("fine")));
}

#[test]
fn everything_in_a_failed_commit_fails_with_the_same_error() {
    let (disk, store) = faulty_store();
    let objects: Vec<_> = (0..3).map(|number| object(&store, number)).collect();
    let held = disk.hold_syncs();
    let first = store.submit(puts(objects[0].0, objects[0].1, &[("k", "1")]));
    held.wait_for_sync();
    let batch: Vec<_> =
        objects.iter().map(|(number, life)| store.submit(puts(*number, *life, &[("k", "2")]))).collect();
    disk.fill_once();
    drop(held);
    let progress = store.progress();
    outcome(&progress, first).unwrap();
    let errors: Vec<_> = batch.iter().map(|number| outcome(&progress, *number).unwrap_err()).collect();
    assert!(matches!(errors[0], CommitError::NoSpace { .. }));
    assert!(errors.iter().all(|error| *error == errors[0]), "{errors:?}");
}

#[test]
fn while_the_disk_stays_full_commits_fail_and_afterwards_they_succeed() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "before")])).unwrap();
    disk.set_full(true);
    for _ in 0..3 {
        let failed = commit(&store, puts(number, store.new_life(), &[("k", "lost")])).unwrap_err();
        assert!(matches!(failed, CommitError::NoSpace { .. }), "{failed:?}");
    }
    assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::from("before")), "who only reads needs no room");
    disk.set_full(false);
    commit(&store, puts(number, store.new_life(), &[("k2", "after")])).unwrap();
    assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), [("k", "before"), ("k2", "after")]);
}

/// Commits until the log is full and the file has no room for what is in it. The last value that was acknowledged.
fn fill_the_log(store: &Store, number: ObjectNumber) -> String {
    let mut last = None;
    for value in 0..100 {
        let (life, text) = (store.new_life(), value.to_string());
        match commit(store, puts(number, life, &[("k", &text)])) {
            Ok(()) => last = Some(text),
            Err(failed) => {
                assert!(matches!(failed, CommitError::NoSpace { .. }), "{failed:?}");
                return last.expect("the log takes some");
            }
        }
    }
    panic!("the log is never full");
}

/// Waits until the store can be read again.
fn read(store: &Store, number: ObjectNumber) -> Option<Bytes> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.get(number, "k") == Err(StoreError::NoSpace) {
        assert!(Instant::now() < deadline, "nobody opens the store");
        std::thread::sleep(Duration::from_millis(10));
    }
    store.get(number, "k").unwrap()
}

#[test]
fn a_checkpoint_that_finds_the_disk_full_loses_nothing_and_goes_on_when_there_is_room() {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), small_log()).unwrap();
    let (number, _) = object(&store, 1);
    disk.set_redb_full(true);
    let last = fill_the_log(&store, number);
    assert_eq!(store.get(number, "k"), Err(StoreError::NoSpace), "opening the file anew needs room");
    // Nobody commits, and it is opened all the same once there is room.
    std::thread::sleep(Duration::from_secs(1));
    disk.set_redb_full(false);
    assert_eq!(read(&store, number), Some(Bytes::from(last)));
    for value in 0..10 {
        commit(&store, puts(number, store.new_life(), &[("k", &format!("after {value}"))])).unwrap();
    }
    store.close();
    assert_eq!(open(&disk).get(number, "k").unwrap(), Some(Bytes::from("after 9")));
}

#[test]
fn a_large_commit_that_does_not_fit_fails_alone() {
    let disk = FaultyDisk::new();
    // Large enough that no checkpoint comes by itself.
    let log = StoreOptions { log_bytes_max: 16_384, ..options() };
    let store = Store::open_disk(disk.clone(), log).unwrap();
    let (number, life) = object(&store, 1);
    let (other, other_life) = object(&store, 2);
    commit(&store, puts(other, other_life, &[("k", "before")])).unwrap();
    disk.fill_once();
    let failed = commit(&store, puts(number, life, &[("k", &"x".repeat(10_000))])).unwrap_err();
    assert!(matches!(failed, CommitError::NoSpace { .. }), "{failed:?}");
    assert_eq!(store.get(number, "k").unwrap(), None);
    commit(&store, puts(other, other_life, &[("k", "after")])).unwrap();
    commit(&store, puts(number, store.new_life(), &[("k", &"y".repeat(10_000))])).unwrap();
    store.close();
    let store = open(&disk);
    assert_eq!(store.get(other, "k").unwrap(), Some(Bytes::from("after")));
    assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::from("y".repeat(10_000))));
}

#[test]
fn a_store_that_is_closed_while_the_disk_is_full_goes_on_from_its_log() {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), small_log()).unwrap();
    let (number, _) = object(&store, 1);
    disk.set_redb_full(true);
    let last = fill_the_log(&store, number);
    store.close();
    assert!(matches!(Store::open_disk(disk.clone(), options()), Err(OpenError::NoSpace)), "opening needs room");
    disk.set_redb_full(false);
    assert_eq!(open(&disk).get(number, "k").unwrap(), Some(Bytes::from(last)));
}

#[test]
fn a_checkpoint_that_fails_for_another_reason_is_final_and_loses_nothing() {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), small_log()).unwrap();
    let (number, _) = object(&store, 1);
    disk.fail_next_redb_sync(ErrorKind::Other);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut last = None;
    for value in 0.. {
        assert!(Instant::now() < deadline, "no checkpoint comes");
        let text = value.to_string();
        match commit(&store, puts(number, store.new_life(), &[("k", &text)])) {
            Ok(()) => last = Some(text),
            Err(failed) => {
                assert_eq!(failed.to_string(), "commit: an fsync failed (other error); check the disk, then restart");
                break;
            }
        }
    }
    let operations = disk.operations();
    store.close();
    assert_eq!(disk.operations(), operations, "nothing is written after the failure, not even by closing");
    let store = open(&disk.after_crash(|| false));
    assert_eq!(store.get(number, "k").unwrap(), last.map(Bytes::from));
}

#[test]
fn after_a_failed_fsync_nothing_more_is_written_and_nothing_acknowledged_is_lost() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "acknowledged")])).unwrap();
    disk.fail_next_sync(ErrorKind::Other);
    let failed = commit(&store, puts(number, life, &[("k", "lost")])).unwrap_err();
    assert!(failed.is_permanent());
    assert_eq!(failed.to_string(), "commit: an fsync failed (other error); check the disk, then restart");
    // The disk would say that a second fsync succeeds, and have nothing.
    store.end_life(life);
    let operations = disk.operations();
    for _ in 0..3 {
        assert_eq!(commit(&store, puts(number, store.new_life(), &[("k", "late")])), Err(failed.clone()));
    }
    assert!(store.class("New").is_err());
    // A read never shows what a failed commit wrote.
    match store.get(number, "k") {
        Ok(value) => assert_eq!(value, Some(Bytes::from("acknowledged"))),
        Err(error) => assert!(matches!(error, StoreError::Disk { .. }), "{error:?}"),
    }
    store.close();
    assert_eq!(disk.operations(), operations, "nothing is written after the failure, not even by closing");
    let store = open(&disk.after_crash(|| false));
    assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::from("acknowledged")));
}

#[test]
fn an_fsync_that_finds_the_disk_full_is_final_too() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    disk.fail_next_sync(ErrorKind::StorageFull);
    let failed = commit(&store, puts(number, life, &[("k", "1")])).unwrap_err();
    assert!(matches!(failed, CommitError::DiskFailed { .. }), "{failed:?}");
}

#[test]
fn a_write_that_fails_for_another_reason_is_final() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    disk.crash_at(disk.operations());
    let failed = commit(&store, puts(number, life, &[("k", "1")])).unwrap_err();
    assert!(matches!(failed, CommitError::DiskFailed { .. }), "{failed:?}");
}

#[test]
fn the_end_of_a_life_comes_after_what_it_submitted() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let (other, other_life) = object(&store, 2);
    let held = disk.hold_syncs();
    store.submit(puts(other, other_life, &[("k", "1")]));
    held.wait_for_sync();
    // The second batch fails, and with it this life; its end is queued behind it, and its next write set is not seen
    // until then.
    let failing = store.submit(puts(number, life, &[("k", "lost")]));
    disk.fill_once();
    drop(held);
    assert!(outcome(&store.progress(), failing).is_err());
    let held = disk.hold_syncs();
    store.submit(puts(other, store.new_life(), &[("k", "2")]));
    held.wait_for_sync();
    let on_top = store.submit(puts(number, life, &[("k", "on top")]));
    store.end_life(life);
    drop(held);
    assert_eq!(outcome(&store.progress(), on_top), Err(CommitError::EarlierFailed));
}
