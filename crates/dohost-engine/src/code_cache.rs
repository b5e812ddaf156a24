//! Machine code that was compiled before.
//!
//! **Of whole components**, a file for each: what is loaded again needs no compiler at all. The key is the component's digest
//! and all that its code depends on: wasmtime's version, its settings and limits, the processor.
//!
//! **Of functions**, in one file: components that are built of the same runtime have the same functions and differ in their
//! data, so all but the first compile in a fraction of the time. wasmtime asks for each function by a hash of all that its
//! code depends on, its own version included. Only components that are worth it use it: reading the file takes longer than compiling
//! a small one.
//!
//! That file is read when the first function is asked for, and written by [`CodeCache::save`]: what was asked for since the
//! last time, and of the rest as much as fits.
//!
//! **Invariant:** code that is run was compiled by this version of wasmtime for this engine. [`KeptFiles`] knows by a checksum
//! what is damaged or of another user, wasmtime knows what was compiled for something else, and neither is there. What is left
//! is the user himself, who needs no cache to run what he likes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::kept::KeptFiles;

/// Components that are kept.
const COMPONENTS_MAX: usize = 256;
/// Bytes that they may have together.
const COMPONENT_BYTES_MAX: u64 = 512 << 20;
/// Bytes of functions that are kept.
const FUNCTION_BYTES_MAX: usize = 64 << 20;
/// The file that they are in.
const FUNCTIONS: &str = "all";

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct CodeCache(Arc<Inner>);

struct Inner {
    components: KeptFiles,
    functions: KeptFiles,
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
    /// In this folder, which need not be there.
    pub fn new(folder: &Path) -> CodeCache {
        let components = KeptFiles::new(&folder.join("components"), COMPONENTS_MAX, COMPONENT_BYTES_MAX);
        let functions = KeptFiles::new(&folder.join("functions"), 1, FUNCTION_BYTES_MAX as u64);
        CodeCache(Arc::new(Inner { components, functions, entries: Mutex::default(), users: AtomicUsize::new(0) }))
    }

    /// Keeps the functions, if there are new ones, and lets go of the memory.
    pub fn save(&self) {
        let entries = self.0.lock().take();
        if let Some(entries) = entries.filter(|entries| entries.has_changed) {
            self.0.functions.put(FUNCTIONS, &entries.bytes());
        }
    }

    /// The component with this digest, if it was compiled for this engine before.
    pub(crate) fn component(&self, engine: &Engine, digest: &[u8; 32]) -> Option<Component> {
        let name = component_name(engine, digest);
        let code = self.0.components.get(&name)?;
        let component = deserialize(engine, &code);
        component.inspect_err(|error| tracing::debug!("cannot use the kept {name}: {error:#}")).ok()
    }

    /// Keeps a component for the next time.
    pub(crate) fn keep_component(&self, engine: &Engine, digest: &[u8; 32], component: &Component) {
        match component.serialize() {
            Ok(code) => self.0.components.put(&component_name(engine, digest), &code),
            Err(error) => tracing::debug!("cannot keep a compiled component: {error:#}"),
        }
    }
}

/// wasmtime compares the engine again, in all detail, when it loads the code.
fn component_name(engine: &Engine, digest: &[u8; 32]) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digest}-{:016x}", hasher.finish())
}

/// Only for what this module kept, and found to be whole.
#[expect(unsafe_code, reason = "wasmtime cannot tell its own code from somebody else's")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: these bytes are what `Component::serialize` gave: their file has the checksum of that, and nobody but the user
    // of this process may have written it. They are copied, so nobody changes them later. wasmtime refuses code of another
    // version, engine or processor.
    unsafe { Component::deserialize(engine, code) }
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
        let kept = || Entries::read(&self.functions.get(FUNCTIONS)?);
        Some(act(entries.get_or_insert_with(|| kept().unwrap_or_default())))
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CodeCache({:?})", self.components)
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

impl Entries {
    fn read(mut bytes: &[u8]) -> Option<Entries> {
        let mut entries = Entries::default();
        while !bytes.is_empty() {
            let (key, code);
            (key, bytes) = split_sized(bytes)?;
            (code, bytes) = split_sized(bytes)?;
            entries.by_key.insert(key.into(), Entry { code: code.into(), was_asked_for: false });
        }
        Some(entries)
    }

    /// As much as fits, and first what was asked for.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (asked_for, others): (Vec<_>, Vec<_>) = self.by_key.iter().partition(|(_, entry)| entry.was_asked_for);
        for (key, entry) in asked_for.into_iter().chain(others) {
            if bytes.len() + key.len() + entry.code.len() + 8 > FUNCTION_BYTES_MAX {
                break;
            }
            for part in [&key[..], &entry.code[..]] {
                bytes.extend((part.len() as u32).to_le_bytes());
                bytes.extend(part);
            }
        }
        bytes
    }
}

fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*size) as usize)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use wasmtime::{CacheStore, Config};

    use super::*;

    /// A folder that is gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            Folder(std::env::temp_dir().join(format!("dohost-code-cache-{}-{name}", std::process::id())))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn functions_that_were_saved_are_there_again() {
        let folder = Folder::new("functions");
        let cache = CodeCache::new(&folder.0);
        assert!(!cache.store().insert(b"key", b"code".to_vec()));
        let _in_use = cache.in_use();
        assert!(cache.store().get(b"key").is_none());
        cache.store().insert(b"key", b"code".to_vec());
        cache.save();
        assert_eq!(cache.store().get(b"key").as_deref(), Some(&b"code"[..]));
        let other = CodeCache::new(&folder.0);
        let _in_use = other.in_use();
        assert_eq!(other.store().get(b"key").as_deref(), Some(&b"code"[..]));
    }

    #[test]
    fn a_component_is_there_again_for_the_engine_that_it_was_compiled_for_and_for_no_other() {
        let folder = Folder::new("components");
        let cache = CodeCache::new(&folder.0);
        let engine = |bytes: u64| {
            let mut config = Config::new();
            config.memory_reservation(bytes);
            Engine::new(&config).expect("an engine")
        };
        let compiled_for = engine(1 << 20);
        let component = Component::new(&compiled_for, "(component)").expect("it is one");
        let digest = [7; 32];
        assert!(cache.component(&compiled_for, &digest).is_none());
        cache.keep_component(&compiled_for, &digest, &component);
        let other = CodeCache::new(&folder.0);
        assert!(other.component(&compiled_for, &digest).is_some());
        assert!(other.component(&engine(1 << 20), &digest).is_some());
        assert!(other.component(&compiled_for, &[8; 32]).is_none());
        let for_something_else = engine(1 << 21);
        assert!(other.component(&for_something_else, &digest).is_none());
        // Not even under its name.
        let file = |engine: &Engine| folder.0.join("components").join(component_name(engine, &digest));
        std::fs::rename(file(&compiled_for), file(&for_something_else)).expect("both are there");
        assert!(other.component(&for_something_else, &digest).is_none());
    }
}
