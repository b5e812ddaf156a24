//! A full disk and a failing fsync, without a restart.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dohost_storage::{CommitError, StoreError};

use crate::{CLASS, WHOLE, commit, content, faulty_store, id, object, open, outcome, puts};

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
    assert_eq!(store.get(number, "k"), Err(StoreError::NoSpace), "reopening needs room");
    disk.set_full(false);
    commit(&store, puts(number, store.new_life(), &[("k2", "after")])).unwrap();
    assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), [("k", "before"), ("k2", "after")]);
}

#[test]
fn a_store_that_the_full_disk_closed_opens_again_for_those_who_only_read() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "before")])).unwrap();
    disk.set_full(true);
    commit(&store, puts(number, life, &[("k", "lost")])).unwrap_err();
    store.end_life(life);
    assert_eq!(store.get(number, "k"), Err(StoreError::NoSpace));
    // The end of the life is dealt with: the committer has nothing left that could make it look at the disk.
    std::thread::sleep(Duration::from_secs(1));
    disk.set_full(false);
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.get(number, "k") == Err(StoreError::NoSpace) {
        assert!(Instant::now() < deadline, "nobody opens the store");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::from("before")));
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
