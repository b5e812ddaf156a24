//! Clearing away what nobody can reach any more: the rows of large objects that deleted everything, and the objects of
//! classes that were deleted, transferred, or not copied to the end.
//!
//! Removing a million rows at once would hold up the commits of all other objects. So the commit that forgets a large
//! object removes its record and leaves a note with its number ([`Key::Retired`]): nobody reads or writes under that
//! number any more, and its rows are removed in steps, with later commits or while there are none. So it is with classes
//! ([`Key::RetiredClass`]), whose objects' records and rows are removed.
//!
//! Invariant: the note comes in the commit that makes the rows unreachable and goes in one that finds none of them. So
//! whatever a crash cuts short goes on when the store is opened.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{WriteSet, alarms};
use crate::key::{Key, KvRange, object_rows, retired_class_rows, retired_rows};
use crate::limits::SWEEP_ROWS_MAX;
use crate::numbers::{ClassNumber, ObjectNumber};
use crate::record::ObjectRecord;
use crate::rows::{Batch, ReadRows};

/// The numbers whose rows are to be removed, as of the last commit.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    retired: VecDeque<ObjectNumber>,
    classes: VecDeque<ClassNumber>,
    /// The first row that may be left of the first number, and the first object of the first class.
    first_row: Option<Vec<u8>>,
    first_object: Option<Vec<u8>>,
    /// A step failed: the next one waits until something else was committed.
    is_paused: bool,
}

/// What a transaction made of it, to be noted once it is durable.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Numbers that were retired.
    pub(crate) retired: Vec<ObjectNumber>,
    /// Classes that were retired.
    pub(crate) retired_classes: Vec<ClassNumber>,
    /// As in [`Sweep`].
    first_row: Option<Vec<u8>>,
    first_object: Option<Vec<u8>>,
    /// The first number has no rows any more.
    is_done: bool,
    /// The first class has no objects any more.
    is_class_done: bool,
}

impl Sweep {
    pub(crate) fn new(retired: Retired) -> Sweep {
        let Retired { objects, classes } = retired;
        Sweep { retired: objects.into(), classes: classes.into(), ..Sweep::default() }
    }

    /// Whether a step should be made although there is nothing else to commit.
    pub(crate) fn wants_step(&self) -> bool {
        let has_some = !self.retired.is_empty() || !self.classes.is_empty();
        has_some && !self.is_paused
    }

    /// Removes some rows, if there are any to remove.
    pub(crate) fn step(&self, rows: &mut Batch, swept: &mut Swept) -> Result<(), redb::Error> {
        let Some(&object) = self.retired.front() else {
            return self.step_of_class(rows, swept);
        };
        let mut range = KvRange::with_size(object);
        range.start = self.first_row.clone().unwrap_or(range.start);
        let first_left = rows.range(range.as_slices())?.nth(SWEEP_ROWS_MAX).transpose()?;
        let first_left = first_left.map(|(key, _)| key.value().to_vec());
        match first_left {
            Some(key) => {
                swept.first_row = Some(key.clone());
                range.end = key;
            }
            None => {
                swept.is_done = true;
                rows.remove(&Key::Retired { object }.encode()[..])?;
            }
        }
        rows.remove_range(range.as_slices())?;
        Ok(())
    }

    /// Removes some rows of the first class, object by object: an object's record goes with the last of its rows.
    fn step_of_class(&self, rows: &mut Batch, swept: &mut Swept) -> Result<(), redb::Error> {
        let Some(&class) = self.classes.front() else {
            return Ok(());
        };
        let mut objects = object_rows(class, None);
        objects.start = self.first_object.clone().unwrap_or(objects.start);
        let mut rows_left = SWEEP_ROWS_MAX;
        while rows_left > 0 {
            let first = rows.range(&objects.start[..]..&objects.end[..])?.next().transpose()?;
            let Some((key, record)) = first.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())) else {
                swept.is_class_done = true;
                rows.remove(&Key::RetiredClass { class }.encode()[..])?;
                return Ok(());
            };
            let record = ObjectRecord::decode(&record).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
            let mut range = KvRange::with_size(record.number);
            let mut count = 0;
            let mut first_left = None;
            for row in rows.range(range.as_slices())? {
                if count == rows_left {
                    first_left = Some(row?.0.value().to_vec());
                    break;
                }
                row?;
                count += 1;
            }
            let is_cut = first_left.is_some();
            if let Some(key) = first_left {
                range.end = key;
            }
            rows.remove_range(range.as_slices())?;
            if !is_cut {
                // Nobody fires them: whoever does looks at classes that there are.
                count += alarms::clear(rows, record.number, &mut Vec::new())?;
                rows.remove(&key[..])?;
            }
            swept.first_object = Some(key.clone());
            objects.start = key;
            rows_left = rows_left.saturating_sub(count + 1);
        }
        Ok(())
    }

    /// Takes note of what became durable.
    pub(crate) fn committed(&mut self, swept: Swept) {
        self.is_paused = false;
        if swept.first_row.is_some() {
            self.first_row = swept.first_row;
        }
        if swept.first_object.is_some() {
            self.first_object = swept.first_object;
        }
        if swept.is_done {
            self.retired.pop_front();
            self.first_row = None;
        }
        if swept.is_class_done {
            self.classes.pop_front();
            self.first_object = None;
        }
        self.retired.extend(swept.retired);
        self.classes.extend(swept.retired_classes);
    }

    /// Takes note of a transaction that failed.
    pub(crate) fn failed(&mut self) {
        self.is_paused = true;
    }
}

/// Whether the object of a write set is large and leaves nothing behind, so that its rows may be removed later.
pub(crate) fn may_retire(set: &WriteSet) -> bool {
    let is_large = set.size.as_ref().is_some_and(|size| size.written().has_row);
    is_large && set.clear && set.forget.is_some() && set.writes.iter().all(|(_, value)| value.is_none())
}

/// Retires the number of an object, instead of removing its rows now.
pub(crate) fn retire(rows: &mut Batch, object: ObjectNumber) -> Result<(), redb::Error> {
    rows.insert(&Key::Retired { object }.encode(), Bytes::new());
    Ok(())
}

/// Retires a class whose row is gone: its objects are removed later.
pub(crate) fn retire_class(rows: &mut Batch, swept: &mut Swept, class: ClassNumber) -> Result<(), redb::Error> {
    rows.insert(&Key::RetiredClass { class }.encode(), Bytes::new());
    swept.retired_classes.push(class);
    Ok(())
}

/// What a store that is being opened has to clear away.
#[derive(Debug, Default)]
pub(crate) struct Retired {
    pub(crate) objects: Vec<ObjectNumber>,
    pub(crate) classes: Vec<ClassNumber>,
}

/// See [`Retired`].
pub(crate) fn retired(rows: &impl ReadRows) -> Result<Retired, redb::Error> {
    let mut retired = Retired::default();
    for range in [retired_rows(), retired_class_rows()] {
        for entry in rows.range(&range.start[..]..&range.end[..])? {
            match Key::decode(entry?.0.value()) {
                Ok(Key::Retired { object }) => retired.objects.push(object),
                Ok(Key::RetiredClass { class }) => retired.classes.push(class),
                _ => return Err(redb::Error::Corrupted("a row of something retired is of no known shape".into())),
            }
        }
    }
    Ok(retired)
}
