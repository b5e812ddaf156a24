//! A store whose holder decides when commits happen.

use std::io;

use dohost_storage::{CommitError, Committing, Store, StoreOptions, faulty::FaultyDisk};

use crate::{CLASS, WHOLE, content, id, object, options, outcome, puts};

fn open(disk: &FaultyDisk) -> Store {
    let options = StoreOptions { committing: Committing::ByHand, ..options() };
    Store::open_disk(disk.clone(), options).expect("the store opens")
}

#[test]
fn nothing_is_committed_before_it_is_asked_for_and_what_comes_meanwhile_is_in_the_next_commit() {
    let disk = FaultyDisk::new();
    let (number, life) = object(&crate::open(&disk), 1);
    let store = open(&disk);
    let progress = store.progress();
    assert!(!store.gather(), "nothing is queued");
    let first = store.submit(puts(number, life, &[("a", "1")]));
    assert!(store.gather());
    let second = store.submit(puts(number, life, &[("a", "2")]));
    assert_eq!(progress.is_durable(first), None);
    assert!(store.gather(), "what was gathered is still to be committed");
    store.commit_gathered();
    assert_eq!([progress.is_durable(first), progress.is_durable(second)], [Some(Ok(())), None]);
    assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), [("a", "1")]);
    assert!(store.gather());
    store.commit_gathered();
    assert_eq!(progress.is_durable(second), Some(Ok(())));
}

#[test]
fn classes_and_closing_commit_by_themselves() {
    let disk = FaultyDisk::new();
    let (number, life) = object(&crate::open(&disk), 1);
    let store = open(&disk);
    let progress = store.progress();
    let numbers = ["1", "2", "3"].map(|value| {
        let number = store.submit(puts(number, life, &[("a", value)]));
        store.gather();
        number
    });
    let class = store.class("Room").unwrap();
    assert_eq!(numbers.map(|number| progress.is_durable(number)), [Some(Ok(())), Some(Ok(())), Some(Ok(()))]);
    let last = store.submit(puts(number, life, &[("a", "4")]));
    store.close();
    assert_eq!(progress.is_durable(last), Some(Ok(())));
    let late = store.submit(puts(number, life, &[("a", "5")]));
    assert_eq!(outcome(&progress, late), Err(CommitError::Closed));
    let store = open(&disk);
    assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), [("a", "4")]);
    assert_eq!(store.class("Room").unwrap(), class);
}

#[test]
fn a_failed_commit_by_hand_is_told_like_any_other() {
    let disk = FaultyDisk::new();
    let (number, life) = object(&crate::open(&disk), 1);
    let store = open(&disk);
    let progress = store.progress();
    let lost = store.submit(puts(number, life, &[("a", "1")]));
    disk.fail_next_sync(io::ErrorKind::Other);
    assert!(store.gather());
    store.commit_gathered();
    assert!(matches!(progress.is_durable(lost), Some(Err(CommitError::DiskFailed { .. }))));
}
