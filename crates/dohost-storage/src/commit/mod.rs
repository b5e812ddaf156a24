//! From a write set to "it is durable".
//!
//! [`queue`] takes what executors submit, [`schedule`] says what is committed when, [`committer`] is the thread that
//! writes it in batches, [`settled`] is the memory of what became of every commit number, [`progress`] wakes those who
//! wait, [`stalled`] knows who waits no more, [`sweep`] removes in steps what would hold everybody up at once.

pub(crate) mod change;
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

pub use error::CommitError;
pub use progress::Progress;

use crate::numbers::{ClassNumber, LifeId, ObjectNumber};
use crate::record::ObjectRecord;
use crate::size::ObjectSize;

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
    /// `record`, nor with values in `writes`. `object` is not used any more afterwards: what the object writes later has
    /// a number of its own ([`crate::Store::new_object`]).
    pub forget: Option<(ClassNumber, [u8; 32])>,
    /// Removes all keys of the object before `writes` are applied.
    pub clear: bool,
    /// Values by key, applied in order; `None` deletes. Keys and values are within the limits of this crate.
    pub writes: Vec<KeyValue>,
    /// The size that [`crate::Store::load`] gave for this life, for the committer to keep. Every write set of a life
    /// carries it, or none does; without it the size is counted anew when the object is loaded the next time.
    pub size: Option<ObjectSize>,
}

impl WriteSet {
    /// A write set that changes nothing yet.
    pub fn new(object: ObjectNumber, life: LifeId) -> WriteSet {
        WriteSet { object, life, record: None, forget: None, clear: false, writes: Vec::new(), size: None }
    }

    /// Bytes of keys, values and the record.
    pub fn bytes(&self) -> usize {
        let writes = self.writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len));
        let record = self.record.as_ref().map_or(0, |(_, _, record)| 64 + record.name.as_ref().map_or(0, String::len));
        writes.sum::<usize>() + record
    }
}
