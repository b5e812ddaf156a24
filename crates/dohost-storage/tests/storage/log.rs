//! The log in front of the file: what it takes, what a start makes of it, and what is told of one that is not as it was
//! left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{CommitError, Committing, KeyRange, ListOptions, ObjectNumber, OpenError, Store, StoreOptions};

use crate::{CLASS, WHOLE, commit, content, faulty_store, id, object, open, options, outcome, puts, small_log};

/// Sectors of a file that begin with a record.
fn records(file: &[u8]) -> Vec<usize> {
    (0..file.len()).step_by(512).filter(|at| file[*at..].starts_with(b"dohostL1")).collect()
}

fn value(disk: &FaultyDisk, number: ObjectNumber) -> Option<Bytes> {
    open(&disk.after_crash(|| false)).get(number, "k").unwrap()
}

/// A store that was not closed, with these values in one key, one commit each.
fn not_closed(values: &[&str]) -> ([Vec<u8>; 3], ObjectNumber) {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    for value in values {
        commit(&store, puts(number, life, &[("k", value)])).unwrap();
    }
    (disk.after_crash(|| false).files(), number)
}

fn refusal(files: [Vec<u8>; 3]) -> OpenError {
    Store::open_disk(FaultyDisk::with_files(files), options()).err().expect("it is refused")
}

#[test]
fn a_commit_is_one_write_and_one_sync() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let (operations, syncs) = (disk.operations(), disk.syncs());
    for _ in 0..10 {
        commit(&store, puts(number, life, &[("k", "v")])).unwrap();
    }
    assert_eq!((disk.operations() - operations, disk.syncs() - syncs), (20, 10));
}

#[test]
fn what_was_committed_since_the_last_checkpoint_comes_back_after_a_crash_and_again_after_the_next() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let mut disk = disk.after_crash(|| false);
    drop(store);
    for round in 0..5 {
        let store = open(&disk);
        assert_eq!(store.get(number, "k").unwrap().is_some(), round > 0);
        for value in ["a", "b", "c"] {
            commit(&store, puts(number, life, &[("k", &format!("{round}{value}"))])).unwrap();
        }
        let crashed = disk.after_crash(|| false);
        store.close();
        disk = crashed;
        assert_eq!(value(&disk, number), Some(Bytes::from(format!("{round}c"))));
    }
}

#[test]
fn after_a_clean_close_the_file_has_everything() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "v")])).unwrap();
    store.close();
    let [redb, ..] = disk.files();
    assert_eq!(value(&FaultyDisk::with_content(redb), number), Some(Bytes::from("v")));
    let logs = || {
        let [_, log0, log1] = disk.files();
        [log0, log1]
    };
    let left = logs();
    for _ in 0..2 {
        let store = open(&disk);
        assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::from("v")));
        store.close();
        assert!(logs() == left, "a start without commits changes the log");
    }
}

#[test]
fn a_commit_that_cannot_be_read_is_noticed_if_a_later_one_can_be() {
    let (files, _) = not_closed(&["1", "2", "3"]);
    let log = files.iter().skip(1).position(|file| !records(file).is_empty()).expect("one was written") + 1;
    let all = records(&files[log]);
    assert_eq!(all.len(), 4);
    for record in &all[..3] {
        for byte in [0, 9, 25, 40, 50, 57, 70] {
            let mut files = files.clone();
            files[log][record + byte] ^= 0x10;
            let refused = refusal(files);
            assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
            let refused = refused.to_string();
            assert!(refused.contains("store.log1: ") && refused.contains("cannot be read"), "{refused}");
        }
    }
}

#[test]
fn a_commit_that_was_cut_short_was_never_acknowledged() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "kept")])).unwrap();
    let held = disk.hold_syncs();
    let long = "x".repeat(2_000);
    store.submit(puts(number, life, &[("k", &long)]));
    held.wait_for_sync();
    // Whatever of its sectors are there: all or nothing of it.
    for kept in 0..32u32 {
        let mut sectors = 0;
        let crashed = disk.after_crash(|| {
            sectors += 1;
            kept >> (sectors - 1) & 1 == 1
        });
        let expected = if kept == 31 { long.clone() } else { "kept".into() };
        assert_eq!(sectors, 5);
        assert_eq!(value(&crashed, number), Some(Bytes::from(expected)), "sectors {kept:b}");
    }
}

#[test]
fn a_log_that_goes_with_another_file_is_refused() {
    let (older, number) = not_closed(&["1"]);
    // The file was put back, and the log was not.
    let disk = FaultyDisk::with_files(older.clone());
    let store = Store::open_disk(disk.clone(), small_log()).unwrap();
    for value in 0..20 {
        commit(&store, puts(number, store.new_life(), &[("k", &value.to_string())])).unwrap();
    }
    let [_, log0, log1] = disk.after_crash(|| false).files();
    let refused = refusal([older[0].clone(), log0.clone(), log1.clone()]);
    assert!(
        matches!(&refused, OpenError::Apart { detail } if detail.contains("it goes on after generation")),
        "{refused}"
    );

    let other = StoreOptions { namespace_key: Some([8; 32]), ..options() };
    let disk = FaultyDisk::new();
    Store::open_disk(disk.clone(), other).unwrap().close();
    let [redb, ..] = disk.files();
    let refused = refusal([redb, log0, log1]);
    assert!(matches!(&refused, OpenError::Apart { detail } if detail.contains("another store")), "{refused}");
    assert!(refused.help().contains("remove all three"));
}

#[test]
fn a_commit_that_is_large_for_the_log_does_not_go_through_it() {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), small_log()).unwrap();
    let (number, life) = object(&store, 1);
    let large = "x".repeat(100_000);
    for value in [&large, "small"].into_iter().cycle().take(20) {
        commit(&store, puts(number, life, &[("k", value)])).unwrap();
        assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::copy_from_slice(value.as_bytes())));
        assert_eq!(self::value(&disk, number), Some(Bytes::copy_from_slice(value.as_bytes())), "it is durable");
    }
    let [_, log0, log1] = disk.files();
    assert!(log0.len() < 10_000 && log1.len() < 10_000, "{} and {} bytes", log0.len(), log1.len());
}

#[test]
fn a_reader_finds_everything_while_a_checkpoint_is_under_way() {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), StoreOptions { log_bytes_max: 8_192, ..options() }).unwrap();
    let (number, life) = object(&store, 1);
    let keys: Vec<String> = (0..40).map(|key| format!("{key:02}")).collect();
    // Some rows are in the file, some are on their way, some are removed again.
    for key in &keys {
        commit(&store, puts(number, life, &[(key, "old")])).unwrap();
    }
    for (at, key) in keys.iter().enumerate() {
        let mut set = puts(number, life, &[(key, "new")]);
        if at % 3 == 0 {
            set.writes[0].1 = None;
        }
        commit(&store, set).unwrap();
        let expected = |other: usize| match other <= at {
            true => (!other.is_multiple_of(3)).then_some("new"),
            false => Some("old"),
        };
        let expected: Vec<_> = (0..40).filter_map(|at| Some((keys[at].as_str(), expected(at)?))).collect();
        assert_eq!(content(&store.load(CLASS, &id(1), WHOLE).unwrap()), expected);
        let descending = ListOptions { reverse: true, ..ListOptions::default() };
        let page = store.list(number, &KeyRange::compile(descending).unwrap().unwrap()).unwrap();
        let listed: Vec<_> = page.entries.iter().rev().map(|(key, value)| (&**key, value.clone())).collect();
        assert!(
            listed.iter().map(|(key, value)| (*key, &value[..])).eq(expected.iter().map(|(k, v)| (*k, v.as_bytes())))
        );
    }
    let all: Vec<Arc<str>> = keys.iter().map(|key| Arc::from(key.as_str())).collect();
    let found = store.get_many(number, &all).unwrap();
    assert!(found.iter().enumerate().all(|(at, (_, value))| value.is_some() == (at % 3 != 0)));
}

/// The disk is full, but the file can be opened: a large commit is refused, and small ones go to the log.
#[test]
fn commits_after_a_large_one_that_found_no_room_are_kept() {
    let large = "x".repeat(100_000);
    for is_closed in [false, true] {
        let disk = FaultyDisk::new();
        let store = Store::open_disk(disk.clone(), small_log()).unwrap();
        let (number, life) = object(&store, 1);
        // The log is empty after it.
        commit(&store, puts(number, life, &[("k", &large)])).unwrap();
        disk.set_redb_pages_full(true);
        let failed = commit(&store, puts(number, life, &[("k", &large)])).unwrap_err();
        assert!(matches!(failed, CommitError::NoSpace { .. }), "{failed:?}");
        for value in ["1", "2"] {
            commit(&store, puts(number, store.new_life(), &[("k", value)])).unwrap();
        }
        if is_closed {
            store.close();
        }
        assert_eq!(value(&disk, number), Some(Bytes::from("2")), "closed: {is_closed}");
    }
}

/// The same where the commit was large because much was committed together: each by itself finds room in the log.
#[test]
fn what_was_committed_along_with_large_write_sets_that_found_no_room_is_kept() {
    let disk = FaultyDisk::new();
    let writers = {
        let store = open(&disk);
        let writers: Vec<_> = (1..=8).map(|nth| object(&store, nth).0).collect();
        store.close();
        writers
    };
    let store = Store::open_disk(disk.clone(), StoreOptions { committing: Committing::ByHand, ..options() }).unwrap();
    let large = "x".repeat(1 << 20);
    let value_of = |nth: usize| if nth.is_multiple_of(4) { "small" } else { &large };
    disk.set_redb_pages_full(true);
    let submit =
        |(nth, number): (usize, &ObjectNumber)| store.submit(puts(*number, store.new_life(), &[("k", value_of(nth))]));
    let numbers: Vec<_> = writers.iter().enumerate().map(submit).collect();
    assert!(store.gather());
    store.commit_gathered();
    assert!(!store.gather(), "they were one commit");
    for (nth, (writer, number)) in writers.iter().zip(numbers).enumerate() {
        assert_eq!(outcome(&store.progress(), number), Ok(()), "{nth}");
        assert_eq!(value(&disk, *writer).as_deref(), Some(value_of(nth).as_bytes()), "{nth}");
    }
}

#[test]
fn what_a_guest_stores_is_never_taken_for_a_record() {
    let header = |id: u8| {
        let mut header = b"dohostL1".to_vec();
        header.extend([id; 16]);
        header.extend([0xff; 24]);
        header.extend([0; 4]);
        let seed = twox_hash::XxHash3_64::oneshot(&header);
        header.extend(twox_hash::XxHash3_64::oneshot_with_seed(seed, b"").to_be_bytes());
        header
    };
    // Wherever the value comes to lie, one of them is at the beginning of a sector.
    let mut hostile = vec![0; 513 * 513];
    for (at, place) in hostile.chunks_exact_mut(513).enumerate() {
        place[..60].copy_from_slice(&header(at as u8));
    }
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let mut set = puts(number, life, &[("k", "")]);
    set.writes.push((Arc::from("hostile"), Some(Bytes::from(hostile))));
    commit(&store, set).unwrap();
    // In the log of the last session, and in what a later one left of it.
    for round in ["1", "2", "3"] {
        let store = open(&disk.after_crash(|| false));
        assert_eq!(store.get(number, "k").unwrap(), Some(Bytes::new()), "{round}");
    }
    store.close();
    for round in ["1", "2", "3"] {
        let store = open(&disk);
        commit(&store, puts(number, life, &[("k", round)])).unwrap();
        assert_eq!(value(&disk, number), Some(Bytes::from(round)));
        store.close();
    }
}

#[test]
fn a_log_that_lost_its_beginning_or_is_gone_is_missed() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "before")])).unwrap();
    store.close();
    let store = open(&disk);
    for value in ["1", "2"] {
        commit(&store, puts(number, life, &[("k", value)])).unwrap();
    }
    let crashed = disk.after_crash(|| false);
    let mut files = crashed.files();
    files[1][..512].fill(0);
    let refused = refusal(files);
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
    for number in [0, 1] {
        let crashed = disk.after_crash(|| false);
        crashed.remove_log(number);
        let refused = Store::open_disk(crashed, options()).err().expect("it is refused");
        assert!(refused.to_string().contains(&format!("store.log{number} is missing")), "{refused}");
    }
    assert_eq!(value(&disk, number), Some(Bytes::from("2")));
}

#[test]
fn readers_on_other_threads_see_each_commit_whole_and_none_taken_back() {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), StoreOptions { log_bytes_max: 8_192, ..options() }).unwrap();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("a", "0"), ("b", "0")])).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !is_done.load(Ordering::Relaxed) {
                    let loaded = store.load(CLASS, &id(1), WHOLE).unwrap();
                    let [("a", a), ("b", b)] = content(&loaded)[..] else { panic!("{loaded:?}") };
                    assert_eq!(a, b);
                    let found: u64 = a.parse().unwrap();
                    assert!(found >= last, "{found} after {last}");
                    last = found;
                }
            });
        }
        for count in 1..=2_000 {
            let count = count.to_string();
            commit(&store, puts(number, life, &[("a", &count), ("b", &count)])).unwrap();
            assert_eq!(store.get(number, "a").unwrap(), Some(Bytes::from(count)));
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

/// The file cannot take a checkpoint, so both files of the log count.
#[test]
fn a_generation_that_lost_its_last_commits_is_missed_by_the_next_one() {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), small_log()).unwrap();
    let (number, _) = object(&store, 1);
    disk.set_redb_pages_full(true);
    for value in ["1", "2", "3"] {
        commit(&store, puts(number, store.new_life(), &[("k", value)])).unwrap();
    }
    let crashed = disk.after_crash(|| false);
    let mut files = crashed.files();
    assert_eq!(value(&crashed, number), Some(Bytes::from("3")));
    let [first, second] = [records(&files[2]), records(&files[1])];
    assert_eq!((first.len(), second.len()), (2, 2), "generation 1 is in store.log1");
    files[2][first[1] + 50] ^= 1;
    let refused = refusal(files).to_string();
    assert!(refused.contains("store.log1: it has 1 of the 2 commits of its generation"), "{refused}");
}

#[test]
fn a_large_commit_that_the_file_has_lost_is_missed_by_the_log() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    let [before, ..] = disk.after_crash(|| false).files();
    let large = "x".repeat(5 << 20);
    for value in [&large, "small"] {
        commit(&store, puts(number, life, &[("k", value)])).unwrap();
    }
    let [_, log0, log1] = disk.after_crash(|| false).files();
    let refused = refusal([before, log0, log1]).to_string();
    assert!(refused.contains("it has 1 of the 2 commits of its generation"), "{refused}");
}
