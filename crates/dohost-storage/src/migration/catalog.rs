//! The classes of a data directory, and what steps make of them.
//!
//! Bookkeeping only: what is to be written is for [`super::apply`].

use std::collections::{BTreeMap, BTreeSet};

use super::error::MigrationError;
use super::{AppliedMigration, Migration, Step};
use crate::key::{Key, class_rows, departed_rows, migration_rows, object_rows};
use crate::numbers::ClassNumber;
use crate::record::{Class, Departed, InvalidRecord};
use crate::rows::ReadRows;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Catalog {
    pub(crate) classes: BTreeMap<String, Class>,
    pub(crate) departed: BTreeMap<String, Departed>,
    /// In the order in which they were applied.
    pub(crate) applied: Vec<AppliedMigration>,
    /// Classes with at least one object.
    occupied: BTreeSet<ClassNumber>,
    /// Nothing was ever registered or migrated here: there is nothing yet that a rename or deletion could be about.
    is_new: bool,
    /// Classes that the steps registered, which have no number yet, count down from the last one.
    next_unnumbered: u32,
}

/// What a step does to the classes that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// There is nothing to do in a new data directory.
    Nothing,
    Register {
        class: String,
    },
    /// A class that has the other name already has no objects.
    Rename {
        from: String,
        to: String,
    },
    Delete {
        class: String,
        number: ClassNumber,
    },
    Transfer {
        from: String,
        from_data_dir: std::path::PathBuf,
        to: String,
    },
}

fn corrupted(error: InvalidRecord) -> redb::Error {
    redb::Error::Corrupted(error.to_string())
}

impl Catalog {
    /// Reads it.
    pub(crate) fn load(rows: &impl ReadRows) -> Result<Catalog, redb::Error> {
        let mut catalog = Catalog { next_unnumbered: u32::MAX, ..Catalog::default() };
        for range in [class_rows(), departed_rows(), migration_rows()] {
            for entry in rows.range(&range.start[..]..&range.end[..])? {
                let (key, value) = entry?;
                match Key::decode(key.value()) {
                    Ok(Key::Class { name }) => {
                        catalog.classes.insert(name, Class::decode(value.value()).map_err(corrupted)?);
                    }
                    Ok(Key::Departed { name }) => {
                        catalog.departed.insert(name, Departed::decode(value.value()).map_err(corrupted)?);
                    }
                    Ok(Key::Migration { .. }) => {
                        catalog.applied.push(AppliedMigration::decode(value.value()).map_err(corrupted)?);
                    }
                    _ => return Err(redb::Error::Corrupted("a row of a class is of no known shape".into())),
                }
            }
        }
        for class in catalog.classes.values() {
            let range = object_rows(class.number, None);
            if rows.range(&range.start[..]..&range.end[..])?.next().transpose()?.is_some() {
                catalog.occupied.insert(class.number);
            }
        }
        catalog.is_new = catalog.classes.is_empty() && catalog.departed.is_empty() && catalog.applied.is_empty();
        Ok(catalog)
    }

    /// That of a data directory which is not there.
    pub(crate) fn of_nothing() -> Catalog {
        Catalog { is_new: true, next_unnumbered: u32::MAX, ..Catalog::default() }
    }

    /// The numbers of all classes that rows may be under.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = ClassNumber> + '_ {
        let departed = self.departed.values().map(|departed| departed.class.number);
        self.classes.values().map(|class| class.number).chain(departed)
    }

    /// What ids of a class that is registered now are derived from. Differs from that of a class that once had its name
    /// and is still known, here or elsewhere.
    pub(crate) fn unique_key_for(&self, namespace_key_hex: &str, name: &str) -> String {
        let plain = format!("{namespace_key_hex}:{name}");
        let is_free = |key: &String| {
            let mut known = self.classes.values().chain(self.departed.values().map(|departed| &departed.class));
            !known.any(|class| class.unique_key == *key)
        };
        let others = self.classes.len() + self.departed.len();
        // The name of a class has no colon.
        let numbered = (2..=others + 2).map(|count| format!("{plain}:{count}"));
        let mut keys = std::iter::once(plain.clone()).chain(numbered);
        keys.find(is_free).expect("fewer keys are taken than tried")
    }

    /// Those of a list that were not applied yet, after a look at the whole list.
    pub(crate) fn pending<'a>(&self, migrations: &'a [Migration]) -> Result<Vec<&'a Migration>, MigrationError> {
        let mut pending: Vec<&Migration> = Vec::new();
        for (at, migration) in migrations.iter().enumerate() {
            let tag = &migration.tag;
            if tag.is_empty() || tag.len() > crate::TAG_BYTES_MAX {
                return Err(MigrationError::BadTag { tag: tag.clone() });
            }
            if migrations[..at].iter().any(|other| other.tag == *tag) {
                return Err(MigrationError::DuplicateTag { tag: tag.clone() });
            }
            let applied = self.applied.iter().find(|applied| applied.migration.tag == *tag);
            match (applied, pending.last()) {
                (None, _) => pending.push(migration),
                (Some(applied), _) if !applied.migration.is_same(migration) => {
                    return Err(MigrationError::Changed { tag: tag.clone() });
                }
                (Some(_), Some(before)) => {
                    return Err(MigrationError::OutOfOrder { tag: before.tag.clone(), applied: tag.clone() });
                }
                (Some(_), None) => {}
            }
        }
        Ok(pending)
    }

    /// What a migration does, and the catalog as it is after it. Nothing is changed if it cannot be done.
    pub(crate) fn resolve(&mut self, migration: &Migration) -> Result<Vec<Act>, MigrationError> {
        let mut after = self.clone();
        let acts = migration.steps.iter().map(|step| after.step(&migration.tag, step)).collect::<Result<_, _>>()?;
        *self = after;
        Ok(acts)
    }

    fn step(&mut self, tag: &str, step: &Step) -> Result<Act, MigrationError> {
        let tag = || tag.to_string();
        match step {
            Step::New { class } => {
                if self.classes.contains_key(class) {
                    return Err(MigrationError::Exists { tag: tag(), class: class.clone() });
                }
                self.name_is_free(tag(), class)?;
                Ok(self.register(class))
            }
            Step::Renamed { from, to } => {
                if !self.classes.contains_key(from) && !self.is_new {
                    return Err(self.missing(tag(), from));
                }
                if from == to {
                    return Ok(Act::Nothing);
                }
                self.make_way(tag(), from, to)?;
                let Some(class) = self.classes.remove(from) else { return Ok(self.register(to)) };
                self.classes.insert(to.clone(), class);
                self.departed.remove(to);
                Ok(Act::Rename { from: from.clone(), to: to.clone() })
            }
            Step::Deleted { class } => match self.classes.remove(class) {
                Some(Class { number, .. }) => Ok(Act::Delete { class: class.clone(), number }),
                None if self.is_new => Ok(Act::Nothing),
                None => Err(self.missing(tag(), class)),
            },
            Step::Transferred { from, from_data_dir, to } => {
                self.make_way(tag(), from, to)?;
                self.register(to);
                // Nobody knows yet how many it has.
                self.occupied.extend(self.classes.get(to).map(|class| class.number));
                let (from, to, from_data_dir) = (from.clone(), to.clone(), from_data_dir.clone());
                Ok(Act::Transfer { from, from_data_dir, to })
            }
        }
    }

    fn register(&mut self, name: &str) -> Act {
        // No number of a class is so large: each class costs a row.
        let number = ClassNumber(self.next_unnumbered);
        self.next_unnumbered -= 1;
        self.classes.insert(name.to_owned(), Class { number, unique_key: String::new() });
        self.departed.remove(name);
        Act::Register { class: name.to_owned() }
    }

    /// A name is not given away while the class that had it is leaving: the row that says so is all that leads to its
    /// objects, and it goes once another class has the name.
    fn name_is_free(&self, tag: String, name: &str) -> Result<(), MigrationError> {
        match self.departed.get(name) {
            Some(Departed { has_left: false, .. }) => Err(MigrationError::Leaving { tag, class: name.into() }),
            _ => Ok(()),
        }
    }

    /// A class that has the name which another one should get goes, if it has no objects.
    fn make_way(&mut self, tag: String, from: &str, to: &str) -> Result<(), MigrationError> {
        self.name_is_free(tag.clone(), to)?;
        if self.classes.get(to).is_some_and(|class| self.occupied.contains(&class.number)) {
            return Err(MigrationError::HasObjects { tag, from: from.into(), to: to.into() });
        }
        self.classes.remove(to);
        Ok(())
    }

    fn missing(&self, tag: String, class: &str) -> MigrationError {
        if let Err(leaving) = self.name_is_free(tag.clone(), class) {
            return leaving;
        }
        let classes = self.classes.keys().cloned().collect();
        MigrationError::Missing { tag, class: class.into(), classes }
    }

    /// Whether a class was registered by the steps and is not in the store.
    pub(crate) fn is_unnumbered(&self, number: ClassNumber) -> bool {
        number.0 > self.next_unnumbered
    }
}
