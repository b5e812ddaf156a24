//! Reads of the store: blocking, of what is durable.
//!
//! A read never sees a write set that is not durable; what an object wrote and is not durable yet is in its overlay.
//! All functions may wait for the disk and belong on a thread that may wait.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::alarm::{Alarm, AlarmPlace, AlarmRow, PendingAlarm};
use crate::commit::CommitError;
use crate::key::{InvalidKey, KV_PREFIX_LEN, Key, KvRange, alarm_rows, alarm_time_rows, object_rows, write_kv};
use crate::limits::{LIST_PAGE_BYTES_MAX, LIST_PAGE_LEN_MAX};
use crate::numbers::{ClassNumber, ObjectNumber};
use crate::range::KeyRange;
use crate::record::{InvalidRecord, ObjectRecord, decode_size};
use crate::rows::{Order, ReadRows, Stored, View};
use crate::size::{ObjectSize, Size};

/// Why the store gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The disk failed. Call the operator.
    #[error("read the store: {detail}")]
    Disk {
        /// What the store said.
        detail: String,
    },
    /// A write failed just now, and the store has not been opened anew yet, or cannot be. Retry in a moment.
    #[error("read the store: a write failed, and it must be opened anew")]
    Reopening,
    /// The store is being opened anew after the disk was full, and could not be yet. Retry once there is room.
    #[error("read the store: it waits for space on the disk")]
    NoSpace,
    /// The file is damaged: a row has no shape that was ever written, or what redb keeps around the rows contradicts
    /// itself. Call the operator.
    #[error(
        "read the store: store.redb is damaged ({detail}); check the disk, keep a copy of the file, and restore the data \
         directory from a backup"
    )]
    Damaged {
        /// Which row and why.
        detail: String,
    },
    /// The registration of a class could not be committed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The store was closed.
    #[error("read a closed store")]
    Closed,
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> StoreError {
        match error {
            redb::Error::Corrupted(detail) => StoreError::Damaged { detail },
            redb::Error::DatabaseClosed => StoreError::Closed,
            redb::Error::PreviousIo => StoreError::Reopening,
            other => StoreError::Disk { detail: other.to_string() },
        }
    }
}

impl From<InvalidRecord> for StoreError {
    fn from(error: InvalidRecord) -> StoreError {
        StoreError::Damaged { detail: error.to_string() }
    }
}

impl From<InvalidKey> for StoreError {
    fn from(error: InvalidKey) -> StoreError {
        StoreError::Damaged { detail: error.to_string() }
    }
}

/// What [`crate::Store::load`] found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The object's number: its record's, or a fresh one.
    pub number: ObjectNumber,
    /// Its record; `None` if it never wrote anything, or deleted everything.
    pub record: Option<ObjectRecord>,
    /// Its keys and values, if they are few.
    pub content: Content,
    /// Its alarms, by name.
    pub alarms: Vec<(Arc<str>, Alarm)>,
    /// How large it is, for all write sets of the life that begins with this load.
    pub size: ObjectSize,
}

/// The keys and values of an object, as far as they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// All of them, ascending: a key that is not here is absent.
    Whole(Vec<(Arc<str>, Bytes)>),
    /// They are too many, none were kept.
    Partial,
}

/// One read of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Entries from the beginning of the range that was asked for, in its order.
    pub entries: Vec<(Arc<str>, Bytes)>,
    /// Whether the page stopped before the end of the range, so that there may be more behind its last entry.
    pub more: bool,
}

/// One read.
pub(crate) struct Snapshot {
    pub(crate) rows: View,
}

impl Snapshot {
    pub(crate) fn record(&self, class: ClassNumber, id: &[u8; 32]) -> Result<Option<ObjectRecord>, StoreError> {
        let key = Key::Object { class, id: *id }.encode();
        match self.rows.get(&key[..])? {
            Some(value) => Ok(Some(ObjectRecord::decode(value.value())?)),
            None => Ok(None),
        }
    }

    /// The content of an object, if it is at most so large, and its size.
    pub(crate) fn content(&self, object: ObjectNumber, bytes_max: usize) -> Result<(Content, ObjectSize), StoreError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        for entry in self.rows.range(KvRange::all(object).as_slices())? {
            let (key, value) = entry?;
            bytes += key.value().len() - KV_PREFIX_LEN + value.value().len();
            if bytes > bytes_max {
                return Ok((Content::Partial, self.size(object)?));
            }
            entries.push((guest_key(key.value())?, value.into_bytes()));
        }
        let has_row = Size::needs_row(bytes as u64) && self.size_row(object)?.is_some();
        Ok((Content::Whole(entries), ObjectSize::new(bytes as u64, has_row)))
    }

    /// The size of an object from its row, or counted if it has none: it was written by format 1, or it is smaller
    /// than what has a row.
    fn size(&self, object: ObjectNumber) -> Result<ObjectSize, StoreError> {
        if let Some(bytes) = self.size_row(object)? {
            return Ok(ObjectSize::new(bytes, true));
        }
        let mut bytes = 0;
        for entry in self.rows.range(KvRange::all(object).as_slices())? {
            let (key, value) = entry?;
            bytes += (key.value().len() - KV_PREFIX_LEN + value.value().len()) as u64;
        }
        Ok(ObjectSize::new(bytes, false))
    }

    pub(crate) fn size_row(&self, object: ObjectNumber) -> Result<Option<u64>, StoreError> {
        let row = self.rows.get(&Key::Size { object }.encode()[..])?;
        Ok(row.map(|row| decode_size(row.value())).transpose()?)
    }

    /// The values of keys, in their order, all of one moment.
    pub(crate) fn get(&self, object: ObjectNumber, keys: &[&str]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let row = |key: &&str| {
            let mut row = Vec::with_capacity(KV_PREFIX_LEN + key.len());
            write_kv(&mut row, object, key);
            row
        };
        let rows: Vec<Vec<u8>> = keys.iter().map(row).collect();
        let values = self.rows.get_all(rows.iter().map(Vec::as_slice))?;
        Ok(values.into_iter().map(|value| value.map(Stored::into_bytes)).collect())
    }

    pub(crate) fn list(&self, object: ObjectNumber, range: &KeyRange) -> Result<Page, StoreError> {
        let bounds = KvRange::between(object, &range.start, range.end.as_deref());
        let order = if range.reverse { Order::Descending } else { Order::Ascending };
        let len_max = range.limit.map_or(LIST_PAGE_LEN_MAX, |limit| limit.min(LIST_PAGE_LEN_MAX as u64) as usize);
        let mut page = Page::default();
        let mut bytes = 0;
        for entry in self.rows.range_in(bounds.as_slices(), order)? {
            let (key, value) = entry?;
            let (key, value) = (guest_key(key.value())?, value.into_bytes());
            bytes += key.len() + value.len();
            page.entries.push((key, value));
            if page.entries.len() >= len_max || bytes >= LIST_PAGE_BYTES_MAX {
                page.more = true;
                break;
            }
        }
        Ok(page)
    }

    /// All alarms of an object, by name.
    pub(crate) fn alarms(&self, object: ObjectNumber) -> Result<Vec<(Arc<str>, AlarmRow)>, StoreError> {
        let range = alarm_rows(object);
        let mut alarms = Vec::new();
        for row in self.rows.range(&range.start[..]..&range.end[..])? {
            let (key, value) = row?;
            let Key::Alarm { name, .. } = Key::decode(key.value())? else {
                return Err(InvalidKey { bytes: key.value().to_vec() }.into());
            };
            alarms.push((name.into(), AlarmRow::decode(value.value())?));
        }
        Ok(alarms)
    }

    /// At most `limit` alarms of a class in the order of time, behind `after`.
    pub(crate) fn pending_alarms(
        &self,
        class: ClassNumber,
        after: Option<&AlarmPlace>,
        limit: usize,
    ) -> Result<Vec<PendingAlarm>, StoreError> {
        let range = alarm_time_rows(class, after);
        let rows = self.rows.range(&range.start[..]..&range.end[..])?;
        let mut pending = Vec::new();
        for row in rows.take(limit) {
            let (key, value) = row?;
            let Key::AlarmTime { class, due_ms, object, name } = Key::decode(key.value())? else {
                return Err(InvalidKey { bytes: key.value().to_vec() }.into());
            };
            let place = AlarmPlace { class, due_ms, object, name: name.into() };
            pending.push(PendingAlarm::decode(place, value.value())?);
        }
        Ok(pending)
    }

    pub(crate) fn objects(
        &self,
        class: ClassNumber,
        after: Option<&[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<([u8; 32], ObjectRecord)>, StoreError> {
        let range = object_rows(class, after);
        let mut objects = Vec::new();
        let rows = self.rows.range(&range.start[..]..&range.end[..])?;
        for entry in rows.take(limit) {
            let (key, value) = entry?;
            match Key::decode(key.value())? {
                Key::Object { id, .. } => objects.push((id, ObjectRecord::decode(value.value())?)),
                _ => {
                    return Err(InvalidKey { bytes: key.value().to_vec() }.into());
                }
            }
        }
        Ok(objects)
    }
}

fn guest_key(key: &[u8]) -> Result<Arc<str>, StoreError> {
    match std::str::from_utf8(&key[KV_PREFIX_LEN..]) {
        Ok(key) => Ok(key.into()),
        Err(_) => Err(InvalidKey { bytes: key.to_vec() }.into()),
    }
}
