//! Why migrations are not applied.

use std::path::PathBuf;

use thiserror::Error;

use crate::limits::TAG_BYTES_MAX;
use crate::read::StoreError;

/// Why migrations are not applied. Of a migration that is refused nothing was done; those before it may have been applied.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MigrationError {
    /// A tag is empty or too long.
    #[error("the tag {tag:?} of a migration has {} bytes, it needs 1 to {TAG_BYTES_MAX}", tag.len())]
    BadTag {
        /// The tag.
        tag: String,
    },
    /// Two migrations have one tag.
    #[error("two migrations have the tag {tag}")]
    DuplicateTag {
        /// The tag.
        tag: String,
    },
    /// A migration that was applied had other steps then.
    #[error("the migration {tag} was applied already, and did something else then")]
    Changed {
        /// Its tag.
        tag: String,
    },
    /// A migration that was not applied stands before one that was.
    #[error("the migration {tag} stands before {applied}, which was applied already")]
    OutOfOrder {
        /// The one that was not applied.
        tag: String,
        /// The one that was.
        applied: String,
    },
    /// A new class is there already.
    #[error("the migration {tag} makes the class {class} new, but there is one of that name")]
    Exists {
        /// The tag.
        tag: String,
        /// The class.
        class: String,
    },
    /// A class that should be renamed or deleted is not there.
    #[error("the migration {tag} is about the class {class}, and there is none of that name")]
    Missing {
        /// The tag.
        tag: String,
        /// The class.
        class: String,
        /// Those that are there.
        classes: Vec<String>,
    },
    /// A class of that name is on its way to another data directory, and its objects are still here.
    #[error("the migration {tag} is about the class {class}, which is being transferred to another data directory")]
    Leaving {
        /// The tag.
        tag: String,
        /// The class.
        class: String,
    },
    /// The name that a class should get belongs to one with objects.
    #[error("the migration {tag} gives {from} the name {to}, but a class {to} has objects")]
    HasObjects {
        /// The tag.
        tag: String,
        /// The class.
        from: String,
        /// The name it should get.
        to: String,
    },
    /// Objects would be deleted, and nobody said that they may be.
    #[error("a migration would delete objects: {what}")]
    WouldDelete {
        /// Which, with numbers.
        what: String,
    },
    /// The class cannot be had from the other data directory. It is given back to it, and so are those that the same
    /// migration had copied before.
    #[error("the migration {tag} transfers {class} from {}: {reason}", from_data_dir.display())]
    Source {
        /// The tag.
        tag: String,
        /// The class, by the name that it has there.
        class: String,
        /// The other data directory.
        from_data_dir: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The store failed.
    #[error("failed to {0}")]
    Store(#[from] StoreError),
}

impl MigrationError {
    /// What the operator should do.
    pub fn help(&self) -> String {
        match self {
            MigrationError::BadTag { .. } => "give it a short tag such as v1".into(),
            MigrationError::DuplicateTag { .. } => "give every migration a tag of its own".into(),
            MigrationError::Changed { .. } => {
                "leave it as it was, and put what is to be done now into a new migration with a new tag".into()
            }
            MigrationError::OutOfOrder { .. } => "put new migrations behind those that were applied".into(),
            MigrationError::Exists { .. } => {
                "take it out of new_classes: a class that was served before needs no migration to be served again"
                    .into()
            }
            MigrationError::Missing { classes, .. } if classes.is_empty() => "there are no classes".into(),
            MigrationError::Missing { classes, .. } => format!("there are {}", classes.join(", ")),
            MigrationError::Leaving { .. } => {
                "start the host of the data directory that it goes to, which finishes the transfer, then start this one \
                 again; or choose another name"
                    .into()
            }
            MigrationError::HasObjects { to, .. } => {
                format!("choose another name, or delete {to} in a migration before this one")
            }
            MigrationError::WouldDelete { .. } => "if that is meant, start once with --allow-delete".into(),
            MigrationError::Source { .. } => {
                "the data directory must be there, and no host may be running on it; then start again".into()
            }
            MigrationError::Store(_) => "look at the disk of the data directory, then start again".into(),
        }
    }
}
