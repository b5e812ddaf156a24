//! Bringing a class over from another data directory.
//!
//! ```text
//!   there                                   here
//!   the class is marked as leaving:
//!   nobody is served there any more
//!                                           its objects are copied under a number that is retired already:
//!                                           whatever cuts this short, they are swept away, and it begins again
//!                                           one commit: the class has that number, and the migration is noted
//!   the mark says that it has left,
//!   its objects are swept away
//!                                           noted that this is done
//! ```
//!
//! A copy that fails takes the mark back, and those of the copies that were made before it for the same migration.

use std::path::Path;

use bytes::Bytes;

use crate::alarm::AlarmRow;
use crate::commit::change::Changing;
use crate::commit::committer::raise_next_object;
use crate::commit::sweep;
use crate::key::{Key, write_kv};
use crate::limits::{SWEEP_ROWS_MAX, TRANSFER_BYTES_MAX};
use crate::numbers::{ClassNumber, ObjectNumber};
use crate::open::OpenError;
use crate::range::{KeyRange, ListOptions};
use crate::read::StoreError;
use crate::record::{Class, Departed, ObjectRecord};
use crate::rows::ReadRows;
use crate::size::Size;
use crate::store::Store;

/// Objects that are read at once.
const OBJECTS_AT_ONCE: usize = 256;

/// Marks a class as leaving and copies it under a hidden number. What it is to be registered as.
pub(crate) fn copy(
    store: &Store,
    from: &str,
    from_data_dir: &Path,
    open: &dyn Fn(&Path) -> Result<Store, OpenError>,
) -> Result<Class, String> {
    let source = open(from_data_dir).map_err(|error| format!("failed to {error}"))?;
    let leaving = mark(&source, from, store.namespace_key()).map_err(failed)??;
    let result = copy_objects(store, &source, &leaving);
    let unmarked = if result.is_err() { unmark(&source, from, store.namespace_key()) } else { Ok(()) };
    source.close();
    unmarked.map_err(failed)?;
    result.map_err(failed)
}

/// Undoes a copy that nobody is to have: the source serves the class again, and the copy is removed.
pub(crate) fn give_back(
    store: &Store,
    from: &str,
    from_data_dir: &Path,
    copy: &Class,
    open: &dyn Fn(&Path) -> Result<Store, OpenError>,
) -> Result<(), String> {
    remove_copy(store, copy.number);
    let source = open(from_data_dir).map_err(|error| format!("failed to {error}"))?;
    let unmarked = unmark(&source, from, store.namespace_key());
    source.close();
    unmarked.map_err(failed)
}

/// Says that a class has left, and has its objects removed.
pub(crate) fn clear(
    store: &Store,
    from: &str,
    from_data_dir: &Path,
    open: &dyn Fn(&Path) -> Result<Store, OpenError>,
) -> Result<(), String> {
    let source = open(from_data_dir).map_err(|error| format!("failed to {error}"))?;
    let (name, destination) = (from.to_owned(), store.namespace_key());
    let left: Result<Result<(), ()>, _> = source.change(move |changing| {
        let Some(departed) = departed(changing, &name)? else { return Ok(Ok(())) };
        if departed.destination == destination && !departed.has_left {
            sweep::retire_class(changing.rows, changing.swept, departed.class.number)?;
            let departed = Departed { has_left: true, ..departed };
            changing.rows.insert(&Key::Departed { name: name.clone() }.encode(), departed.encode());
        }
        Ok(Ok(()))
    });
    source.close();
    left.map(drop).map_err(failed)
}

fn failed(error: StoreError) -> String {
    format!("failed to {error}")
}

fn departed(changing: &Changing<'_>, name: &str) -> Result<Option<Departed>, redb::Error> {
    let row = changing.rows.get(&Key::Departed { name: name.to_owned() }.encode())?;
    let departed = row.map(|row| Departed::decode(row.value())).transpose();
    departed.map_err(|error| redb::Error::Corrupted(error.to_string()))
}

/// From now on nobody is served the class there. Marking it again for the same destination changes nothing.
fn mark(source: &Store, name: &str, destination: [u8; 32]) -> Result<Result<Class, String>, StoreError> {
    let name = name.to_owned();
    if destination == source.namespace_key() {
        return Ok(Err("it is a copy of this data directory, or the same".into()));
    }
    source.change(move |changing| {
        if let Some(departed) = departed(changing, &name)? {
            return Ok(match (departed.has_left, departed.destination == destination) {
                (false, true) => Ok(departed.class),
                (false, false) => Err("it is on its way to a third data directory".into()),
                (true, _) => Err("it has left already".into()),
            });
        }
        let key = Key::Class { name: name.clone() }.encode();
        let row = changing.rows.get(&key[..])?.map(|row| row.value().to_vec());
        let Some(row) = row else { return Ok(Err("there is no such class".into())) };
        let class = Class::decode(&row).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
        changing.rows.remove(&key[..])?;
        let departed = Departed { class: class.clone(), destination, has_left: false };
        changing.rows.insert(&Key::Departed { name: name.clone() }.encode(), departed.encode());
        Ok(Ok(class))
    })
}

/// The class is served there again.
fn unmark(source: &Store, name: &str, destination: [u8; 32]) -> Result<(), StoreError> {
    let name = name.to_owned();
    let done: Result<Result<(), ()>, _> = source.change(move |changing| {
        if let Some(departed) = departed(changing, &name)?
            && departed.destination == destination
            && !departed.has_left
        {
            changing.rows.remove(&Key::Departed { name: name.clone() }.encode()[..])?;
            let key = Key::Class { name: name.clone() }.encode();
            changing.rows.insert(&key, departed.class.encode());
        }
        Ok(Ok(()))
    });
    done.map(drop)
}

fn copy_objects(store: &Store, source: &Store, class: &Class) -> Result<Class, StoreError> {
    let hidden: Result<ClassNumber, ()> = store.change(|changing| {
        let number = ClassNumber(*changing.next_class);
        *changing.next_class += 1;
        // Not for the sweep of this process: it goes on only when the store is opened anew.
        changing.rows.insert(&Key::RetiredClass { class: number }.encode(), Bytes::new());
        Ok(Ok(number))
    })?;
    let hidden = hidden.expect("it has no error of its own");
    let mut copy = Copy { store, hidden, objects: Vec::new(), rows: Vec::new(), bytes: 0 };
    match copy.all(source, class.number) {
        Ok(()) => Ok(Class { number: hidden, unique_key: class.unique_key.clone() }),
        Err(error) => {
            remove_copy(store, hidden);
            Err(error)
        }
    }
}

/// Has what is under a hidden number removed. If that fails, the sweep of the next process does it.
fn remove_copy(store: &Store, hidden: ClassNumber) {
    let _: Result<Result<(), ()>, _> = store.change(move |changing| {
        sweep::retire_class(changing.rows, changing.swept, hidden)?;
        Ok(Ok(()))
    });
}

/// A copy under way: what was read and not written yet.
struct Copy<'a> {
    store: &'a Store,
    hidden: ClassNumber,
    objects: Vec<([u8; 32], ObjectRecord)>,
    rows: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
}

impl Copy<'_> {
    fn all(&mut self, source: &Store, class: ClassNumber) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let objects = source.objects(class, after, OBJECTS_AT_ONCE)?;
            let Some((last, _)) = objects.last() else { break };
            after = Some(*last);
            for (id, record) in objects {
                self.object(source, id, record)?;
            }
        }
        self.write()
    }

    fn object(&mut self, source: &Store, id: [u8; 32], record: ObjectRecord) -> Result<(), StoreError> {
        let number = self.store.new_object();
        let mut bytes = 0;
        let mut last: Option<std::sync::Arc<str>> = None;
        self.objects.push((id, ObjectRecord { number, ..record.clone() }));
        loop {
            let options = ListOptions { start_after: last.as_deref(), ..ListOptions::default() };
            let range = KeyRange::compile(options).expect("a key is a key").expect("something may be behind it");
            let page = source.list(record.number, &range)?;
            for (key, value) in &page.entries {
                bytes += key.len() + value.len();
                self.row(number, key, value)?;
            }
            last = page.entries.last().map(|(key, _)| key.clone());
            if !page.more {
                break;
            }
        }
        if Size::needs_row(bytes as u64) {
            let size = (bytes as u64).to_be_bytes().to_vec();
            self.rows.push((Key::Size { object: number }.encode(), size));
        }
        for (name, row) in source.alarms(record.number)? {
            let row = AlarmRow { class: self.hidden, ..row };
            let pending = row.pending(number, id, &name);
            self.add(Key::Alarm { object: number, name: name.to_string() }.encode(), row.encode())?;
            self.add(pending.place().key().encode(), pending.encode())?;
        }
        if self.objects.len() >= OBJECTS_AT_ONCE {
            self.write()?;
        }
        Ok(())
    }

    fn row(&mut self, object: ObjectNumber, key: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut row = Vec::new();
        write_kv(&mut row, object, key);
        self.add(row, value.to_vec())
    }

    fn add(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.bytes += key.len() + value.len();
        self.rows.push((key, value));
        if self.bytes >= TRANSFER_BYTES_MAX || self.rows.len() >= SWEEP_ROWS_MAX {
            self.write()?;
        }
        Ok(())
    }

    /// Commits what was read.
    fn write(&mut self) -> Result<(), StoreError> {
        let (objects, rows) = (std::mem::take(&mut self.objects), std::mem::take(&mut self.rows));
        self.bytes = 0;
        let class = self.hidden;
        let written: Result<(), ()> = self.store.change(move |changing| {
            for (id, record) in &objects {
                let key = Key::Object { class, id: *id }.encode();
                changing.rows.insert(&key, record.encode());
                raise_next_object(changing.rows, record.number.0 + 1)?;
            }
            for (key, value) in &rows {
                changing.rows.insert(key, value.clone());
            }
            Ok(Ok(()))
        })?;
        written.expect("it has no error of its own");
        Ok(())
    }
}
