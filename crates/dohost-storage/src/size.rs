//! How large an object is: the bytes of its keys and values.
//!
//! The size starts with what [`crate::Store::load`] found and is kept by the committer, who learns the length of every
//! old value while it writes the new one. Nothing is scanned for it. Write sets carry a handle on it.
//!
//! A small object has no row for it: it is loaded whole, and its size is the sum of that. An object of more than
//! [`SIZE_ROW_BYTES_MIN`] has a row beside its own, see [`crate::Key::Size`].
//!
//! Invariant: what a reader sees is the size as of one durable commit, and which one. What a failed commit would have
//! made of it is never seen.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::limits::SIZE_ROW_BYTES_MIN;
use crate::numbers::CommitNumber;

/// The size of an object in one of its lives. Clones are handles on one size.
#[derive(Clone, Debug)]
pub struct ObjectSize {
    sizes: Arc<Mutex<Sizes>>,
}

#[derive(Debug)]
struct Sizes {
    durable: Size,
    /// What it will be once the transaction that is being written is durable. The committer's own.
    written: Size,
}

/// A size at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    /// Bytes of keys and values.
    pub(crate) bytes: u64,
    /// The last write set in it.
    pub(crate) through: CommitNumber,
    /// Whether the store has a row for it.
    pub(crate) has_row: bool,
}

impl ObjectSize {
    pub(crate) fn new(bytes: u64, has_row: bool) -> ObjectSize {
        let size = Size { bytes, through: CommitNumber(0), has_row };
        ObjectSize { sizes: Arc::new(Mutex::new(Sizes { durable: size, written: size })) }
    }

    /// Bytes of the keys and values of the object, as of its last durable commit.
    pub fn bytes(&self) -> u64 {
        self.durable().bytes
    }

    pub(crate) fn durable(&self) -> Size {
        self.sizes.lock().durable
    }

    pub(crate) fn written(&self) -> Size {
        self.sizes.lock().written
    }

    /// Notes what the transaction that is being written makes of it.
    pub(crate) fn write(&self, size: Size) {
        self.sizes.lock().written = size;
    }

    /// The transaction is durable.
    pub(crate) fn commit(&self) {
        let mut sizes = self.sizes.lock();
        sizes.durable = sizes.written;
    }

    /// The transaction failed.
    pub(crate) fn roll_back(&self) {
        let mut sizes = self.sizes.lock();
        sizes.written = sizes.durable;
    }
}

impl Size {
    /// Whether an object of this size has a row for it.
    pub(crate) fn needs_row(bytes: u64) -> bool {
        bytes > SIZE_ROW_BYTES_MIN
    }
}
