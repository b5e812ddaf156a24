//! Files: new, reopened, locked, foreign, of another version.

use std::fs;

use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{FORMAT_VERSION, Key, OpenError, Store, StoreError};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::{CLASS, WHOLE, commit, content, faulty_store, id, object, open, options, puts, record};

const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");

#[test]
fn what_was_committed_is_there_after_a_clean_close() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    let (number, unique_key) = {
        let store = Store::open(&path, options()).unwrap();
        let (number, life) = object(&store, 1);
        commit(&store, puts(number, life, &[("b", "2"), ("a", "1")])).unwrap();
        let class = store.class("Room").unwrap();
        store.close();
        store.close();
        (number, class.unique_key)
    };
    let store = Store::open(&path, options()).unwrap();
    let loaded = store.load(CLASS, &id(1), WHOLE).unwrap();
    assert_eq!(loaded.number, number);
    assert_eq!(loaded.record, Some(record(number)));
    assert_eq!(content(&loaded), [("a", "1"), ("b", "2")]);
    assert_eq!(store.class("Room").unwrap().unique_key, unique_key);
    assert_eq!(unique_key, format!("{}:Room", "07".repeat(32)));
    assert_eq!((store.namespace_key(), store.created_ms()), ([7; 32], 1_000));
}

#[test]
fn a_new_data_directory_has_its_own_namespace_key() {
    let keys: Vec<_> = (0..2)
        .map(|_| {
            let directory = tempfile::tempdir().unwrap();
            Store::open(directory.path(), Default::default()).unwrap().namespace_key()
        })
        .collect();
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_second_store_in_the_same_directory_is_refused_until_the_first_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), options()).unwrap();
    let refused = Store::open(directory.path(), options()).err().unwrap();
    assert!(matches!(refused, OpenError::InUse), "{refused:?}");
    assert_eq!(refused.to_string(), "open the store: another process has it open");
    store.close();
    Store::open(directory.path(), options()).unwrap();
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(directory.path(), options()).unwrap());
    let file = directory.path().join("store.redb");
    {
        let database = Database::open(&file).unwrap();
        let transaction = database.begin_write().unwrap();
        let value = [&(FORMAT_VERSION + 1).to_be_bytes()[..], b"whatever comes then"].concat();
        let mut rows = transaction.open_table(ROWS).unwrap();
        rows.insert(&Key::Format.encode()[..], &value[..]).unwrap();
        rows.remove(&Key::NextObject.encode()[..]).unwrap();
        drop(rows);
        transaction.commit().unwrap();
    }
    let refused = Store::open(directory.path(), options()).err().unwrap();
    assert!(matches!(refused, OpenError::NewerFormat { found: 6, supported: FORMAT_VERSION }), "{refused:?}");
    assert!(refused.help().contains("newer version"));
}

#[test]
fn a_store_of_format_3_is_brought_to_this_one_and_keeps_what_it_has() {
    let (disk, store) = faulty_store();
    let (number, life) = object(&store, 1);
    commit(&store, puts(number, life, &[("k", "v")])).unwrap();
    store.close();
    let format = |disk: &FaultyDisk, write: Option<u32>| {
        let database = redb::Builder::new().create_with_backend(disk.open_redb()).unwrap();
        let rows = TableDefinition::<&[u8], &[u8]>::new("rows");
        let key = Key::Format.encode();
        let transaction = database.begin_write().unwrap();
        let mut version = 0;
        {
            let mut rows = transaction.open_table(rows).unwrap();
            let mut value = rows.get(&key[..]).unwrap().unwrap().value().to_vec();
            version = version.max(u32::from_be_bytes(value[..4].try_into().unwrap()));
            if let Some(version) = write {
                value[..4].copy_from_slice(&version.to_be_bytes());
                rows.insert(&key[..], &value[..]).unwrap();
            }
        }
        transaction.commit().unwrap();
        version
    };
    assert_eq!(format(&disk, Some(3)), FORMAT_VERSION);
    let store = open(&disk);
    let loaded = store.load(CLASS, &id(1), WHOLE).unwrap();
    assert_eq!(content(&loaded), [("k", "v")]);
    assert_eq!(loaded.alarms, []);
    store.close();
    assert_eq!(format(&disk, None), FORMAT_VERSION);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.redb");
    let text = "a text that somebody keeps here\n".repeat(1_000);
    fs::write(&file, &text).unwrap();
    let refused = Store::open(directory.path(), options()).err().unwrap();
    assert!(matches!(refused, OpenError::NotAStore { .. }), "{refused:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.redb");
    {
        let database = Database::create(&file).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap().insert(1, 2).unwrap();
        transaction.commit().unwrap();
    }
    let refused = Store::open(directory.path(), options()).err().unwrap();
    assert!(matches!(refused, OpenError::NotAStore { .. }), "{refused:?}");
    let database = Database::open(&file).unwrap();
    assert_eq!(database.begin_read().unwrap().list_tables().unwrap().count(), 1);
}

#[test]
fn a_file_with_a_damaged_header_is_refused_without_a_panic() {
    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(directory.path(), options()).unwrap());
    let file = directory.path().join("store.redb");
    let mut bytes = fs::read(&file).unwrap();
    bytes[9..320].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    let refused = Store::open(directory.path(), options()).err().unwrap();
    assert!(matches!(refused, OpenError::Damaged { .. } | OpenError::NotAStore { .. }), "{refused:?}");
}

#[cfg(unix)]
#[test]
fn the_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    drop(Store::open(directory.path(), options()).unwrap());
    let mode = fs::metadata(directory.path().join("store.redb")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}

#[test]
fn every_reason_not_to_open_says_what_to_do() {
    let reasons = [
        OpenError::InUse,
        OpenError::NewerFormat { found: 2, supported: 1 },
        OpenError::NotAStore { detail: "x".into() },
        OpenError::Damaged { detail: "x".into() },
        OpenError::PermissionDenied,
        OpenError::ReadOnly,
        OpenError::NoSpace,
        OpenError::Io(std::io::Error::other("x")),
    ];
    for reason in reasons {
        assert!(reason.to_string().starts_with("open the store: "), "{reason}");
        assert!(reason.help().ends_with('.'), "{reason}");
    }
}

#[test]
fn classes_keep_their_number_and_are_told_apart() {
    let (disk, store) = faulty_store();
    let room = store.class("Room").unwrap();
    let chat = store.class("Chat").unwrap();
    assert_ne!(room.number, chat.number);
    assert_eq!(store.class("Room").unwrap(), room);
    store.close();
    assert!(matches!(store.class("Other"), Err(StoreError::Commit(_))));
    let store = open(&disk);
    assert_eq!(store.class("Chat").unwrap(), chat);
    let third = store.class("Third").unwrap();
    assert!(third.number > room.number && third.number > chat.number);
}

#[test]
fn a_full_disk_is_told_apart_when_making_and_when_repairing_a_store() {
    let disk = FaultyDisk::new();
    disk.set_full(true);
    let refused = Store::open_disk(disk.clone(), options()).err().unwrap();
    assert!(matches!(refused, OpenError::NoSpace), "{refused:?}");
    disk.set_full(false);
    let store = open(&disk);
    object(&store, 1);

    let after_crash = disk.after_crash(|| false);
    after_crash.set_full(true);
    let refused = Store::open_disk(after_crash.clone(), options()).err().unwrap();
    assert!(matches!(refused, OpenError::NoSpace), "{refused:?}");
    after_crash.set_full(false);
    let store = open(&after_crash);
    assert!(store.load(CLASS, &id(1), WHOLE).unwrap().record.is_some());
}
