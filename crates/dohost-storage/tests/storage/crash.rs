//! A crash at every operation on the disk.
//!
//! A fixed run of commits is cut short at operation 0, 1, 2 … until it gets through. After each cut the disk is looked
//! at three times: with nothing kept of what was not synced, with everything, and with a random choice of sectors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{CommitNumber, Content, ObjectNumber, Store, StoreOptions, WriteSet};

use crate::{CLASS, WHOLE, commit, id, open, options, record, small_log};

/// Objects of the run.
const OBJECTS: u8 = 4;

/// Rounds of the run; each commits once for each object.
const ROUNDS: u64 = 12;

/// What the run knows of one object.
#[derive(Default)]
struct Known {
    number: Option<ObjectNumber>,
    acknowledged: u64,
    submitted: u64,
}

#[derive(Default)]
struct Run {
    objects: BTreeMap<u8, Known>,
    acknowledged_class: Option<dohost_storage::Class>,
    numbers_given: BTreeSet<ObjectNumber>,
}

/// One write set: three keys with one value, now and then after a clear, and a large value that needs new pages.
fn round_set(store: &Store, object: u8, known: &mut Known, round: u64) -> Option<WriteSet> {
    let life = store.new_life();
    let (number, is_new) = match known.number {
        Some(number) => (number, false),
        None => (store.load(CLASS, &id(object), WHOLE).ok()?.number, true),
    };
    known.number = Some(number);
    let mut set = WriteSet::new(number, life);
    set.clear = round % 4 == 3;
    set.record = is_new.then(|| (CLASS, id(object), record(number)));
    let value = Bytes::from(round.to_string());
    set.writes = ["a", "b", "c"].iter().map(|key| (Arc::from(*key), Some(value.clone()))).collect();
    let filler = vec![round as u8; if round % 5 == 2 { 20_000 } else { 100 }];
    set.writes.push((Arc::from(format!("filler{}", round % 3)), Some(Bytes::from(filler))));
    known.submitted = round;
    Some(set)
}

/// Runs until the end or the crash.
fn run(disk: &FaultyDisk, options: StoreOptions) -> Run {
    let mut run = Run::default();
    let Ok(store) = Store::open_disk(disk.clone(), options) else {
        return run;
    };
    let progress = store.progress();
    run.acknowledged_class = store.class("Room").ok();
    for round in 1..=ROUNDS {
        let mut submitted: Vec<(u8, CommitNumber)> = Vec::new();
        for object in 0..OBJECTS {
            // One more object every other round: records and their numbers come all along the run.
            if u64::from(object) * 2 >= round {
                continue;
            }
            let known = run.objects.entry(object).or_default();
            let Some(set) = round_set(&store, object, known, round) else {
                return run;
            };
            run.numbers_given.extend(known.number);
            submitted.push((object, store.submit(set)));
        }
        for (object, number) in submitted {
            if crate::outcome(&progress, number).is_err() {
                return run;
            }
            run.objects.get_mut(&object).unwrap().acknowledged = round;
        }
    }
    run
}

/// Checks what a crash left.
fn check(run: &Run, disk: &FaultyDisk) {
    let store = open(disk);
    let mut numbers_on_disk = BTreeSet::new();
    for (object, known) in &run.objects {
        let loaded = store.load(CLASS, &id(*object), WHOLE).unwrap();
        let Content::Whole(entries) = loaded.content else { panic!("everything was asked for") };
        let entries: BTreeMap<_, _> = entries.into_iter().collect();
        let value =
            |key: &str| entries.get(key).map_or(0, |value| std::str::from_utf8(value).unwrap().parse().unwrap());
        let round: u64 = value("a");
        assert_eq!([value("b"), value("c")], [round, round], "a write set is whole or not there");
        assert!(known.acknowledged <= round, "round {} was acknowledged, {round} is there", known.acknowledged);
        assert!(round <= known.submitted, "nothing comes from nowhere");
        if round > 0 {
            let filler = &entries[&*format!("filler{}", round % 3)];
            assert!(filler.iter().all(|byte| u64::from(*byte) == round), "the large value is of the same write set");
            assert_eq!(Some(loaded.number), known.number);
            numbers_on_disk.insert(loaded.number);
        } else {
            assert_eq!(loaded.record, None, "a record comes with its write set");
        }
    }
    let records = store.objects(CLASS, None, 100).unwrap();
    assert_eq!(records.iter().map(|(_, record)| record.number).collect::<BTreeSet<_>>(), numbers_on_disk);
    let fresh = store.load(CLASS, &[0xfe; 32], WHOLE).unwrap().number;
    assert!(numbers_on_disk.iter().all(|number| *number < fresh), "a number comes back: {fresh:?}");
    let class = store.class("Room").unwrap();
    if let Some(acknowledged) = &run.acknowledged_class {
        assert_eq!(class, *acknowledged);
    }
    assert_ne!(store.class("Other").unwrap().number, class.number);
    // And the store goes on.
    let mut set = WriteSet::new(fresh, store.new_life());
    set.record = Some((CLASS, [0xfe; 32], record(fresh)));
    commit(&store, set).unwrap();
}

/// A choice of sectors that is the same every time.
fn coin(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state & 0x100 != 0
    }
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged_and_tears_no_write_set() {
    crash_everywhere(options(), 30);
}

#[test]
fn so_it_is_while_checkpoints_are_made_all_the_time() {
    crash_everywhere(small_log(), 60);
}

/// The log and the checkpoints have a thread each, so what comes before a crash differs from time to time.
fn crash_everywhere(options: StoreOptions, crashes_min: u64) {
    let mut crashes = 0;
    for operation in 0.. {
        let disk = FaultyDisk::new();
        disk.crash_at(operation);
        let run = run(&disk, options);
        check(&run, &disk.after_crash(|| false));
        check(&run, &disk.after_crash(|| true));
        check(&run, &disk.after_crash(coin(operation)));
        if !disk.has_crashed() {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > crashes_min, "the run has only {crashes} operations");
}

#[test]
fn a_crash_while_the_store_repairs_itself_is_repaired_the_next_time() {
    let disk = FaultyDisk::new();
    disk.crash_at(100);
    let run = run(&disk, small_log());
    assert!(disk.has_crashed());
    for operation in 0.. {
        let second = disk.after_crash(coin(operation));
        second.crash_at(operation);
        drop(Store::open_disk(second.clone(), options()));
        check(&run, &second.after_crash(coin(operation + 1)));
        if !second.has_crashed() {
            break;
        }
    }
}
