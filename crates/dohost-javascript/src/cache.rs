//! Components that were built before, by the content of all that they were built of.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dohost_engine::program::Module;
use dohost_rpc::Program;
use sha2::{Digest, Sha256};

/// Components that are kept.
const FILES_MAX: usize = 64;
/// Bytes that they may have together.
const BYTES_MAX: u64 = 512 << 20;

/// A folder of built components.
pub(crate) struct Cache(PathBuf);

impl Cache {
    pub fn new(folder: &Path) -> Cache {
        Cache(folder.to_owned())
    }

    /// What was built under this key.
    pub fn get(&self, key: &str) -> Option<(Vec<u8>, Program)> {
        let path = self.path(key);
        let component = std::fs::read(&path).ok()?;
        // It is at the end, so a file that is cut off has none.
        let program = Program::read(&component)?;
        let used = std::fs::File::options().append(true).open(&path);
        drop(used.and_then(|file| file.set_modified(SystemTime::now())));
        Some((component, program))
    }

    /// Keeps a component. That it cannot be kept is no reason not to use it.
    pub fn put(&self, key: &str, component: &[u8]) {
        let path = self.path(key);
        let unfinished = path.with_extension(std::process::id().to_string());
        let written = std::fs::create_dir_all(&self.0)
            .and_then(|()| std::fs::write(&unfinished, component))
            .and_then(|()| std::fs::rename(&unfinished, &path));
        if let Err(error) = written {
            tracing::debug!("cannot keep a component in {}: {error}", self.0.display());
            drop(std::fs::remove_file(&unfinished));
        }
        self.make_room();
    }

    /// Removes those that were not used for the longest time.
    fn make_room(&self) {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return };
        let files = entries.flatten().filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (number, (_, size, path)) in files.into_iter().enumerate() {
            bytes += size;
            if number >= FILES_MAX || bytes > BYTES_MAX {
                drop(std::fs::remove_file(path));
            }
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join(key).with_extension("wasm")
    }
}

/// Modules that are the same have the same key, with the same runtime.
pub(crate) fn key(runtime: &[u8], modules: &[Module]) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    add(&Sha256::digest(runtime));
    for module in modules {
        add(module.specifier.as_bytes());
        add(module.source.as_bytes());
        add(&(module.imports.len() as u64).to_le_bytes());
        for (specifier, meant) in &module.imports {
            add(specifier.as_bytes());
            add(meant.as_bytes());
        }
    }
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_and_what_is_damaged_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        Program::default().append(&mut component);
        for number in 0..FILES_MAX + 3 {
            cache.put(&number.to_string(), &component);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), FILES_MAX);
        let last = (FILES_MAX + 2).to_string();
        assert_eq!(cache.get(&last), Some((component.clone(), Program::default())));
        std::fs::write(cache.path(&last), &component[..component.len() - 1]).unwrap();
        assert_eq!(cache.get(&last), None);
    }

    #[test]
    fn what_is_another_program_has_another_key() {
        let module = |specifier: &str, source: &str| Module {
            specifier: specifier.into(),
            source: source.into(),
            imports: Vec::new(),
        };
        let keys = [
            key(b"r", &[module("a", "bc")]),
            key(b"s", &[module("a", "bc")]),
            key(b"r", &[module("ab", "c")]),
            key(b"r", &[module("a", "bc"), module("", "")]),
            key(b"r", &[Module { imports: vec![("x".into(), "y".into())], ..module("a", "bc") }]),
        ];
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key));
        }
    }
}
