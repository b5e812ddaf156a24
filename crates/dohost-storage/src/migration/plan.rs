//! What migrations would do, for people and before anything is done.

use std::fmt;
use std::path::{Path, PathBuf};

use super::catalog::{Act, Catalog};
use super::{Migration, MigrationError};
use crate::numbers::ClassNumber;
use crate::read::StoreError;
use crate::registry::Totals;
use crate::store::Store;

/// What migrations would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MigrationPlan {
    /// Those that were not applied yet, in order.
    pub pending: Vec<PlannedMigration>,
}

/// What one migration would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedMigration {
    /// Its tag.
    pub tag: String,
    /// What it would do, in order.
    pub effects: Vec<Effect>,
}

/// What a step would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A class is registered.
    Registers {
        /// Its name.
        class: String,
    },
    /// A class gets another name.
    Renames {
        /// The name it has.
        from: String,
        /// The name it gets.
        to: String,
    },
    /// A class goes, with all that its objects stored.
    Deletes {
        /// Its name.
        class: String,
        /// How much that is.
        totals: Totals,
    },
    /// A class comes from another data directory.
    Transfers {
        /// The name it has there.
        from: String,
        /// Where.
        from_data_dir: PathBuf,
        /// The name it gets here.
        to: String,
    },
    /// Nothing, because the data directory is new.
    Nothing,
}

impl MigrationPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// What it would destroy, as text; `None` if nothing.
    pub fn destroys(&self) -> Option<String> {
        let effects = self.pending.iter().flat_map(|migration| &migration.effects);
        let texts = effects.filter_map(|effect| match effect {
            Effect::Deletes { class, totals } if totals.objects > 0 => Some(format!("{class} ({totals})")),
            _ => None,
        });
        let texts: Vec<String> = texts.collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Registers { class } => write!(f, "registers the class {class}"),
            Effect::Renames { from, to } => write!(f, "renames the class {from} to {to}"),
            Effect::Deletes { class, totals } => write!(f, "deletes the class {class} with {totals}"),
            Effect::Transfers { from, from_data_dir, to } => {
                write!(f, "transfers the class {from} from {} as {to}", from_data_dir.display())
            }
            Effect::Nothing => write!(f, "has nothing to do in a new data directory"),
        }
    }
}

/// One line for each step.
impl fmt::Display for MigrationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PlannedMigration { tag, effects } in &self.pending {
            for effect in effects {
                writeln!(f, "migration {tag} {effect}")?;
            }
            if effects.is_empty() {
                writeln!(f, "migration {tag} does nothing")?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// What the migrations of this list that were not applied yet would do. Changes nothing. Reads the objects of classes
    /// that would be deleted, to say how many there are.
    pub fn plan_migrations(&self, migrations: &[Migration]) -> Result<MigrationPlan, MigrationError> {
        let catalog = self.catalog()?;
        plan(catalog, migrations, |number| self.totals(number))
    }

    pub(crate) fn catalog(&self) -> Result<Catalog, StoreError> {
        self.read(|snapshot| snapshot.catalog())
    }
}

/// What migrations would do in a data directory that is not there yet.
pub fn plan_new(migrations: &[Migration]) -> Result<MigrationPlan, MigrationError> {
    plan(Catalog::of_nothing(), migrations, |_| Ok(Totals::default()))
}

/// Whether there is a store in a data directory.
pub fn has_store(data_dir: &Path) -> bool {
    data_dir.join(crate::store::FILE_NAME).exists()
}

fn plan(
    mut catalog: Catalog,
    migrations: &[Migration],
    totals: impl Fn(ClassNumber) -> Result<Totals, StoreError>,
) -> Result<MigrationPlan, MigrationError> {
    let mut plan = MigrationPlan::default();
    for migration in catalog.pending(migrations)? {
        let mut effects = Vec::new();
        for act in catalog.resolve(migration)? {
            effects.push(match act {
                Act::Nothing => Effect::Nothing,
                Act::Register { class } => Effect::Registers { class },
                Act::Rename { from, to, .. } => Effect::Renames { from, to },
                Act::Delete { class, number } => {
                    let is_stored = !catalog.is_unnumbered(number);
                    let totals = if is_stored { totals(number)? } else { Totals::default() };
                    Effect::Deletes { class, totals }
                }
                Act::Transfer { from, from_data_dir, to, .. } => Effect::Transfers { from, from_data_dir, to },
            });
        }
        plan.pending.push(PlannedMigration { tag: migration.tag.clone(), effects });
    }
    Ok(plan)
}
