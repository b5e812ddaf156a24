//! Machine code of functions that were compiled before, in one file.
//!
//! Components that are built of the same runtime have the same functions and differ in their data, so all but the first
//! compile in a fraction of the time. wasmtime asks for each function by a hash of all that its code depends on, its own
//! version included.
//!
//! Only components that are worth it use the cache: reading it takes longer than compiling a small one.
//!
//! The file is read when the first function is asked for, and written whole by [`CodeCache::save`], by way of a rename: what
//! was asked for since the last time, and of the rest as much as fits. Of two processes that save at once one wins. A file
//! that is damaged, as its checksum shows, counts as empty.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

/// What the file begins with.
const MAGIC: &[u8] = b"dohost machine code 1\n";
/// Bytes of code that are kept.
const BYTES_MAX: usize = 64 << 20;
/// Bytes of the checksum behind the magic.
const CHECKSUM_BYTES: usize = 32;

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct CodeCache(Arc<Inner>);

struct Inner {
    path: PathBuf,
    entries: Mutex<Option<Entries>>,
    /// How many compile now that use it.
    users: AtomicUsize,
}

/// While it lives, functions are looked up.
pub(crate) struct InUse(Arc<Inner>);

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is in memory.
#[derive(Default)]
struct Entries {
    by_key: HashMap<Vec<u8>, Entry>,
    has_changed: bool,
}

struct Entry {
    code: Arc<[u8]>,
    was_asked_for: bool,
}

impl CodeCache {
    /// In this file, which need not be there.
    pub fn new(path: &Path) -> CodeCache {
        CodeCache(Arc::new(Inner { path: path.to_owned(), entries: Mutex::default(), users: AtomicUsize::new(0) }))
    }

    /// Writes the file, if there is something new, and lets go of the memory.
    pub fn save(&self) {
        let entries = self.0.lock().take();
        let Some(entries) = entries.filter(|entries| entries.has_changed) else { return };
        if let Err(error) = write(&self.0.path, &entries) {
            tracing::debug!("cannot keep compiled code in {}: {error}", self.0.path.display());
        }
    }
}

impl Inner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Entries>> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// None if nobody uses it.
    fn with<R>(&self, act: impl FnOnce(&mut Entries) -> R) -> Option<R> {
        if self.users.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut entries = self.lock();
        Some(act(entries.get_or_insert_with(|| read(&self.path).unwrap_or_default())))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeCache({})", self.path.display())
    }
}

/// What wasmtime is given.
#[derive(Debug)]
pub(crate) struct Store(Arc<Inner>);

impl CodeCache {
    /// From now on, until that is dropped, functions are looked up.
    pub(crate) fn in_use(&self) -> InUse {
        self.0.users.fetch_add(1, Ordering::Relaxed);
        InUse(self.0.clone())
    }

    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::new(Store(self.0.clone()))
    }
}

impl wasmtime::CacheStore for Store {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let code = self.0.with(|entries| {
            let entry = entries.by_key.get_mut(key)?;
            entry.was_asked_for = true;
            Some(entry.code.clone())
        });
        Some(Cow::Owned(code??.to_vec()))
    }

    fn insert(&self, key: &[u8], code: Vec<u8>) -> bool {
        let inserted = self.0.with(|entries| {
            entries.by_key.insert(key.into(), Entry { code: code.into(), was_asked_for: true });
            entries.has_changed = true;
        });
        inserted.is_some()
    }
}

/// The entries of a file that is whole.
fn read(path: &Path) -> Option<Entries> {
    let bytes = std::fs::read(path).ok()?;
    let (checksum, mut rest) = bytes.strip_prefix(MAGIC)?.split_at_checked(CHECKSUM_BYTES)?;
    if Sha256::digest(rest)[..] != *checksum {
        return None;
    }
    let mut entries = Entries::default();
    while !rest.is_empty() {
        let (key, code);
        (key, rest) = split_sized(rest)?;
        (code, rest) = split_sized(rest)?;
        entries.by_key.insert(key.into(), Entry { code: code.into(), was_asked_for: false });
    }
    Some(entries)
}

fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*size) as usize)
}

fn write(path: &Path, entries: &Entries) -> std::io::Result<()> {
    let mut content = Vec::new();
    let (asked_for, others): (Vec<_>, Vec<_>) = entries.by_key.iter().partition(|(_, entry)| entry.was_asked_for);
    for (key, entry) in asked_for.into_iter().chain(others) {
        if content.len() + key.len() + entry.code.len() + 8 > BYTES_MAX {
            break;
        }
        for part in [&key[..], &entry.code[..]] {
            content.extend((part.len() as u32).to_le_bytes());
            content.extend(part);
        }
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let unfinished = path.with_extension(std::process::id().to_string());
    let written = std::fs::File::create(&unfinished).and_then(|mut file| {
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(&content))?;
        file.write_all(&content)
    });
    written.and_then(|()| std::fs::rename(&unfinished, path)).inspect_err(|_| drop(std::fs::remove_file(&unfinished)))
}

#[cfg(test)]
mod tests {
    use wasmtime::CacheStore;

    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("dohost-code-cache-{}-{name}", std::process::id()))
    }

    #[test]
    fn what_was_saved_is_there_again() {
        let path = path("saved");
        let cache = CodeCache::new(&path);
        assert!(!cache.store().insert(b"key", b"code".to_vec()));
        let _in_use = cache.in_use();
        assert!(cache.store().get(b"key").is_none());
        cache.store().insert(b"key", b"code".to_vec());
        cache.save();
        assert_eq!(cache.store().get(b"key").as_deref(), Some(&b"code"[..]));
        let other = CodeCache::new(&path);
        let _in_use = other.in_use();
        assert_eq!(other.store().get(b"key").as_deref(), Some(&b"code"[..]));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_damaged_file_counts_as_empty() {
        let path = path("damaged");
        let cache = CodeCache::new(&path);
        let _in_use = cache.in_use();
        cache.store().insert(b"key", b"code".to_vec());
        cache.save();
        let whole = std::fs::read(&path).unwrap();
        let finds = || {
            let cache = CodeCache::new(&path);
            let _in_use = cache.in_use();
            cache.store().get(b"key").is_some()
        };
        assert!(finds());
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            assert!(!finds(), "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(!finds(), "{at} bytes");
        }
        std::fs::remove_file(path).unwrap();
    }
}
