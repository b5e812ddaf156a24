//! Migrations of classes: new, renamed, deleted and transferred ones, each applied once.
//!
//! A migration has a tag and steps. Those of a list that were not applied yet are applied in order, each in one transaction
//! that also notes its tag: after a crash it was applied or it was not. [`catalog`] says what steps make of the classes that
//! there are and does nothing else; [`apply`] does it; [`transfer`] brings a class over from another data directory;
//! [`record`] is how an applied one looks as bytes.
//!
//! Invariants: a tag is applied once; the ids of a class stay what they were through renames and transfers; a class that is
//! transferred is served by neither data directory until it is whole in the new one, and then by that one alone.

mod apply;
pub(crate) mod catalog;
mod error;
mod plan;
mod record;
pub(crate) mod transfer;

use std::path::PathBuf;

pub use error::MigrationError;
pub use plan::{Effect, MigrationPlan, PlannedMigration, has_store, plan_new};

/// A change of classes, as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// What it is known by, for ever. Not empty, at most [`crate::TAG_BYTES_MAX`] bytes.
    pub tag: String,
    /// What it does, in order.
    pub steps: Vec<Step>,
}

/// One step of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Registers a class that is not there.
    New {
        /// Its name.
        class: String,
    },
    /// Gives a class another name. Its objects keep their ids and all they stored.
    Renamed {
        /// The name that it has.
        from: String,
        /// The name that it gets.
        to: String,
    },
    /// Removes a class and all of its objects.
    Deleted {
        /// Its name.
        class: String,
    },
    /// Brings a class over from another data directory that nobody has open. Its objects keep their ids and all they
    /// stored.
    Transferred {
        /// The name that it has there.
        from: String,
        /// The data directory that has it.
        from_data_dir: PathBuf,
        /// The name that it gets here.
        to: String,
    },
}

/// A migration that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedMigration {
    /// What it was.
    pub migration: Migration,
    /// When, in milliseconds since 1970.
    pub applied_ms: u64,
    /// Every data directory that a class came from knows that it is whole here, and has removed it.
    pub sources_are_cleared: bool,
}

impl Step {
    /// Whether it is the same step: where a class came from does not count, data directories may be moved.
    fn is_same(&self, other: &Step) -> bool {
        match (self, other) {
            (Step::Transferred { from, to, .. }, Step::Transferred { from: other_from, to: other_to, .. }) => {
                (from, to) == (other_from, other_to)
            }
            _ => self == other,
        }
    }
}

impl Migration {
    /// Whether it does the same.
    fn is_same(&self, other: &Migration) -> bool {
        self.steps.len() == other.steps.len()
            && self.steps.iter().zip(&other.steps).all(|(step, other)| step.is_same(other))
    }
}
