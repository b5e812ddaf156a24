//! Where the bytes go: a file, watched for what goes wrong with it.
//!
//! redb says that an operation failed, not which one, and after a failure it refuses everything until it is reopened.
//! What may follow depends on exactly that: a write that found the disk full can be undone by reopening; an fsync that
//! failed cannot be repeated, because the operating system may have dropped the pages it could not write and report
//! success the next time. So every backend is wrapped in a `Watched` that notes failures in `Faults`.
//!
//! Beside the file there are two for the log ([`crate::log`]), which are watched in the same way.

#[cfg(any(test, feature = "faulty"))]
pub mod faulty;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use redb::BackendError;
pub use redb::StorageBackend;
use redb::backends::FileBackend;

/// A place that can be opened as a store, again and again.
pub trait Disk: Send + Sync + 'static {
    /// Opens the file, creating it if it is not there. Whoever opened it before has closed it.
    fn open(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// Opens one of the files of the log, creating it if it is not there. Each is opened once.
    fn open_log(&self, number: usize) -> io::Result<Box<dyn StorageBackend>>;

    /// Whether a file of the log is there.
    fn has_log(&self, number: usize) -> io::Result<bool>;

    /// Lets others have it: it is not opened again.
    fn release(&self) {}
}

/// Files in a directory that belongs to this process until it is released.
#[derive(Debug)]
pub(crate) struct FileDisk {
    path: PathBuf,
    /// The file of redb has a lock of its own, but somebody may delete it and have it made anew.
    directory: Mutex<Option<File>>,
}

impl FileDisk {
    /// Makes the directory if it is not there, and locks it. `None` if another process has it.
    pub(crate) fn new(directory: &Path, name: &str) -> io::Result<Option<FileDisk>> {
        std::fs::create_dir_all(directory)?;
        let locked = File::open(directory)?;
        match locked.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            // Where directories cannot be locked, the lock of the file has to do.
            Ok(()) | Err(TryLockError::Error(_)) => {
                Ok(Some(FileDisk { path: directory.join(name), directory: Mutex::new(Some(locked)) }))
            }
        }
    }

    fn log(&self, number: usize) -> PathBuf {
        self.path.with_extension(format!("log{number}"))
    }
}

impl Disk for FileDisk {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(FileBackend::new(open_file(&self.path)?).map_err(io::Error::other)?))
    }

    fn open_log(&self, number: usize) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(FileBackend::new(open_file(&self.log(number))?).map_err(io::Error::other)?))
    }

    fn has_log(&self, number: usize) -> io::Result<bool> {
        self.log(number).try_exists()
    }

    fn release(&self) {
        *self.directory.lock() = None;
    }
}

fn open_file(path: &Path) -> io::Result<File> {
    let is_new = !path.try_exists()?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    // It holds the secret that ids are derived from, and the guests' data.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if is_new {
        sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    }
    Ok(file)
}

/// A new file is durable only when its directory is, and a new directory only when its parent is.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    File::open(directory)?.sync_all()?;
    match directory.canonicalize()?.parent() {
        // The parent may be unreadable for us; then the directory was not made by us either.
        Some(parent) => File::open(parent).and_then(|parent| parent.sync_all()).or(Ok(())),
        None => Ok(()),
    }
}

/// Whether an error says that there is no room: no space, over quota, or over the largest size of a file.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

/// What went wrong with the disk since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    state: Mutex<FaultState>,
    /// Whether `state` has something fatal, to be read without the lock.
    is_fatal: AtomicBool,
}

#[derive(Debug, Default)]
struct FaultState {
    full: Option<Arc<str>>,
    fatal: Option<Arc<str>>,
}

/// What a failure allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A write found no room. Nothing that was acknowledged is touched; reopening brings the last commit back.
    Full(Arc<str>),
    /// Anything else, a failed fsync above all. Nothing may be written any more.
    Fatal(Arc<str>),
}

impl Faults {
    /// The worst fault so far.
    pub(crate) fn worst(&self) -> Option<Fault> {
        let state = self.state.lock();
        let fatal = state.fatal.clone().map(Fault::Fatal);
        fatal.or_else(|| state.full.clone().map(Fault::Full))
    }

    /// Whether nothing may be written any more.
    pub(crate) fn is_fatal(&self) -> bool {
        self.is_fatal.load(Ordering::Relaxed)
    }

    /// Lets nothing be written any more, because of what happened elsewhere.
    pub(crate) fn give_up(&self, detail: &Arc<str>) {
        self.state.lock().fatal.get_or_insert_with(|| detail.clone());
        self.is_fatal.store(true, Ordering::Relaxed);
    }

    /// Forgets that the disk was full, before another try. Fatal faults stay.
    pub(crate) fn forget_full(&self) {
        self.state.lock().full = None;
    }

    fn note(&self, operation: &str, may_be_full: bool, error: &io::Error) {
        let detail: Arc<str> = format!("{operation} failed ({error})").into();
        let mut state = self.state.lock();
        if may_be_full && is_full(error) {
            state.full.get_or_insert(detail);
        } else {
            state.fatal.get_or_insert(detail);
            self.is_fatal.store(true, Ordering::Relaxed);
        }
    }
}

/// A backend whose failures are noted. After a fatal one it writes nothing any more, not even when it is closed.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Box<dyn StorageBackend>,
    faults: Arc<Faults>,
}

impl Watched {
    pub(crate) fn new(inner: Box<dyn StorageBackend>, faults: Arc<Faults>) -> Watched {
        Watched { inner, faults }
    }

    fn written<T>(&self, operation: &str, may_be_full: bool, write: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.faults.is_fatal() {
            return Err(io::Error::other("an earlier operation failed"));
        }
        self.noted(operation, may_be_full, write())
    }

    fn noted<T>(&self, operation: &str, may_be_full: bool, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.faults.note(operation, may_be_full, error);
        }
        result
    }
}

impl StorageBackend for Watched {
    fn len(&self) -> io::Result<u64> {
        self.noted("measuring the file", false, self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.noted("a read", false, self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.written("growing the file", true, || self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        // Also when it says that the disk is full: what it could not write may be gone from memory.
        self.written("an fsync", false, || self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.written("a write", true, || self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
