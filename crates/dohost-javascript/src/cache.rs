//! Components that were built before, by the content of all that they were built of.

use std::path::Path;

use dohost_engine::KeptFiles;
use dohost_engine::program::Module;
use dohost_rpc::Program;
use sha2::{Digest, Sha256};

/// Components that are kept.
const FILES_MAX: usize = 64;
/// Bytes that they may have together.
const BYTES_MAX: u64 = 512 << 20;

/// A folder of built components.
pub(crate) struct Cache(KeptFiles);

impl Cache {
    pub fn new(folder: &Path) -> Cache {
        Cache(KeptFiles::new(folder, FILES_MAX, BYTES_MAX))
    }

    /// What was built under this key.
    pub fn get(&self, key: &str) -> Option<(Vec<u8>, Program)> {
        let component = self.0.get(key)?;
        let program = Program::read(&component)?;
        Some((component, program))
    }

    /// Keeps a component.
    pub fn put(&self, key: &str, component: &[u8]) {
        self.0.put(key, component);
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
    fn what_was_built_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        Program::default().append(&mut component);
        cache.put("key", &component);
        assert_eq!(Cache::new(folder.path()).get("key"), Some((component, Program::default())));
        assert_eq!(cache.get("other"), None);
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
