//! The numbers of this crate, each its own type so that one cannot be taken for another.

use std::fmt;

/// A class, as it appears inside keys. Given once per class name, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassNumber(pub u32);

/// An object, as it appears inside keys: eight bytes instead of class and id. Never reused in a data directory once a
/// record with it was written, so that the keys of a forgotten object cannot come back under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectNumber(pub u64);

/// One life of an object in this process, from [`crate::Store::new_life`]. A write set of a life is refused once an
/// earlier one of the same life failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LifeId(pub(crate) u64);

/// The place of a write set in the order of commits. Given by [`crate::Store::submit`], counted from 1, meaningful in
/// this process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitNumber(pub u64);

/// The n-th staged write of one overlay, counted from 1; [`WriteNumber::NONE`] before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteNumber(pub u64);

impl WriteNumber {
    /// No write yet.
    pub const NONE: WriteNumber = WriteNumber(0);
}

impl fmt::Display for ClassNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for ObjectNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
