//! Migrations of classes: what they do, what they refuse, and a crash at every operation on either disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{
    Alarm, AlarmWrite, AlarmWrites, Class, ClassNumber, CommitError, Committing, Migration, MigrationError, OpenError,
    Step, Store, StoreError, StoreOptions, Totals, WriteSet, migration,
};

use crate::{WHOLE, content, id, open, options, record};

fn migration(tag: &str, steps: Vec<Step>) -> Migration {
    Migration { tag: tag.into(), steps }
}

fn new(class: &str) -> Step {
    Step::New { class: class.into() }
}

fn renamed(from: &str, to: &str) -> Step {
    Step::Renamed { from: from.into(), to: to.into() }
}

fn deleted(class: &str) -> Step {
    Step::Deleted { class: class.into() }
}

fn transferred(from: &str, to: &str) -> Step {
    Step::Transferred { from: from.into(), from_data_dir: "elsewhere".into(), to: to.into() }
}

/// Gives an object of a class these rows.
fn write(store: &Store, class: &Class, object: u8, rows: usize, value: &str) {
    let loaded = store.load(class.number, &id(object), WHOLE).unwrap();
    let mut set = WriteSet::new(loaded.number, store.new_life());
    if loaded.record.is_none() {
        set.record = Some((class.number, id(object), record(loaded.number)));
    }
    set.size = Some(loaded.size);
    let value = Bytes::copy_from_slice(value.as_bytes());
    let alarm = Alarm { scheduled_ms: u64::from(object), stamp: 1, schedule: None };
    let writes = vec![(Arc::from("alarm"), AlarmWrite::Set(alarm))];
    set.alarms = Some(Box::new(AlarmWrites { class: class.number, id: id(object), writes }));
    set.writes = (0..rows).map(|row| (Arc::from(format!("key{row:05}")), Some(value.clone()))).collect();
    store.commit(set).unwrap();
}

fn class_names(store: &Store) -> Vec<String> {
    store.classes().unwrap().into_iter().map(|stored| stored.name).collect()
}

fn no_other(_: &Path) -> Result<Store, OpenError> {
    panic!("no other data directory is needed")
}

/// What an object holds: rows and the value of the first one.
fn holds(store: &Store, class: &Class, object: u8) -> (usize, String) {
    let loaded = store.load(class.number, &id(object), WHOLE).unwrap();
    let content = content(&loaded);
    (content.len(), content.first().map_or(String::new(), |(_, value)| (*value).to_owned()))
}

#[test]
fn each_migration_is_applied_once_and_noted() {
    let disk = FaultyDisk::new();
    let store = open(&disk);
    let list = [migration("v1", vec![new("A"), new("B")]), migration("v2", vec![renamed("A", "C"), deleted("B")])];
    assert_eq!(store.plan_migrations(&list).unwrap().pending.len(), 2);
    assert_eq!(store.migrate(&list[..1], false).unwrap(), ["v1"]);
    assert_eq!(class_names(&store), ["A", "B"]);
    assert_eq!(store.migrate(&list, false).unwrap(), ["v2"], "a class without objects may always be deleted");
    assert_eq!(class_names(&store), ["C"]);
    store.close();
    let store = open(&disk);
    assert!(store.migrate(&list, false).unwrap().is_empty());
    assert!(store.plan_migrations(&list).unwrap().is_empty());
    let applied = store.applied_migrations().unwrap();
    assert_eq!(applied.iter().map(|applied| applied.migration.clone()).collect::<Vec<_>>(), list);
    assert!(applied.iter().all(|applied| applied.applied_ms > 1_600_000_000_000 && applied.sources_are_cleared));
}

#[test]
fn a_renamed_class_keeps_its_objects_and_its_old_name_gets_other_ids() {
    let store = open(&FaultyDisk::new());
    let class = store.class("Old").unwrap();
    write(&store, &class, 1, 3, "kept");
    store.migrate(&[migration("v1", vec![renamed("Old", "New")])], false).unwrap();
    assert_eq!(store.class("New").unwrap(), class, "number and unique key stay");
    assert_eq!(holds(&store, &class, 1), (3, "kept".into()));
    let again = store.class("Old").unwrap();
    assert_ne!(again.number, class.number);
    assert_ne!(again.unique_key, class.unique_key);
}

#[test]
fn a_deleted_class_is_gone_at_once_and_its_rows_are_swept() {
    let disk = FaultyDisk::new();
    let store = open(&disk);
    let [other, class] = ["Other", "Old"].map(|name| store.class(name).unwrap());
    for object in 1..=20 {
        write(&store, &class, object, 700, "a value of some length");
        write(&store, &other, object, 1, "neighbour");
    }
    let list = [migration("v1", vec![deleted("Old")])];
    let expected = Totals { objects: 20, bytes: 20 * 700 * (8 + 22) };
    let refused = store.migrate(&list, false).unwrap_err();
    assert_eq!(refused, MigrationError::WouldDelete { what: format!("Old ({expected})") });
    assert_eq!(
        store.plan_migrations(&list).unwrap().to_string(),
        format!("migration v1 deletes the class Old with {expected}\n")
    );
    assert_eq!(holds(&store, &class, 1).0, 700, "a refusal touches nothing");
    store.close();
    // Without a thread nothing is swept before the store is opened again.
    let by_hand = StoreOptions { committing: Committing::ByHand, ..options() };
    let store = Store::open_disk(disk.clone(), by_hand).unwrap();
    store.migrate(&list, true).unwrap();
    assert_eq!(class_names(&store), ["Other"]);
    assert!(store.object_count(class.number).unwrap() > 0);
    store.close();
    let store = open(&disk);
    let again = store.class("Old").unwrap();
    assert_ne!(again.number, class.number, "a number comes back only when nothing is left under it");
    assert_eq!(store.object_count(again.number).unwrap(), 0);
    assert_eq!(objects_left(&store, 20), 20);
    assert_eq!(store.totals(class.number).unwrap(), Totals::default());
    assert_eq!(store.totals(other.number).unwrap(), Totals { objects: 20, bytes: 20 * 17 });
    assert_eq!(rows_in(&disk, &store), 20, "nothing is left but the neighbours' rows");
}

/// Objects of all classes, reachable or not, once there are so few or some time has passed.
fn objects_left(store: &Store, expected: u64) -> u64 {
    let count = || (0..100).map(|class| store.object_count(ClassNumber(class)).unwrap()).sum::<u64>();
    for _ in 0..500 {
        if count() == expected {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    count()
}

/// Rows of objects in the file, whoever they belong to.
fn rows_in(disk: &FaultyDisk, store: &Store) -> usize {
    use redb::ReadableDatabase;
    store.close();
    let database = redb::Builder::new().create_with_backend(disk.open_redb()).unwrap();
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("rows");
    let rows = database.begin_read().unwrap().open_table(table).unwrap();
    let count = |tag: u8| rows.range::<&[u8]>(&[tag][..]..&[tag + 1][..]).unwrap().count();
    assert_eq!([count(0x20), count(0x21)], [count(0x04); 2], "each object has an alarm, and each alarm its place");
    count(0x10)
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let store = open(&FaultyDisk::new());
    let [a, b] = ["A", "B"].map(|name| store.class(name).unwrap());
    write(&store, &a, 1, 1, "a");
    write(&store, &b, 1, 1, "b");
    let first = migration("v1", vec![new("C")]);
    store.migrate(std::slice::from_ref(&first), false).unwrap();
    let before = class_names(&store);
    let text = |steps| store.migrate(&[first.clone(), migration("v2", steps)], true).unwrap_err().to_string();
    assert_eq!(text(vec![new("D"), new("A")]), "the migration v2 makes the class A new, but there is one of that name");
    assert_eq!(text(vec![renamed("A", "B")]), "the migration v2 gives A the name B, but a class B has objects");
    assert!(text(vec![deleted("X")]).contains("about the class X, and there is none"));
    assert!(text(vec![deleted("A"), renamed("A", "X")]).contains("about the class A"));
    let refused = |list: &[Migration]| store.migrate(list, true).unwrap_err();
    let changed = [migration("v1", vec![new("C"), new("D")])];
    assert!(matches!(refused(&changed), MigrationError::Changed { .. }));
    let out_of_order = [migration("v0", vec![new("D")]), first.clone()];
    assert!(matches!(refused(&out_of_order), MigrationError::OutOfOrder { .. }));
    assert!(matches!(refused(&[first.clone(), first.clone()]), MigrationError::DuplicateTag { .. }));
    assert!(matches!(refused(&[migration("", vec![])]), MigrationError::BadTag { .. }));
    assert_eq!(class_names(&store), before);
    assert_eq!(store.applied_migrations().unwrap().len(), 1);
    store.migrate(&[first, migration("v2", vec![renamed("A", "C")])], false).expect("C has no objects");
    assert_eq!(store.class("C").unwrap(), a);
}

#[test]
fn a_new_data_directory_goes_through_the_whole_history() {
    let list = [migration("v1", vec![renamed("A", "B"), deleted("Gone")]), migration("v2", vec![renamed("B", "C")])];
    let planned = migration::plan_new(&list).unwrap().to_string();
    assert_eq!(planned.lines().next(), Some("migration v1 registers the class B"));
    let store = open(&FaultyDisk::new());
    store.migrate(&list, false).unwrap();
    assert_eq!(class_names(&store), ["C"]);
}

#[test]
fn a_crash_at_any_operation_leaves_a_migration_applied_or_not() {
    let before = FaultyDisk::new();
    let store = open(&before);
    let [a, b] = ["A", "B"].map(|name| store.class(name).unwrap());
    write(&store, &a, 1, 5_000, "renamed");
    write(&store, &b, 1, 5_000, "deleted");
    store.close();
    let list = [migration("v1", vec![renamed("A", "C"), deleted("B")])];
    let mut crashes = 0;
    for operation in 0.. {
        let disk = before.after_crash(|| true);
        disk.crash_at(operation);
        let acknowledged = Store::open_disk(disk.clone(), options())
            .is_ok_and(|store| store.migrate_from(&list, true, &no_other).is_ok());
        let has_crashed = disk.has_crashed();
        for keeps in [false, true] {
            let disk = disk.after_crash(|| keeps);
            let store = open(&disk);
            let is_applied = !store.applied_migrations().unwrap().is_empty();
            assert!(is_applied || !acknowledged);
            assert_eq!(class_names(&store), if is_applied { vec!["C"] } else { vec!["A", "B"] });
            store.migrate_from(&list, true, &no_other).unwrap();
            assert_eq!(class_names(&store), ["C"]);
            assert_eq!(holds(&store, &store.class("C").unwrap(), 1), (5_000, "renamed".into()));
        }
        if !has_crashed {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 5, "only {crashes} crashes");
}

/// A data directory with a class that another one is to get.
fn source() -> (FaultyDisk, Class) {
    let disk = FaultyDisk::new();
    let options = StoreOptions { namespace_key: Some([9; 32]), ..options() };
    let store = Store::open_disk(disk.clone(), options).unwrap();
    let class = store.class("Room").unwrap();
    for object in 1..=5 {
        write(&store, &class, object, 40, &format!("value of {object}"));
    }
    write(&store, &class, 6, 4_200, "large, in all");
    store.close();
    (disk, class)
}

fn destination() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let store = open(&disk);
    write(&store, &store.class("Own").unwrap(), 1, 1, "own");
    store.close();
    disk
}

fn is_whole(store: &Store, class: &Class) {
    assert_eq!(store.totals(class.number).unwrap().objects, 6);
    for object in 1..=5 {
        assert_eq!(holds(store, class, object), (40, format!("value of {object}")));
    }
    let alarms = store.pending_alarms(class.number, None, 10).unwrap();
    assert_eq!(
        alarms.iter().map(|alarm| (alarm.due_ms, alarm.id)).collect::<Vec<_>>(),
        (1..=6).map(|n| (n.into(), id(n))).collect::<Vec<_>>()
    );
    assert!(alarms.iter().all(|alarm| store.alarms(alarm.object).unwrap().len() == 1));
    assert_eq!(holds(store, class, 6), (4_200, "large, in all".into()));
    let stored = store.stored_object(class.number, id(6)).unwrap().unwrap();
    assert_eq!((stored.bytes, stored.keys), (4_200 * 21, None), "its size was copied, too");
    assert_eq!((stored.record.created_ms, stored.record.active_ms), (5, 6));
}

#[test]
fn a_transferred_class_keeps_its_ids_and_is_served_in_one_place_only() {
    let (from, room) = source();
    let (to, list) = (destination(), [migration("v1", vec![transferred("Room", "Hall")])]);
    let store = open(&to);
    store.migrate_from(&list, false, &|_| Store::open_disk(from.clone(), options())).unwrap();
    let hall = store.class("Hall").unwrap();
    assert_eq!(hall.unique_key, room.unique_key);
    is_whole(&store, &hall);
    assert!(store.applied_migrations().unwrap()[0].sources_are_cleared);
    let own = store.class("Own").unwrap();
    assert_eq!(holds(&store, &own, 1), (1, "own".into()));

    let source = open(&from);
    assert!(matches!(source.class("Room"), Err(StoreError::Commit(CommitError::ClassLeft { .. }))));
    source.migrate(&[migration("v1", vec![new("Room")])], false).unwrap();
    let again = source.class("Room").unwrap();
    assert_ne!(again.unique_key, room.unique_key, "a new class of that name is another one");
    assert_eq!(source.object_count(again.number).unwrap(), 0);
}

#[test]
fn a_source_that_cannot_be_had_is_named_and_stays_as_it_was() {
    let (from, room) = source();
    let store = open(&destination());
    let list = [migration("v1", vec![transferred("Room", "Hall")])];
    let refused = store.migrate(&list, false).unwrap_err().to_string();
    assert!(
        refused.starts_with("the migration v1 transfers Room from elsewhere: failed to open the store"),
        "{refused}"
    );
    let none = [migration("v1", vec![transferred("Nobody", "Hall")])];
    let open_source = |_: &Path| Store::open_disk(from.clone(), options());
    assert!(
        store.migrate_from(&none, false, &open_source).unwrap_err().to_string().ends_with("there is no such class")
    );
    // A copy that fails gives the class back.
    let full = destination();
    let store = open(&full);
    let fill = |path: &Path| {
        full.set_full(true);
        open_source(path)
    };
    store.migrate_from(&list, false, &fill).unwrap_err();
    let source = open(&from);
    assert_eq!(source.class("Room").unwrap(), room);
    is_whole(&source, &room);
}

#[test]
fn a_transfer_that_fails_gives_back_the_classes_that_were_copied_before() {
    let (from, room) = source();
    let second = |from: &str, from_data_dir: &str| Step::Transferred {
        from: from.into(),
        from_data_dir: from_data_dir.into(),
        to: "Second".into(),
    };
    for fails in [second("Nobody", "elsewhere"), second("Other", "nowhere")] {
        let to = destination();
        let store = open(&to);
        let open_source = |path: &Path| match path == Path::new("elsewhere") {
            true => Store::open_disk(from.clone(), options()),
            false => Err(OpenError::Io(std::io::ErrorKind::NotFound.into())),
        };
        let list = [migration("v1", vec![transferred("Room", "Hall"), fails])];
        let refused = store.migrate_from(&list, false, &open_source).unwrap_err();
        assert!(matches!(refused, MigrationError::Source { .. }), "{refused}");
        let source = open(&from);
        assert_eq!(class_names(&source), ["Room"]);
        assert_eq!(source.class("Room").unwrap(), room);
        is_whole(&source, &room);
        source.close();
        assert_eq!(objects_left(&store, 1), 1, "the copy is removed, and only that");
        assert_eq!(class_names(&store), ["Own"]);
        assert!(store.applied_migrations().unwrap().is_empty());
    }
    // A migration without the step that fails may have the same tag: none was applied.
    let store = open(&destination());
    let list = [migration("v1", vec![transferred("Room", "Hall")])];
    store.migrate_from(&list, false, &|_| Store::open_disk(from.clone(), options())).unwrap();
    is_whole(&store, &store.class("Hall").unwrap());
}

#[test]
fn the_name_of_a_class_in_transit_is_given_to_no_other() {
    let (from, room) = source();
    let source = open(&from);
    write(&source, &source.class("Other").unwrap(), 1, 1, "other");
    source.close();
    // Both disks as a crash leaves them after the class was marked and copied: when the next one is asked for.
    let (to, crashed) = (destination(), std::cell::RefCell::new(None));
    let open_source = |path: &Path| match path == Path::new("elsewhere") {
        true => Store::open_disk(from.clone(), options()),
        false => {
            *crashed.borrow_mut() = Some((from.after_crash(|| true), to.after_crash(|| true)));
            Err(OpenError::Io(std::io::ErrorKind::NotFound.into()))
        }
    };
    let next = Step::Transferred { from: "X".into(), from_data_dir: "nowhere".into(), to: "X".into() };
    let list = [migration("v1", vec![transferred("Room", "Hall"), next])];
    open(&to).migrate_from(&list, false, &open_source).unwrap_err();
    let (from, to) = crashed.take().unwrap();

    let source = open(&from);
    let leaving = source.class("Room").unwrap_err();
    assert!(matches!(leaving, StoreError::Commit(CommitError::ClassLeaving { .. })));
    assert!(leaving.to_string().contains("it is being transferred to another data directory; start the host of"));
    let steps =
        [new("Room"), renamed("Other", "Room"), transferred("X", "Room"), renamed("Room", "X"), deleted("Room")];
    for step in steps {
        let list = [migration("v1", vec![step])];
        let expected = MigrationError::Leaving { tag: "v1".into(), class: "Room".into() };
        assert_eq!(source.plan_migrations(&list).unwrap_err(), expected);
        assert_eq!(source.migrate_from(&list, true, &no_other).unwrap_err(), expected);
    }
    assert_eq!(class_names(&source), ["Other"]);
    source.close();

    let (store, list) = (open(&to), [migration("v1", vec![transferred("Room", "Hall")])]);
    store.migrate_from(&list, false, &|_| Store::open_disk(from.clone(), options())).unwrap();
    let hall = store.class("Hall").unwrap();
    assert_eq!(hall.unique_key, room.unique_key);
    is_whole(&store, &hall);
    let source = open(&from);
    source.migrate(&[migration("v1", vec![new("Room")])], false).expect("now it has left");
    assert_ne!(source.class("Room").unwrap().unique_key, room.unique_key);
    assert_eq!(objects_left(&source, 1), 1);
}

/// Runs a transfer with a crash at every operation of one of the two disks, and then again.
fn crash_at_every_operation_of(of_source: bool) {
    let (source, room) = source();
    let destination = destination();
    let list = [migration("v1", vec![transferred("Room", "Hall")])];
    let mut crashes = 0;
    // Every third: most operations are writes of pages that become durable with the same sync.
    for operation in (0..).step_by(3) {
        let (from, to) = (source.after_crash(|| true), destination.after_crash(|| true));
        let crashing = if of_source { &from } else { &to };
        crashing.crash_at(operation);
        if let Ok(store) = Store::open_disk(to.clone(), options()) {
            let _ = store.migrate_from(&list, false, &|_| Store::open_disk(from.clone(), options()));
        }
        let has_crashed = crashing.has_crashed();
        // What was not synced is kept or lost by turns.
        {
            let keeps = operation % 2 == 0;
            let (from, to) = (from.after_crash(|| keeps), to.after_crash(|| keeps));
            let (source, store) = (open(&from), open(&to));
            let is_here = class_names(&store).contains(&"Hall".to_string());
            let is_there = class_names(&source).contains(&"Room".to_string());
            assert!(!(is_here && is_there), "it is live in both");
            if is_there {
                is_whole(&source, &room);
            }
            source.close();
            store.migrate_from(&list, false, &|_| Store::open_disk(from.clone(), options())).unwrap();
            let hall = store.class("Hall").unwrap();
            assert_eq!(hall.unique_key, room.unique_key);
            is_whole(&store, &hall);
            assert!(store.applied_migrations().unwrap()[0].sources_are_cleared);
            store.close();
            let store = open(&to);
            assert_eq!(objects_left(&store, 7), 7, "what an earlier copy left is swept");
            assert_eq!(rows_in(&to, &store), 1 + 5 * 40 + 4_200 + 1, "own, small, large, and its size");
            let source = open(&from);
            assert!(source.class("Room").is_err());
            assert_eq!(objects_left(&source, 0), 0);
        }
        if !has_crashed {
            break;
        }
        crashes += 1;
    }
    assert!(crashes > 10, "only {crashes} crashes");
}

#[test]
fn a_transfer_survives_a_crash_at_any_operation_of_the_destination() {
    crash_at_every_operation_of(false);
}

#[test]
fn a_transfer_survives_a_crash_at_any_operation_of_the_source() {
    crash_at_every_operation_of(true);
}
