//! The log: what was committed and is not in the file yet.
//!
//! A commit appends one record with the rows that it writes and syncs it, which is all that its durability takes: one write
//! to space that the log has already, and one fsync. What is in the log is brought to the file now and then by a checkpoint,
//! all rows at once, each as it was in the end.
//!
//! There are two files, which take turns: one is appended to, while the rows of the other one are on their way to the
//! file. Each turn is a *generation*, counted from 1; generation `g` is in file `g % 2`. The file of redb says which
//! generation it has everything of (the row [`crate::key::Key::Log`]), and the ones after it count. Nothing is ever
//! removed from a log: a new generation overwrites the one before the last.
//!
//! [`record`] has the bytes, [`writer`] appends, [`recovery`] reads after a start what a crash left.
//!
//! Invariant: a record is written only when the one before it is durable. So what a crash cuts off is the last one, and if a
//! record cannot be read while a later one can, something else happened to the file.

mod record;
mod recovery;
mod writer;

use sha2::{Digest, Sha256};

pub(crate) use recovery::{Recovered, recover};
pub(crate) use writer::{Log, open};

/// How many files there are.
pub(crate) const FILES: usize = 2;

/// What says that a log belongs to a store. A secret, like what it is made of: a guest must not be able to write what
/// looks like a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogId([u8; 16]);

impl LogId {
    pub(crate) fn of(namespace_key: &[u8; 32]) -> LogId {
        let digest = Sha256::new().chain_update(b"dohost log").chain_update(namespace_key).finalize();
        LogId(*digest.first_chunk().expect("a digest is longer"))
    }
}

/// The file of a generation.
fn file_of(generation: u64) -> usize {
    (generation % FILES as u64) as usize
}
