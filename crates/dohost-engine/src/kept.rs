//! Files that can be made again: a folder of them, with limits on their number and size.
//!
//! A file is only there if it is as it was kept, under the same name, by the same user: a checksum tells what is damaged, cut
//! off, renamed or of an older dohost, and what somebody else owns or may write to is not read.
//!
//! A file is written whole, by way of a rename, so of two that write the same one wins. Those that were not used for
//! the longest time go first.

use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

/// What a file begins with; its checksum comes next.
const MAGIC: &[u8] = b"dohost cache 1\n";
/// Bytes of the checksum.
const CHECKSUM_BYTES: usize = 32;

/// See the module.
#[derive(Clone, Debug)]
pub struct KeptFiles {
    folder: PathBuf,
    files_max: usize,
    bytes_max: u64,
}

impl KeptFiles {
    /// In this folder, which need not be there.
    pub fn new(folder: &Path, files_max: usize, bytes_max: u64) -> KeptFiles {
        KeptFiles { folder: folder.to_owned(), files_max, bytes_max }
    }

    /// The content of a file, if it is there. Reading is using.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        // Only what may be written to can be marked as used; whether it is read-only says nothing about it.
        let path = self.folder.join(name);
        let mut file = File::options().read(true).append(true).open(&path).or_else(|_| File::open(&path)).ok()?;
        if !is_ours(&file.metadata().ok()?) {
            tracing::warn!("{} is not used: another user owns it or may write to it", path.display());
            return None;
        }
        let mut content = Vec::new();
        file.read_to_end(&mut content).ok()?;
        let (checksum, rest) = content.strip_prefix(MAGIC)?.split_at_checked(CHECKSUM_BYTES)?;
        if self::checksum(name, rest) != *checksum {
            return None;
        }
        drop(file.set_modified(SystemTime::now()));
        content.drain(..MAGIC.len() + CHECKSUM_BYTES);
        Some(content)
    }

    /// Keeps this, unless it is larger than all files may be together. That it cannot be kept is no reason not to use it.
    pub fn put(&self, name: &str, content: &[u8]) {
        if content.len() as u64 > self.bytes_max {
            return;
        }
        if let Err(error) = self.write(name, content) {
            tracing::debug!("cannot keep {name} in {}: {error}", self.folder.display());
        }
        self.make_room();
    }

    fn write(&self, name: &str, content: &[u8]) -> std::io::Result<()> {
        static WRITTEN: AtomicU64 = AtomicU64::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        std::fs::create_dir_all(&self.folder)?;
        let unfinished = self.folder.join(format!("{name}.{}-{number}", std::process::id()));
        let mut options = File::options();
        let opened = options.write(true).create_new(true).mode(0o600).open(&unfinished);
        let written = opened.and_then(|mut file| {
            file.write_all(MAGIC)?;
            file.write_all(&checksum(name, content))?;
            file.write_all(content)
        });
        let renamed = written.and_then(|()| std::fs::rename(&unfinished, self.folder.join(name)));
        renamed.inspect_err(|_| drop(std::fs::remove_file(&unfinished)))
    }

    fn make_room(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return };
        let files = entries.flatten().filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (number, (_, size, path)) in files.into_iter().enumerate() {
            bytes += size;
            if number >= self.files_max || bytes > self.bytes_max + (MAGIC.len() + CHECKSUM_BYTES) as u64 {
                drop(std::fs::remove_file(path));
            }
        }
    }
}

fn checksum(name: &str, content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hash = Sha256::new();
    hash.update((name.len() as u64).to_le_bytes());
    hash.update(name);
    hash.update(content);
    hash.finalize().into()
}

/// Whether nobody but the user of this process can have written a file. Without `/proc` its owner is not looked at.
fn is_ours(file: &Metadata) -> bool {
    static USER: OnceLock<Option<u32>> = OnceLock::new();
    let user = *USER.get_or_init(|| Some(std::fs::metadata("/proc/self").ok()?.uid()));
    file.is_file() && file.mode() & 0o022 == 0 && user.is_none_or(|user| user == file.uid())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    /// A folder that is gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            Folder(std::env::temp_dir().join(format!("dohost-kept-{}-{name}", std::process::id())))
        }

        fn kept(&self, files_max: usize, bytes_max: u64) -> KeptFiles {
            KeptFiles::new(&self.0, files_max, bytes_max)
        }

        /// As if a file had last been used so many seconds after the others.
        fn used_at(&self, name: &str, seconds: u64) {
            let file = File::options().append(true).open(self.0.join(name)).expect("it is there");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).expect("it is ours");
        }

        fn count(&self) -> usize {
            std::fs::read_dir(&self.0).map_or(0, Iterator::count)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn a_damaged_file_counts_as_empty() {
        let folder = Folder::new("damaged");
        let kept = folder.kept(3, 1_000);
        assert_eq!(kept.get("a"), None);
        kept.put("a", b"content");
        assert_eq!(kept.get("a").as_deref(), Some(&b"content"[..]));
        let path = folder.0.join("a");
        let whole = std::fs::read(&path).expect("it was written");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).expect("it can be written");
            assert_eq!(kept.get("a"), None, "byte {at}");
            std::fs::write(&path, &whole[..at]).expect("it can be written");
            assert_eq!(kept.get("a"), None, "{at} bytes");
        }
        kept.put("a", b"content");
        assert!(kept.get("a").is_some(), "it is made again");
    }

    #[test]
    fn what_others_may_have_written_or_renamed_is_not_there() {
        let folder = Folder::new("others");
        let kept = folder.kept(3, 1_000);
        kept.put("a", b"content");
        let (a, b) = (folder.0.join("a"), folder.0.join("b"));
        std::fs::copy(&a, &b).expect("it can be copied");
        assert!(kept.get("a").is_some() && kept.get("b").is_none());
        for (mode, is_there) in [(0o622, false), (0o620, false), (0o644, true), (0o400, true)] {
            std::fs::set_permissions(&a, Permissions::from_mode(mode)).expect("it is ours");
            assert_eq!(kept.get("a").is_some(), is_there, "{mode:o}");
        }
    }

    #[test]
    fn those_that_were_not_used_for_the_longest_time_go() {
        let folder = Folder::new("oldest");
        let kept = folder.kept(3, 1_000);
        for (name, seconds) in [("a", 1), ("b", 2), ("c", 3)] {
            kept.put(name, name.as_bytes());
            folder.used_at(name, seconds);
        }
        // Reading is using.
        assert!(kept.get("a").is_some());
        kept.put("d", b"d");
        assert_eq!(["a", "b", "c", "d"].map(|name| kept.get(name).is_some()), [true, false, true, true]);
        assert_eq!(folder.count(), 3);
    }

    #[test]
    fn all_together_have_no_more_bytes_than_they_may() {
        let folder = Folder::new("bytes");
        let kept = folder.kept(100, 1_000);
        for number in 0..10 {
            kept.put(&number.to_string(), &[0; 300]);
            folder.used_at(&number.to_string(), number);
        }
        kept.put("last", &[0; 300]);
        assert!(kept.get("last").is_some());
        assert!(folder.count() <= 3, "{}", folder.count());
        kept.put("whole", &[0; 1_000]);
        assert!(kept.get("whole").is_some());
        kept.put("too large", &[0; 1_001]);
        assert!(kept.get("too large").is_none() && kept.get("whole").is_some());
    }
}
