//! Files that somebody changed while they were closed: flipped bits, lost pages, pages in the wrong place, a lost end.
//!
//! Whatever was done to the file, the store opens or says what is wrong, and every use of it returns: no panic comes
//! out, nothing hangs. A file that is verified when it is opened never gives a wrong value.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;
use dohost_storage::{
    Content, KeyRange, ListStep, Listing, OpenError, Overlay, Store, StoreError, StoreOptions, WriteSet,
    faulty::FaultyDisk,
};

use crate::{CLASS, WHOLE, commit, id, object, options};

/// Objects that are loaded whole, and one that is not.
const SMALL_OBJECTS: u8 = 30;
const LARGE_OBJECT: u8 = 200;
const LARGE_KEYS: usize = 1_500;

/// The unit in which the file is laid out.
const PAGE_BYTES: usize = 4_096;

fn value(object: u8, key: usize, len: usize) -> Bytes {
    Bytes::from(vec![object ^ key as u8; len])
}

/// A store with small and large objects and values, closed.
fn closed_store() -> Vec<u8> {
    let disk = FaultyDisk::new();
    let store = Store::open_disk(disk.clone(), options()).unwrap();
    store.class("Room").unwrap();
    let entry = |object, key, len| (Arc::from(format!("key{key:05}")), Some(value(object, key, len)));
    for at in 0..SMALL_OBJECTS {
        let (number, life) = object(&store, at);
        let mut set = WriteSet::new(number, life);
        set.writes = (0..20).map(|key| entry(at, key, 50)).collect();
        commit(&store, set).unwrap();
    }
    let (number, life) = object(&store, LARGE_OBJECT);
    let mut set = WriteSet::new(number, life);
    set.size = Some(store.load(CLASS, &id(LARGE_OBJECT), 0).unwrap().size);
    set.writes = (0..LARGE_KEYS).map(|key| entry(LARGE_OBJECT, key, 100)).collect();
    set.writes.push((Arc::from("large"), Some(value(LARGE_OBJECT, 9, 300_000))));
    commit(&store, set).unwrap();
    store.close();
    let [bytes, ..] = disk.files();
    bytes
}

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Damages one of the pages that hold something, in the way of this round, and says how.
fn damage(content: &mut Vec<u8>, round: usize, random: &mut Random) -> String {
    let is_used = |page: &usize| content[page * PAGE_BYTES..][..PAGE_BYTES].iter().any(|byte| *byte != 0);
    let used: Vec<usize> = (0..content.len() / PAGE_BYTES).filter(is_used).collect();
    let page = used[random.below(used.len())];
    let start = page * PAGE_BYTES;
    let bytes = start..start + PAGE_BYTES;
    match round % 6 {
        0 | 1 => {
            // The beginning of a page says what is where in it.
            let at = start + random.below(if round.is_multiple_of(6) { PAGE_BYTES } else { 64 });
            content[at] ^= 1 << random.below(8);
            format!("flipped a bit of byte {at}")
        }
        2 => {
            content[bytes].fill(0);
            format!("zeroed page {page}")
        }
        3 => {
            let len = start + random.below(PAGE_BYTES);
            content.truncate(len);
            format!("cut to {len} bytes")
        }
        4 => {
            content[bytes].fill_with(|| random.below(256) as u8);
            format!("filled page {page} with noise")
        }
        _ => {
            let from = used[random.below(used.len())];
            content.copy_within(from * PAGE_BYTES..(from + 1) * PAGE_BYTES, start);
            format!("copied page {from} over page {page}")
        }
    }
}

/// What a reader saw.
#[derive(Debug, Default)]
struct Seen {
    is_refused: bool,
    failed: usize,
    wrong: usize,
}

/// Opens the store and does everything with it.
fn use_store(content: Vec<u8>, options: StoreOptions) -> Seen {
    let mut seen = Seen::default();
    let store = match Store::open_disk(FaultyDisk::with_content(content), options) {
        Ok(store) => store,
        Err(refused) => {
            assert!(!refused.help().is_empty());
            seen.is_refused = true;
            return seen;
        }
    };
    let mut note = |read: Result<bool, StoreError>| match read {
        Ok(true) => {}
        Ok(false) => seen.wrong += 1,
        Err(_) => seen.failed += 1,
    };
    (0..SMALL_OBJECTS).for_each(|at| note(small_object_is_right(&store, at)));
    note(large_object_is_right(&store));
    note(store.objects(CLASS, None, 1_000).map(|objects| objects.len() == usize::from(SMALL_OBJECTS) + 1));
    for at in (0..SMALL_OBJECTS).chain([LARGE_OBJECT]) {
        note(change(&store, at, false));
    }
    note(change(&store, 3, true));
    let class = store.class("New");
    note(class.map(|_| true));
    store.close();
    seen
}

fn small_object_is_right(store: &Store, at: u8) -> Result<bool, StoreError> {
    let Content::Whole(entries) = store.load(CLASS, &id(at), WHOLE)?.content else { return Ok(false) };
    let is_right = |(key, (_, found)): (usize, &(Arc<str>, Bytes))| *found == value(at, key, 50);
    Ok(entries.len() == 20 && entries.iter().enumerate().all(is_right))
}

fn large_object_is_right(store: &Store) -> Result<bool, StoreError> {
    let loaded = store.load(CLASS, &id(LARGE_OBJECT), 0)?;
    let overlay = Overlay::new(Content::Partial);
    let mut listing = Listing::new(KeyRange::all());
    // A list of a damaged store may go in a circle; the store gives each page all the same.
    for _ in 0..100 {
        let page = store.list(loaded.number, listing.ask())?;
        match overlay.merge_list(listing, page) {
            ListStep::More(next) => listing = next,
            ListStep::Done(entries) => {
                let numbered = entries.iter().take(LARGE_KEYS).enumerate();
                let are_right = numbered.into_iter().all(|(key, (_, found))| *found == value(LARGE_OBJECT, key, 100));
                let large = store.get(loaded.number, "large")? == Some(value(LARGE_OBJECT, 9, 300_000));
                return Ok(are_right && large && entries.len() == LARGE_KEYS + 1);
            }
        }
    }
    Ok(false)
}

fn change(store: &Store, at: u8, clear: bool) -> Result<bool, StoreError> {
    let loaded = store.load(CLASS, &id(at), 0)?;
    let mut set = WriteSet::new(loaded.number, store.new_life());
    (set.clear, set.size) = (clear, Some(loaded.size));
    set.writes = vec![
        (Arc::from("key00005"), Some(value(at, 1, 60))),
        (Arc::from("key00006"), None),
        (Arc::from("new"), Some(value(at, 1, 500))),
    ];
    commit(store, set)?;
    Ok(true)
}

/// Damages a store so many times, and gives what was seen each time.
fn rounds(count: usize, options: StoreOptions) -> Vec<(String, Seen)> {
    let (content, mut random) = (closed_store(), Random(1));
    let seen = use_store(content.clone(), options);
    assert!(!seen.is_refused && seen.failed + seen.wrong == 0, "without damage: {seen:?}");
    let round = |round| {
        let mut damaged = content.clone();
        let what = damage(&mut damaged, round, &mut random);
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(use_store(damaged, options)));
        // A panic drops the sender, so it is told apart from patience that ran out.
        match receiver.recv_timeout(Duration::from_secs(120)) {
            Ok(seen) => (what, seen),
            Err(error) => panic!("a store with {what}: {error}"),
        }
    };
    (0..count).map(round).collect()
}

#[test]
fn a_damaged_file_is_refused_when_it_is_opened_or_has_lost_nothing() {
    let rounds = rounds(120, options());
    for (what, seen) in &rounds {
        assert!(seen.is_refused || seen.failed + seen.wrong == 0, "{what}: {seen:?}");
    }
    assert!(rounds.iter().filter(|(_, seen)| seen.is_refused).count() > 50, "the damage did none");
}

#[test]
fn a_damaged_file_that_was_not_verified_brings_errors_and_no_panic() {
    let rounds = rounds(120, StoreOptions { verify_bytes_max: 0, ..options() });
    assert!(rounds.iter().any(|(_, seen)| seen.failed > 0), "no damage was met");
}

#[test]
fn an_error_of_a_damaged_file_says_what_to_do() {
    let mut content = closed_store();
    content.truncate(100_000);
    let refused = Store::open_disk(FaultyDisk::with_content(content), options()).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
    assert!(refused.help().contains("backup"));
    let error = StoreError::Damaged { detail: "x".into() }.to_string();
    assert!(error.contains("store.redb is damaged (x)") && error.contains("backup"), "{error}");
}
