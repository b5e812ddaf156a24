//! What there is: classes, and the objects of each with what is known of them, for people who look after them.

use std::fmt;
use std::ops::Range;

use crate::key::{KV_PREFIX_LEN, Key, KvRange, alarm_time_rows, object_rows};
use crate::migration::catalog::Catalog;
use crate::numbers::{ClassNumber, ObjectNumber};
use crate::read::{Snapshot, StoreError};
use crate::record::{Class, ObjectRecord};
use crate::rows::ReadRows;
use crate::store::Store;

/// A class that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredClass {
    /// Its name.
    pub name: String,
    /// Its number and what its ids are derived from.
    pub class: Class,
}

/// An object that has a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its id.
    pub id: [u8; 32],
    /// Its record.
    pub record: ObjectRecord,
    /// Bytes of its keys and values.
    pub bytes: u64,
    /// How many keys it has; `None` if it is so large that counting them takes a while.
    pub keys: Option<u64>,
}

/// What all objects of a class come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects with a record.
    pub objects: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.objects == 1 { "" } else { "s" };
        write!(f, "{} object{plural}, {} bytes", self.objects, self.bytes)
    }
}

impl Store {
    /// All classes, by name. Waits for the disk.
    pub fn classes(&self) -> Result<Vec<StoredClass>, StoreError> {
        let stored = |(name, class)| StoredClass { name, class };
        Ok(self.catalog()?.classes.into_iter().map(stored).collect())
    }

    /// At most `limit` objects of a class, by id, behind `after`; with `name_prefix` only those with such a name. Reads the
    /// rows of small objects, to count them. Waits for the disk.
    pub fn registry(
        &self,
        class: ClassNumber,
        after: Option<[u8; 32]>,
        limit: usize,
        name_prefix: Option<&str>,
    ) -> Result<Vec<StoredObject>, StoreError> {
        self.read(|snapshot| snapshot.registry(class, after.as_ref(), limit, name_prefix))
    }

    /// One object, if it has a record. Waits for the disk.
    pub fn stored_object(&self, class: ClassNumber, id: [u8; 32]) -> Result<Option<StoredObject>, StoreError> {
        self.read(|snapshot| match snapshot.record(class, &id)? {
            Some(record) => Ok(Some(snapshot.stored(id, record)?)),
            None => Ok(None),
        })
    }

    /// What all objects of a class come to. Reads all of them; waits for the disk.
    pub fn totals(&self, class: ClassNumber) -> Result<Totals, StoreError> {
        self.read(|snapshot| {
            let mut totals = Totals::default();
            snapshot.each_object(class, None, |snapshot, _, record| {
                totals.objects += 1;
                totals.bytes += snapshot.measure(record.number)?.0;
                Ok(true)
            })?;
            Ok(totals)
        })
    }

    /// How many alarms the objects of a class have. Reads all of them; waits for the disk.
    pub fn alarm_count(&self, class: ClassNumber) -> Result<u64, StoreError> {
        self.read(|snapshot| snapshot.count(alarm_time_rows(class, None)))
    }

    /// How many objects a class has. Waits for the disk.
    pub fn object_count(&self, class: ClassNumber) -> Result<u64, StoreError> {
        self.read(|snapshot| snapshot.count(object_rows(class, None)))
    }
}

impl Snapshot {
    pub(crate) fn catalog(&self) -> Result<Catalog, StoreError> {
        Ok(Catalog::load(&self.rows)?)
    }

    fn count(&self, range: Range<Vec<u8>>) -> Result<u64, StoreError> {
        let rows = self.rows.range(&range.start[..]..&range.end[..])?;
        let mut count = 0;
        for row in rows {
            row?;
            count += 1;
        }
        Ok(count)
    }

    fn registry(
        &self,
        class: ClassNumber,
        after: Option<&[u8; 32]>,
        limit: usize,
        name_prefix: Option<&str>,
    ) -> Result<Vec<StoredObject>, StoreError> {
        let mut objects = Vec::new();
        if limit == 0 {
            return Ok(objects);
        }
        self.each_object(class, after, |snapshot, id, record| {
            let name = record.name.as_deref();
            if name_prefix.is_none_or(|prefix| name.is_some_and(|name| name.starts_with(prefix))) {
                objects.push(snapshot.stored(id, record)?);
            }
            Ok(objects.len() < limit)
        })?;
        Ok(objects)
    }

    /// Calls `f` with the objects of a class until it says that it has enough.
    fn each_object(
        &self,
        class: ClassNumber,
        after: Option<&[u8; 32]>,
        mut f: impl FnMut(&Snapshot, [u8; 32], ObjectRecord) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let range = object_rows(class, after);
        let rows = self.rows.range(&range.start[..]..&range.end[..])?;
        for row in rows {
            let (key, value) = row?;
            if let Key::Object { id, .. } = Key::decode(key.value())?
                && !f(self, id, ObjectRecord::decode(value.value())?)?
            {
                break;
            }
        }
        Ok(())
    }

    fn stored(&self, id: [u8; 32], record: ObjectRecord) -> Result<StoredObject, StoreError> {
        let (bytes, keys) = self.measure(record.number)?;
        Ok(StoredObject { id, record, bytes, keys })
    }

    /// Bytes and number of the keys of an object: from its row if it is large, counted if it is small.
    fn measure(&self, object: ObjectNumber) -> Result<(u64, Option<u64>), StoreError> {
        if let Some(bytes) = self.size_row(object)? {
            return Ok((bytes, None));
        }
        let (mut bytes, mut keys) = (0, 0);
        for row in self.rows.range(KvRange::all(object).as_slices())? {
            let (key, value) = row?;
            bytes += (key.value().len() - KV_PREFIX_LEN + value.value().len()) as u64;
            keys += 1;
        }
        Ok((bytes, Some(keys)))
    }
}
