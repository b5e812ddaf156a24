//! Everything that is stored, row by row, wherever it is: in the file, or in memory in front of it.
//!
//! A commit is durable once it is in the log ([`crate::log`]); its rows then live in memory until a checkpoint
//! ([`crate::commit::checkpoint`]) has brought them to the file. So a row may be in up to three places, and the newest one
//! counts:
//!
//! ```text
//! active   what was committed since the last checkpoint began       ── newest
//! frozen   what a checkpoint is bringing to the file
//! file     everything else                                          ── oldest
//! ```
//!
//! In memory, a row that was removed is kept as removed, because an older place may still have it. [`Tables`] knows the
//! places, a [`View`] reads them, a [`Batch`] is what one commit makes of them, [`merge`] puts ranges together.
//!
//! Invariant: a row leaves memory only after the file has it. Whoever has a view keeps the places that it was made of, so
//! for a reader no row is ever missing in between.

mod batch;
mod merge;
mod tables;

use std::ops::Range;

use bytes::Bytes;
use redb::{AccessGuard, ReadOnlyTable};

pub(crate) use batch::Batch;
pub(crate) use merge::Merged;
pub(crate) use tables::{File, Layer, Tables, View};

/// The rows in the file, as of a checkpoint.
pub(crate) type FileRows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The direction of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// A key or a value that was read.
pub(crate) enum Stored {
    Memory(Bytes),
    File(AccessGuard<'static, &'static [u8]>),
}

impl Stored {
    pub(crate) fn value(&self) -> &[u8] {
        match self {
            Stored::Memory(bytes) => bytes,
            Stored::File(guard) => guard.value(),
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Stored::Memory(bytes) => bytes,
            Stored::File(guard) => Bytes::copy_from_slice(guard.value()),
        }
    }
}

/// What can be read from.
pub(crate) trait ReadRows {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Stored>, redb::Error>;

    /// The rows of a range in an order.
    fn range_in(&self, range: Range<&[u8]>, order: Order) -> Result<Merged<'_>, redb::Error>;

    /// The rows of a range, ascending.
    fn range(&self, range: Range<&[u8]>) -> Result<Merged<'_>, redb::Error> {
        self.range_in(range, Order::Ascending)
    }
}
