//! Why a write set did not become durable.

use std::sync::Arc;

use thiserror::Error;

/// Why a write set did not become durable. Cheap to clone: all write sets of a failed commit share one.
///
/// The write set may have reached the disk all the same, whole: that a commit failed means that nobody may rely on
/// it. In every case the life of the object is over, and the next one starts from what the store has.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommitError {
    /// The disk is full. The store goes on: start the object afresh and retry once there is room.
    #[error("commit to a full disk: {detail}")]
    NoSpace {
        /// What the operating system said.
        detail: Arc<str>,
    },
    /// The disk failed, or the file is damaged. Nothing more is written until the process is restarted: after a failed
    /// fsync the operating system may have forgotten what it could not write. Call the operator.
    #[error("commit: {detail}; check the disk, then restart")]
    DiskFailed {
        /// What failed and what the operating system said.
        detail: Arc<str>,
    },
    /// An earlier write set of the same life failed, and this one was made on top of it.
    #[error("commit after an earlier commit of this object failed")]
    EarlierFailed,
    /// The object has a record with another number: this life began before the writes of an earlier life were
    /// settled. A defect of the caller; nothing was written.
    #[error("commit the first write of an object that has a record already")]
    RecordExists,
    /// The disk did not answer for so long that [`crate::Progress::give_up`] was called. Nobody knows yet whether the
    /// write set becomes durable; the life of the object is over all the same, and the next one waits for the outcome
    /// ([`crate::Progress::settled`]). Retry once the disk answers.
    #[error("commit: the disk does not answer; whether the writes are kept is not known")]
    Stalled,
    /// The class went to another data directory. Serve it from there, or register a new class of this name with a
    /// migration.
    #[error("register the class {name}: it was transferred to another data directory")]
    ClassLeft {
        /// Its name.
        name: Arc<str>,
    },
    /// The class is on its way to another data directory, and its objects are still here. Start a host on the other one
    /// again, which finishes the transfer or says why it cannot.
    #[error(
        "register the class {name}: it is being transferred to another data directory; start the host of that one \
         again to finish the transfer"
    )]
    ClassLeaving {
        /// Its name.
        name: Arc<str>,
    },
    /// The store was closed.
    #[error("commit to a closed store")]
    Closed,
}

impl CommitError {
    /// Whether every further commit fails until the process is restarted.
    pub fn is_permanent(&self) -> bool {
        matches!(self, CommitError::DiskFailed { .. } | CommitError::Closed)
    }
}
