//! Changes of the store that no object makes: migrations of classes.
//!
//! They go through the committer like write sets, so that there is one writer, one order, and one answer to a disk that is
//! full or fails. A change that finds it is not possible must find that before it writes anything: it shares its
//! transaction with others.

use std::fmt;
use std::sync::mpsc;

use super::CommitError;
use super::sweep::Swept;
use crate::rows::Batch;

/// What a change works on.
pub(crate) struct Changing<'a> {
    pub(crate) rows: &'a mut Batch,
    /// The number that a class registered next gets. Not given back if the commit fails.
    pub(crate) next_class: &'a mut u32,
    pub(crate) swept: &'a mut Swept,
}

type Apply = dyn Fn(&mut Changing<'_>) -> Result<(), redb::Error> + Send;

/// See the module.
pub(crate) struct Change(pub(crate) Box<Apply>);

/// Told once the change is durable, or why it is not.
pub(crate) type ChangeReply = mpsc::Sender<Result<(), CommitError>>;

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Change")
    }
}
