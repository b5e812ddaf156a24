//! Applying migrations to a store that nobody serves yet.

use std::collections::HashMap;
use std::path::Path;

use tracing::{info, warn};

use super::catalog::{Act, Catalog};
use super::{AppliedMigration, Migration, MigrationError, Step, transfer};
use crate::commit::change::Changing;
use crate::commit::sweep;
use crate::key::Key;
use crate::numbers::ClassNumber;
use crate::open::OpenError;
use crate::read::StoreError;
use crate::record::Class;
use crate::store::{Store, StoreOptions, now_ms};

/// A class that was copied for a migration which is not applied yet.
struct Copied<'a> {
    from: &'a str,
    from_data_dir: &'a Path,
    to: &'a str,
    /// What it is to be registered as.
    class: Class,
}

impl Store {
    /// The migrations that were applied, in order. Waits for the disk.
    pub fn applied_migrations(&self) -> Result<Vec<AppliedMigration>, StoreError> {
        Ok(self.catalog()?.applied)
    }

    /// Applies those of a list of migrations that were not applied yet, each in one commit, and finishes what an earlier
    /// process left of a transfer. Gives the tags of those that were applied now. To be called before anybody serves the
    /// store. Waits for the disk, and for as long as it takes to copy the classes that are transferred.
    ///
    /// A migration that deletes a class with objects is refused unless `allow_delete`; nothing is applied then.
    pub fn migrate(&self, migrations: &[Migration], allow_delete: bool) -> Result<Vec<String>, MigrationError> {
        let open = |path: &Path| match super::plan::has_store(path) {
            true => Store::open(path, StoreOptions::default()),
            false => Err(OpenError::Io(std::io::ErrorKind::NotFound.into())),
        };
        self.migrate_from(migrations, allow_delete, &open)
    }

    /// The same with a way of one's own to open the data directories that classes come from.
    pub fn migrate_from(
        &self,
        migrations: &[Migration],
        allow_delete: bool,
        open: &dyn Fn(&Path) -> Result<Store, OpenError>,
    ) -> Result<Vec<String>, MigrationError> {
        let may_go_on = |migrations: &[Migration]| match self.plan_migrations(migrations)?.destroys() {
            Some(what) if !allow_delete => Err(MigrationError::WouldDelete { what }),
            _ => Ok(()),
        };
        may_go_on(migrations)?;
        self.clear_sources(migrations, open)?;
        let mut tags = Vec::new();
        for migration in self.catalog()?.pending(migrations)? {
            let at = migrations.iter().position(|other| other.tag == migration.tag).expect("it is one of them");
            // Now that those before it were applied it is known what they brought.
            may_go_on(&migrations[..=at])?;
            self.apply(migration, open)?;
            info!(tag = migration.tag, "migration applied");
            self.clear_sources(migrations, open)?;
            tags.push(migration.tag.clone());
        }
        Ok(tags)
    }

    fn apply(
        &self,
        migration: &Migration,
        open: &dyn Fn(&Path) -> Result<Store, OpenError>,
    ) -> Result<(), MigrationError> {
        self.catalog()?.resolve(migration)?;
        let mut copied = Vec::new();
        let is_copied = self.copy_sources(migration, open, &mut copied);
        let is_written = is_copied.and_then(|()| {
            let classes =
                copied.iter().map(|copied: &Copied<'_>| (copied.to.to_owned(), copied.class.clone())).collect();
            let migration = migration.clone();
            let namespace_key_hex = self.shared().namespace_key_hex.clone();
            self.change(move |changing| write(changing, &migration, &classes, &namespace_key_hex))?
        });
        match &is_written {
            // The commit may have reached the disk all the same: whose the classes are is known when this is opened again.
            Ok(()) | Err(MigrationError::Store(_)) => {}
            Err(_) => copied.iter().for_each(|copied| self.give_back(copied, open)),
        }
        is_written
    }

    /// Copies the classes that a migration transfers, up to the first that cannot be had.
    fn copy_sources<'a>(
        &self,
        migration: &'a Migration,
        open: &dyn Fn(&Path) -> Result<Store, OpenError>,
        copied: &mut Vec<Copied<'a>>,
    ) -> Result<(), MigrationError> {
        for step in &migration.steps {
            if let Step::Transferred { from, from_data_dir, to } = step {
                let failed = |reason| MigrationError::Source {
                    tag: migration.tag.clone(),
                    class: from.clone(),
                    from_data_dir: from_data_dir.clone(),
                    reason,
                };
                let class = transfer::copy(self, from, from_data_dir, open).map_err(failed)?;
                copied.push(Copied { from, from_data_dir, to, class });
            }
        }
        Ok(())
    }

    /// Undoes a copy whose migration is not applied. What cannot be undone now stays as after a crash: the class is served
    /// by nobody until the migration is tried again.
    fn give_back(&self, copied: &Copied<'_>, open: &dyn Fn(&Path) -> Result<Store, OpenError>) {
        let Copied { from, from_data_dir, class, .. } = copied;
        if let Err(reason) = transfer::give_back(self, from, from_data_dir, class, open) {
            let from_data_dir = from_data_dir.display();
            warn!(class = from, %from_data_dir, "a class was not transferred and is not given back yet: {reason}");
        }
    }

    /// Tells the data directories that classes came from that they are whole here, where that is not done yet. One that
    /// cannot be had now is asked again the next time: it serves the class to nobody.
    fn clear_sources(
        &self,
        migrations: &[Migration],
        open: &dyn Fn(&Path) -> Result<Store, OpenError>,
    ) -> Result<(), StoreError> {
        for (at, applied) in self.catalog()?.applied.into_iter().enumerate() {
            if applied.sources_are_cleared {
                continue;
            }
            // Where it says now that the data directory is, should that have moved.
            let declared = migrations.iter().find(|other| other.tag == applied.migration.tag);
            let mut all_cleared = true;
            for step in &declared.unwrap_or(&applied.migration).steps {
                let Step::Transferred { from, from_data_dir, .. } = step else { continue };
                if let Err(reason) = transfer::clear(self, from, from_data_dir, open) {
                    let from_data_dir = from_data_dir.display();
                    warn!(class = from, %from_data_dir, "a class was transferred and is not removed there yet: {reason}");
                    all_cleared = false;
                }
            }
            if all_cleared {
                let number = at as u32 + 1;
                let applied = AppliedMigration { sources_are_cleared: true, ..applied };
                let done: Result<(), ()> = self.change(move |changing| {
                    changing.rows.insert(&Key::Migration { number }.encode(), applied.encode());
                    Ok(Ok(()))
                })?;
                done.expect("it has no error of its own");
            }
        }
        Ok(())
    }
}

/// All of a migration, in the transaction.
fn write(
    changing: &mut Changing<'_>,
    migration: &Migration,
    copied: &HashMap<String, Class>,
    namespace_key_hex: &str,
) -> Result<Result<(), MigrationError>, redb::Error> {
    let mut catalog = Catalog::load(changing.rows)?;
    let number = catalog.applied.len() as u32 + 1;
    let acts = match catalog.resolve(migration) {
        Ok(acts) => acts,
        Err(error) => return Ok(Err(error)),
    };
    for act in acts {
        match act {
            Act::Nothing => {}
            Act::Register { class } => {
                let unique_key = Catalog::load(changing.rows)?.unique_key_for(namespace_key_hex, &class);
                let new = Class { number: ClassNumber(*changing.next_class), unique_key };
                *changing.next_class += 1;
                insert_class(changing, &class, &new)?;
            }
            Act::Rename { from, to } => {
                let class = remove_class(changing, &from)?;
                insert_class(changing, &to, &class)?;
            }
            Act::Delete { class, .. } => {
                let class = remove_class(changing, &class)?;
                sweep::retire_class(changing.rows, changing.swept, class.number)?;
            }
            Act::Transfer { to, .. } => {
                let class = &copied[&to];
                changing.rows.remove(&Key::RetiredClass { class: class.number }.encode()[..])?;
                insert_class(changing, &to, class)?;
            }
        }
    }
    let sources_are_cleared = copied.is_empty();
    let applied = AppliedMigration { migration: migration.clone(), applied_ms: now_ms(), sources_are_cleared };
    changing.rows.insert(&Key::Migration { number }.encode(), applied.encode());
    Ok(Ok(()))
}

fn insert_class(changing: &mut Changing<'_>, name: &str, class: &Class) -> Result<(), redb::Error> {
    changing.rows.remove(&Key::Departed { name: name.to_owned() }.encode()[..])?;
    changing.rows.insert(&Key::Class { name: name.to_owned() }.encode(), class.encode());
    Ok(())
}

fn remove_class(changing: &mut Changing<'_>, name: &str) -> Result<Class, redb::Error> {
    let row = changing.rows.remove(&Key::Class { name: name.to_owned() }.encode()[..])?;
    let class = row.map(|row| Class::decode(row.value()));
    let gone = || redb::Error::Corrupted(format!("the row of the class {name} is missing"));
    class.ok_or_else(gone)?.map_err(|error| redb::Error::Corrupted(error.to_string()))
}
