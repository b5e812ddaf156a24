//! From a write set to "it is durable".
//!
//! [`queue`] takes what executors submit, [`schedule`] says what is committed when, [`committer`] is the thread that
//! writes it to the log in batches, [`checkpoint`] brings that to the file, [`settled`] is the memory of what became of every commit number, [`progress`] wakes those who
//! wait, [`stalled`] knows who waits no more, [`alarms`] keeps the index of alarms,
//! [`alarm_news`] tells of it, [`sweep`] removes in steps what would hold everybody up at once.

pub(crate) mod alarm_news;
pub(crate) mod alarms;
pub(crate) mod change;
pub(crate) mod checkpoint;
pub(crate) mod committer;
mod error;
pub(crate) mod progress;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod settled;
pub(crate) mod stalled;
pub(crate) mod sweep;

use std::sync::Arc;

use bytes::Bytes;

pub use alarm_news::AlarmNews;
pub use error::CommitError;
pub use progress::Progress;

use crate::alarm::AlarmWrites;
use crate::numbers::{ClassNumber, LifeId, ObjectNumber};
use crate::record::ObjectRecord;
use crate::size::ObjectSize;

/// What an alarm takes on its way to the disk beside its name, about.
const ALARM_BYTES: usize = 128;

/// A key and its value; `None` says that the key is absent, or is to be deleted.
pub type KeyValue = (Arc<str>, Option<Bytes>);

/// All writes of one turn of one object: they become durable together or not at all.
#[derive(Clone, Debug)]
pub struct WriteSet {
    /// Whose keys they are.
    pub object: ObjectNumber,
    /// The life of the object that made them.
    pub life: LifeId,
    /// Written in the same commit if given: class, id and record of the object. Due with the first write set of an
    /// object that [`crate::Store::load`] found no record of, and again after a write set with `forget`.
    pub record: Option<(ClassNumber, [u8; 32], ObjectRecord)>,
    /// Removes the record of this class and id, for an object that deleted everything. Use with `clear`; not with
    /// `record`, nor with values in `writes` or alarms that are set. `object` is not used any more afterwards: what the object writes later has
    /// a number of its own ([`crate::Store::new_object`]).
    pub forget: Option<(ClassNumber, [u8; 32])>,
    /// Removes all keys and alarms of the object before `writes` and `alarms` are applied.
    pub clear: bool,
    /// Values by key, applied in order; `None` deletes. Keys and values are within the limits of this crate.
    pub writes: Vec<KeyValue>,
    /// Alarms that it sets or deletes.
    pub alarms: Option<Box<AlarmWrites>>,
    /// The size that [`crate::Store::load`] gave for this life, for the committer to keep. Every write set of a life
    /// carries it, or none does; without it the size is counted anew when the object is loaded the next time.
    pub size: Option<ObjectSize>,
}

impl WriteSet {
    /// A write set that changes nothing yet.
    pub fn new(object: ObjectNumber, life: LifeId) -> WriteSet {
        let writes = Vec::new();
        WriteSet { object, life, record: None, forget: None, clear: false, writes, alarms: None, size: None }
    }

    /// Bytes of keys, values and the record.
    pub fn bytes(&self) -> usize {
        let writes = self.writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len));
        let record = self.record.as_ref().map_or(0, |(_, _, record)| 64 + record.name.as_ref().map_or(0, String::len));
        let alarms = self.alarms.iter().flat_map(|alarms| &alarms.writes);
        writes.sum::<usize>() + record + alarms.map(|(name, _)| name.len() + ALARM_BYTES).sum::<usize>()
    }
}
