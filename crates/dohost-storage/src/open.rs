//! Opening the file: new, clean, after a crash, of another version, or not ours at all.
//!
//! A new file gets its format, namespace key and first numbers in one transaction, so a crash while it is made leaves
//! either an empty store or a whole one. After a crash redb goes back to the last commit that is whole, which takes
//! time in proportion to the file; that is logged.
//!
//! The version is looked at before anything else is: a newer one is refused, an older one is migrated here. Then what the
//! log has and the file does not is brought to the file.

use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{
    BackendError, Database, DatabaseError, Durability, ReadableDatabase, StorageBackend, StorageError, TableDefinition,
};
use thiserror::Error;
use tracing::{debug, info};

use crate::commit::{checkpoint, sweep};
use crate::disk::{Disk, Fault, Faults, Watched, is_full};
use crate::key::Key;
use crate::log::{self, Log, LogId, Recovered};
use crate::migration::catalog::Catalog;
use crate::record::{Format, decode_generation, decode_next_object};
use crate::rows::{ReadRows, Tables, View};
use crate::store::StoreOptions;

/// The version of the layout that this build writes, and the newest it reads.
pub const FORMAT_VERSION: u32 = 5;

/// The first version with a log.
const FORMAT_WITH_LOG: u32 = 5;

/// What is wrong with a file on which redb panicked.
pub(crate) const CONTRADICTION: &str = "its inner structure contradicts itself";

/// Where redb notes whether the file was closed cleanly: a byte, and a bit of it that is set if it was not.
const STATE_OFFSET: u64 = 9;
const NOT_CLOSED: u8 = 2;

/// Bytes that every file of redb begins with.
const MAGIC_BYTES: usize = 9;

/// Bytes of the page that the header of the file is in.
const HEADER_BYTES: usize = 4_096;

/// A file longer than this was not left behind by an unfinished start. redb makes files of less than 2 MiB.
const UNFINISHED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The one table: everything by key.
pub(crate) const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("rows");

/// Why a store could not be opened. The text fits after "failed to"; [`OpenError::help`] says what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process, or another handle of this one, has it open.
    #[error("open the store: another process has it open")]
    InUse,
    /// A newer version of the program wrote it.
    #[error("open the store: it has format {found}, this version reads up to {supported}")]
    NewerFormat {
        /// The version it has.
        found: u32,
        /// [`FORMAT_VERSION`].
        supported: u32,
    },
    /// The file is something else.
    #[error("open the store: store.redb is not a store of dohost ({detail})")]
    NotAStore {
        /// What is wrong with it.
        detail: String,
    },
    /// The file is a store, and damaged.
    #[error("open the store: the file is damaged ({detail})")]
    Damaged {
        /// What is wrong with it.
        detail: String,
    },
    /// The file and its log are not of one store, or not of one time.
    #[error("open the store: its files do not belong together ({detail})")]
    Apart {
        /// Which one, and why.
        detail: String,
    },
    /// The user may not read or write the file or the directory.
    #[error("open the store: permission denied")]
    PermissionDenied,
    /// The file system is mounted read-only.
    #[error("open the store: the file system is read-only")]
    ReadOnly,
    /// There is no room to open it: opening writes a little.
    #[error("open the store: no space left on the disk")]
    NoSpace,
    /// The disk failed otherwise.
    #[error("open the store: {0}")]
    Io(#[source] io::Error),
}

impl OpenError {
    /// What the operator should do, as a sentence.
    pub fn help(&self) -> &'static str {
        match self {
            OpenError::InUse => "Stop the other process or choose another data directory.",
            OpenError::NewerFormat { .. } => {
                "Run the newer version that wrote it, or choose another data directory; nothing was changed."
            }
            OpenError::NotAStore { .. } => "Check the path of the data directory; nothing was changed.",
            OpenError::Damaged { .. } => {
                "Check the disk, keep a copy of the file, and restore the data directory from a backup."
            }
            OpenError::Apart { .. } => {
                "Put back store.redb, store.log0 and store.log1 as they were together, or remove all three to begin anew."
            }
            OpenError::PermissionDenied => {
                "Give this user the right to read and write the data directory, or choose another."
            }
            OpenError::ReadOnly => "Mount the file system for writing or choose another data directory.",
            OpenError::NoSpace => "Free some space on the disk of the data directory and start again.",
            OpenError::Io(_) => "Check the disk of the data directory.",
        }
    }

    pub(crate) fn from_io(error: io::Error) -> OpenError {
        match error.kind() {
            io::ErrorKind::PermissionDenied => OpenError::PermissionDenied,
            io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly,
            io::ErrorKind::InvalidData => OpenError::NotAStore { detail: error.to_string() },
            _ if is_full(&error) => OpenError::NoSpace,
            _ => OpenError::Io(error),
        }
    }
}

impl From<redb::Error> for OpenError {
    fn from(error: redb::Error) -> OpenError {
        match error {
            redb::Error::Io(error) => OpenError::from_io(error),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => OpenError::InUse,
            redb::Error::UpgradeRequired(version) => {
                OpenError::NotAStore { detail: format!("its file format {version} was never used by dohost") }
            }
            other => OpenError::Damaged { detail: other.to_string() },
        }
    }
}

/// What a new data directory begins with.
#[derive(Clone, Copy)]
pub(crate) struct Birth {
    pub(crate) namespace_key: [u8; 32],
    pub(crate) created_ms: u64,
}

/// What an opened store begins with.
pub(crate) struct Opened {
    pub(crate) database: Database,
    pub(crate) tables: Tables,
    pub(crate) log: Log,
    /// The last generation of the log that the file has everything of.
    pub(crate) applied: u64,
    pub(crate) namespace_key: [u8; 32],
    pub(crate) created_ms: u64,
    pub(crate) next_class: u32,
    pub(crate) next_object: u64,
    pub(crate) retired: sweep::Retired,
}

/// What may go wrong on the way, of the file and of the log.
pub(crate) struct AllFaults<'a> {
    pub(crate) of_file: &'a Arc<Faults>,
    pub(crate) of_log: &'a Arc<Faults>,
}

/// Opens or makes the store on `disk`.
pub(crate) fn open(
    disk: &dyn Disk,
    faults: AllFaults<'_>,
    options: &StoreOptions,
    birth: impl FnOnce() -> Birth,
) -> Result<Opened, OpenError> {
    let open = || {
        let OpenedFile { database, len, was_closed } =
            open_database(disk, faults.of_file, options.cache_bytes, options.verify_bytes_max)?;
        let is_new = !has_rows(&database)?;
        if is_new {
            if len > UNFINISHED_BYTES_MAX {
                return Err(OpenError::Damaged { detail: "the file is long and has no rows".into() });
            }
            write_first_rows(&database, birth())?;
        }
        let first = read_first_rows(&database)?;
        if !is_new && first.format.version >= FORMAT_WITH_LOG {
            miss_no_log(disk, was_closed)?;
        }
        if first.format.version < FORMAT_VERSION {
            migrate(&database, &first.format)?;
        }
        let (log, applied) = open_log(disk, faults.of_log, &database, &first, options.log_bytes_max)?;
        read_all_rows(database, first, log, applied)
    };
    // redb trusts what it reads, and panics where that makes no sense.
    let opened = catch_unwind(AssertUnwindSafe(open));
    let opened = opened.unwrap_or_else(|_| Err(OpenError::Damaged { detail: CONTRADICTION.into() }));
    opened.map_err(|error| match faults.of_file.worst() {
        // redb may only say that something failed before.
        Some(Fault::Full(_)) => OpenError::NoSpace,
        _ => error,
    })
}

/// Brings to the file what the log has and it does not, and gives the log and the last generation in the file.
fn open_log(
    disk: &dyn Disk,
    faults: &Arc<Faults>,
    database: &Database,
    first: &FirstRows,
    bytes_max: u64,
) -> Result<(Log, u64), OpenError> {
    let files = log::open(disk, faults).map_err(OpenError::from_io)?;
    let id = LogId::of(&first.namespace_key);
    let recovered = log::recover(&files, &id, first.applied)?;
    if recovered.generation > first.applied {
        checkpoint::write(database, recovered.rows.iter(), recovered.generation)?;
    }
    let Recovered { generation, is_marked, .. } = recovered;
    Ok((Log::new(files, id, generation, is_marked, bytes_max), generation))
}

/// Refuses a store whose log is gone, unless that had nothing: after a clean close the file alone is enough.
fn miss_no_log(disk: &dyn Disk, was_closed: bool) -> Result<(), OpenError> {
    let has = |number| disk.has_log(number).map_err(OpenError::from_io);
    let missing = match (has(0)?, has(1)?) {
        (true, true) => return Ok(()),
        (false, false) if was_closed => return Ok(()),
        (false, _) => "store.log0",
        (true, false) => "store.log1",
    };
    Err(OpenError::Apart { detail: format!("{missing} is missing") })
}

/// The file alone.
pub(crate) struct OpenedFile {
    pub(crate) database: Database,
    /// The length that it had.
    len: u64,
    /// It said that it was closed cleanly.
    was_closed: bool,
}

/// Opens the file alone, as is needed to open it anew after a full disk.
pub(crate) fn open_database(
    disk: &dyn Disk,
    faults: &Arc<Faults>,
    cache_bytes: usize,
    verify_bytes_max: u64,
) -> Result<OpenedFile, OpenError> {
    let backend = Watched::new(disk.open().map_err(OpenError::from_io)?, faults.clone());
    clear_unfinished(&backend).map_err(OpenError::from_io)?;
    let was_closed = was_closed(&backend).map_err(OpenError::from_io)?;
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let len = backend.len().map_err(OpenError::from_io)?;
    // The repair of a file that was not closed verifies it too, unless nothing was committed since it was opened: whoever
    // damage brought down then would meet it again and again.
    builder.set_check_integrity_on_open(!was_closed || len <= verify_bytes_max);
    let last_tenth = std::cell::Cell::new(None);
    builder.set_repair_callback(move |repair| {
        let tenth = (repair.progress() * 10.0) as u32;
        let is_news = last_tenth.replace(Some(tenth)) != Some(tenth);
        if is_news && was_closed {
            debug!(percent = tenth * 10, "verifying the store");
        } else if is_news {
            info!(percent = tenth * 10, "the store was not closed cleanly, going back to its last commit");
        }
    });
    // redb trusts a file that says it was closed cleanly and may panic if it was changed since.
    let opened = catch_unwind(AssertUnwindSafe(move || builder.create_with_backend(backend)));
    match opened {
        Ok(Ok(database)) => Ok(OpenedFile { database, len, was_closed }),
        Ok(Err(DatabaseError::Storage(StorageError::PreviousIo))) => {
            Err(OpenError::Io(io::Error::other("an operation on the file failed")))
        }
        Ok(Err(error)) => Err(redb::Error::from(error).into()),
        Err(_) => Err(OpenError::Damaged { detail: CONTRADICTION.into() }),
    }
}

/// Empties a file whose making was cut short, which redb would take for somebody else's.
///
/// redb writes the first bytes of a new file last. A file that has none of them, and nothing behind its header either,
/// never held a row.
fn clear_unfinished(backend: &Watched) -> io::Result<()> {
    let everything = (Bound::Unbounded, Bound::Unbounded);
    match backend.try_lock_range(everything.0, everything.1) {
        // Somebody may just be making it. redb will say so.
        Ok(false) => return Ok(()),
        Ok(true) | Err(BackendError::Unsupported) => {}
        Err(error) => return Err(error.into()),
    }
    let len = backend.len()?;
    if (1..=UNFINISHED_BYTES_MAX).contains(&len) {
        let mut bytes = vec![0; len as usize];
        backend.read(0, &mut bytes)?;
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        let header = &bytes[..bytes.len().min(HEADER_BYTES)];
        if is_zero(&header[..header.len().min(MAGIC_BYTES)]) && is_zero(&bytes[header.len()..]) {
            info!("the store was not finished when it was made, making it again");
            backend.set_len(0)?;
        }
    }
    match backend.unlock_range(everything.0, everything.1) {
        Ok(()) | Err(BackendError::Unsupported) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether the file says that it was closed cleanly. A new file was.
fn was_closed(backend: &Watched) -> io::Result<bool> {
    let mut state = [0];
    if backend.len()? > STATE_OFFSET {
        backend.read(STATE_OFFSET, &mut state)?;
    }
    Ok(state[0] & NOT_CLOSED == 0)
}

fn has_rows(database: &Database) -> Result<bool, OpenError> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    match transaction.open_table(ROWS) {
        Ok(_) => Ok(true),
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let tables = transaction.list_tables().map_err(redb::Error::from)?.count();
            if tables > 0 {
                return Err(OpenError::NotAStore { detail: "its tables are not ours".into() });
            }
            Ok(false)
        }
        Err(error) => Err(redb::Error::from(error).into()),
    }
}

fn write_first_rows(database: &Database, birth: Birth) -> Result<(), OpenError> {
    let write = || -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        {
            let mut rows = transaction.open_table(ROWS)?;
            let format = Format { version: FORMAT_VERSION, created_ms: birth.created_ms };
            rows.insert(&Key::Format.encode()[..], &format.encode()[..])?;
            rows.insert(&Key::NamespaceKey.encode()[..], &birth.namespace_key[..])?;
            rows.insert(&Key::NextObject.encode()[..], &1u64.to_be_bytes()[..])?;
        }
        transaction.commit()?;
        Ok(())
    };
    write().map_err(OpenError::from)
}

/// Brings a store of an older version to this one, in one transaction.
///
/// From 1 to 2: nothing but the version. An object without a row for its size is counted when it is loaded, and the row
/// comes with its next commit. The version is raised all the same, because version 1 would leave the row as it is when
/// it changes the object, and take it for damage when it meets it.
///
/// From 2 to 3: nothing but the version. A record without the time of the last write is read as before and gets one with the
/// object's next commit. Version 2 would take such a record for damage, and give the number of a retired class again.
///
/// From 3 to 4: nothing but the version, as there were no alarms. Version 3 would leave the alarms of an object that deletes
/// everything.
///
/// From 4 to 5: nothing but the version, as there was no log. Version 4 would not look for one.
fn migrate(database: &Database, format: &Format) -> Result<(), OpenError> {
    info!(from = format.version, to = FORMAT_VERSION, "the store has an older format, bringing it to this one");
    let write = || -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        let format = Format { version: FORMAT_VERSION, created_ms: format.created_ms };
        transaction.open_table(ROWS)?.insert(&Key::Format.encode()[..], &format.encode()[..])?;
        transaction.commit()?;
        Ok(())
    };
    write().map_err(OpenError::from)
}

/// What must be known before the log is read.
struct FirstRows {
    format: Format,
    namespace_key: [u8; 32],
    applied: u64,
}

fn damaged(error: impl std::fmt::Display) -> OpenError {
    OpenError::Damaged { detail: error.to_string() }
}

fn missing(what: &str) -> OpenError {
    damaged(format!("the {what} row is missing"))
}

fn read_first_rows(database: &Database) -> Result<FirstRows, OpenError> {
    let rows = checkpoint::file_rows(database)?;
    let row = |key: Key| -> Result<Option<Vec<u8>>, redb::Error> {
        Ok(rows.get(&key.encode()[..])?.map(|value| value.value().to_vec()))
    };
    let format = row(Key::Format)?.ok_or_else(|| missing("format"))?;
    let format = Format::decode(&format).map_err(damaged)?;
    // Before any other row is understood: a newer version may have changed them all.
    if format.version > FORMAT_VERSION {
        return Err(OpenError::NewerFormat { found: format.version, supported: FORMAT_VERSION });
    }
    let namespace_key = row(Key::NamespaceKey)?.and_then(|bytes| bytes.try_into().ok());
    let namespace_key = namespace_key.ok_or_else(|| missing("namespace key"))?;
    let applied = row(Key::Log)?.map(|bytes| decode_generation(&bytes)).transpose().map_err(damaged)?;
    Ok(FirstRows { format, namespace_key, applied: applied.unwrap_or(0) })
}

fn read_all_rows(database: Database, first: FirstRows, log: Log, applied: u64) -> Result<Opened, OpenError> {
    let tables = Tables::new(checkpoint::file_rows(&database)?);
    let (next_object, catalog, retired) = {
        let rows = View::new(&tables).expect("it is open");
        let next_object = rows.get(&Key::NextObject.encode())?.ok_or_else(|| missing("next object number"))?;
        let next_object = decode_next_object(next_object.value()).map_err(damaged)?;
        (next_object, Catalog::load(&rows)?, sweep::retired(&rows)?)
    };
    // A number comes back only when nothing is left under it.
    let numbers = catalog.numbers().chain(retired.classes.iter().copied());
    let next_class = numbers.map(|class| class.0 + 1).max().unwrap_or(1);
    let FirstRows { format, namespace_key, .. } = first;
    let created_ms = format.created_ms;
    Ok(Opened { database, tables, log, applied, namespace_key, created_ms, next_class, next_object, retired })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_operating_system_is_told_by_what_to_do_about_it() {
        let told = |kind: io::ErrorKind| OpenError::from_io(kind.into());
        assert!(matches!(told(io::ErrorKind::PermissionDenied), OpenError::PermissionDenied));
        assert!(matches!(told(io::ErrorKind::ReadOnlyFilesystem), OpenError::ReadOnly));
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
            assert!(matches!(told(kind), OpenError::NoSpace), "{kind:?}");
        }
        assert!(matches!(told(io::ErrorKind::Other), OpenError::Io(_)));
        // The numbers that Linux gives: no space, over quota, file too large.
        for number in [28, 122, 27] {
            assert!(is_full(&io::Error::from_raw_os_error(number)), "{number}");
        }
    }
}
