//! A disk in memory that forgets what was not synced, and fails on demand.
//!
//! It keeps two images of each file: what the operating system would show (*live*) and what would survive a power cut (*durable*),
//! and between them the operations since the last sync. A crash may keep any of those, in any combination, down to
//! single sectors of 512 bytes, which is what a real disk may do; [`FaultyDisk::after_crash`] lets the caller choose.
//!
//! What can be made to fail: everything from the n-th operation on (a crash), writes that find no room, one fsync. And
//! syncs can be held up, so that a test can look at what gathers meanwhile.
//!
//! Clones are handles on one disk.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{Disk, StorageBackend};

/// The unit that a disk writes whole or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

/// What redb keeps its header in.
const HEADER_BYTES: u64 = 4_096;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    sync_came: Condvar,
    sync_released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// That of redb, and those of the log.
    files: [Image; 3],
    operations: u64,
    syncs: u64,
    crash_at: Option<u64>,
    full: Full,
    redb_is_full: bool,
    redb_pages_are_full: bool,
    sync_fails: Option<io::ErrorKind>,
    redb_sync_fails: Option<io::ErrorKind>,
    syncs_held: bool,
    syncs_waiting: usize,
}

#[derive(Debug, Default)]
struct Image {
    live: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    is_open: bool,
    is_missing: bool,
}

/// One of the files of a disk.
#[derive(Clone, Debug)]
pub struct FaultyFile {
    disk: FaultyDisk,
    number: usize,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Full {
    #[default]
    No,
    Once,
    Always,
}

/// Holds up every sync of a disk until it is dropped.
#[derive(Debug)]
pub struct HeldSyncs {
    disk: FaultyDisk,
}

impl FaultyDisk {
    /// An empty disk.
    pub fn new() -> FaultyDisk {
        FaultyDisk::default()
    }

    /// A disk that has the file of redb, durable, and no log.
    pub fn with_content(content: Vec<u8>) -> FaultyDisk {
        let disk = FaultyDisk::with_files([content, Vec::new(), Vec::new()]);
        disk.inner.state.lock().files[1..].iter_mut().for_each(|log| log.is_missing = true);
        disk
    }

    /// Has a file of the log removed.
    pub fn remove_log(&self, number: usize) {
        self.inner.state.lock().files[1 + number] = Image { is_missing: true, ..Image::default() };
    }

    /// A disk that has these files, durable: that of redb, and those of the log.
    pub fn with_files(files: [Vec<u8>; 3]) -> FaultyDisk {
        let disk = FaultyDisk::new();
        disk.inner.state.lock().files =
            files.map(|content| Image { durable: content.clone(), live: content, ..Image::default() });
        disk
    }

    /// What the operating system would show of the files: that of redb, and those of the log.
    pub fn files(&self) -> [Vec<u8>; 3] {
        let state = self.inner.state.lock();
        std::array::from_fn(|number| state.files[number].live.clone())
    }

    /// Lets the operation number `operation` (writes, changes of length and syncs, counted from 0) and all after it
    /// fail.
    pub fn crash_at(&self, operation: u64) {
        self.inner.state.lock().crash_at = Some(operation);
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.inner.state.lock().operations
    }

    /// Successful syncs so far.
    pub fn syncs(&self) -> u64 {
        self.inner.state.lock().syncs
    }

    /// Whether an operation failed because of [`FaultyDisk::crash_at`].
    pub fn has_crashed(&self) -> bool {
        let state = self.inner.state.lock();
        state.crash_at.is_some_and(|at| state.operations > at)
    }

    /// Lets all writes find the disk full, or no longer.
    pub fn set_full(&self, is_full: bool) {
        self.inner.state.lock().full = if is_full { Full::Always } else { Full::No };
    }

    /// Lets the next write, and only that, find the disk full.
    pub fn fill_once(&self) {
        self.inner.state.lock().full = Full::Once;
    }

    /// Lets all writes to the file of redb find the disk full, or no longer. The log has its space already.
    pub fn set_redb_full(&self, is_full: bool) {
        self.inner.state.lock().redb_is_full = is_full;
    }

    /// Lets writes to the file of redb find the disk full, or no longer, but for those to its header: it can be opened, and not
    /// be written.
    pub fn set_redb_pages_full(&self, is_full: bool) {
        self.inner.state.lock().redb_pages_are_full = is_full;
    }

    /// Lets the next sync of the file of redb fail, as [`FaultyDisk::fail_next_sync`].
    pub fn fail_next_redb_sync(&self, kind: io::ErrorKind) {
        self.inner.state.lock().redb_sync_fails = Some(kind);
    }

    /// Lets the next sync fail with an error of this kind. What was not synced counts as clean from then on, as it does for operating systems
    /// that drop pages they could not write: the syncs after it succeed and make nothing of it durable.
    pub fn fail_next_sync(&self, kind: io::ErrorKind) {
        self.inner.state.lock().sync_fails = Some(kind);
    }

    /// Holds up every sync until the guard is dropped.
    pub fn hold_syncs(&self) -> HeldSyncs {
        self.inner.state.lock().syncs_held = true;
        HeldSyncs { disk: self.clone() }
    }

    /// The disk as it is found after a crash: what is durable, and of every sector that was not synced what `keeps`
    /// says, asked for one file after the other in the order of the writes. A change of length counts as one sector.
    pub fn after_crash(&self, mut keeps: impl FnMut() -> bool) -> FaultyDisk {
        let state = self.inner.state.lock();
        FaultyDisk::with_files(std::array::from_fn(|number| state.files[number].after_crash(&mut keeps)))
    }

    /// The file of redb, for who is not a store. Nobody else may have it open.
    pub fn open_redb(&self) -> FaultyFile {
        self.open_file(0)
    }

    fn open_file(&self, number: usize) -> FaultyFile {
        let mut state = self.inner.state.lock();
        assert!(!std::mem::replace(&mut state.files[number].is_open, true), "a file is opened twice");
        state.files[number].is_missing = false;
        FaultyFile { disk: self.clone(), number }
    }

    fn operation<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.inner.state.lock();
        state.operations += 1;
        if state.crash_at.is_some_and(|at| state.operations > at) {
            return Err(io::Error::other("the machine crashed"));
        }
        change(&mut state)
    }
}

impl HeldSyncs {
    /// Waits until a sync is being held up; panics if none comes in ten seconds.
    pub fn wait_for_sync(&self) {
        let inner = &self.disk.inner;
        let mut state = inner.state.lock();
        while state.syncs_waiting == 0 {
            let waited = inner.sync_came.wait_for(&mut state, Duration::from_secs(10));
            assert!(!waited.timed_out(), "no sync came");
        }
    }
}

impl Drop for HeldSyncs {
    fn drop(&mut self) {
        self.disk.inner.state.lock().syncs_held = false;
        self.disk.inner.sync_released.notify_all();
    }
}

impl Disk for FaultyDisk {
    fn open(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(self.open_file(0)))
    }

    fn open_log(&self, number: usize) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(self.open_file(1 + number)))
    }

    fn has_log(&self, number: usize) -> io::Result<bool> {
        Ok(!self.inner.state.lock().files[1 + number].is_missing)
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.inner.state.lock().files[self.number].live.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.disk.inner.state.lock();
        let start = offset as usize;
        let stored = state.files[self.number].live.get(start..start + out.len());
        out.copy_from_slice(stored.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.operation(|state| {
            if len as usize > state.files[self.number].live.len() {
                state.check_room(self.number)?;
            }
            let file = &mut state.files[self.number];
            file.live.resize(len as usize, 0);
            file.unsynced.push(Change::SetLen(len as usize));
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        {
            let inner = &self.disk.inner;
            let mut state = inner.state.lock();
            while state.syncs_held {
                state.syncs_waiting += 1;
                inner.sync_came.notify_all();
                inner.sync_released.wait(&mut state);
                state.syncs_waiting -= 1;
            }
        }
        self.disk.operation(|state| {
            let redb_fails = if self.number == 0 { state.redb_sync_fails.take() } else { None };
            let fails = state.sync_fails.take().or(redb_fails);
            let file = &mut state.files[self.number];
            if let Some(kind) = fails {
                file.unsynced.clear();
                return Err(kind.into());
            }
            file.sync();
            state.syncs += 1;
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.operation(|state| {
            if state.redb_pages_are_full && self.number == 0 && offset >= HEADER_BYTES {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.check_room(self.number)?;
            let (offset, file) = (offset as usize, &mut state.files[self.number]);
            keep_sectors(&mut file.live, offset, data, &mut || true);
            file.unsynced.push(Change::Write { offset, data: data.to_vec() });
            Ok(())
        })
    }

    fn close(&self) -> io::Result<()> {
        self.disk.inner.state.lock().files[self.number].is_open = false;
        Ok(())
    }
}

impl Image {
    fn sync(&mut self) {
        for change in self.unsynced.drain(..) {
            match change {
                Change::SetLen(len) => self.durable.resize(len, 0),
                Change::Write { offset, data } => keep_sectors(&mut self.durable, offset, &data, &mut || true),
            }
        }
    }

    /// What is durable, and of what is not what `keeps` says.
    fn after_crash(&self, keeps: &mut impl FnMut() -> bool) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in &self.unsynced {
            match change {
                Change::SetLen(len) => {
                    if keeps() {
                        content.resize(*len, 0);
                    }
                }
                Change::Write { offset, data } => keep_sectors(&mut content, *offset, data, keeps),
            }
        }
        content
    }
}

impl State {
    fn check_room(&mut self, file: usize) -> io::Result<()> {
        match self.full {
            Full::No if self.redb_is_full && file == 0 => {}
            Full::No => return Ok(()),
            Full::Once => self.full = Full::No,
            Full::Always => {}
        }
        Err(io::ErrorKind::StorageFull.into())
    }
}

/// Copies those sectors of `data` that `keeps` says, making `content` longer where needed.
fn keep_sectors(content: &mut Vec<u8>, offset: usize, data: &[u8], keeps: &mut impl FnMut() -> bool) {
    let mut at = 0;
    while at < data.len() {
        let sector_left = SECTOR_BYTES - (offset + at) % SECTOR_BYTES;
        let end = data.len().min(at + sector_left);
        if keeps() {
            if content.len() < offset + end {
                content.resize(offset + end, 0);
            }
            content[offset + at..offset + end].copy_from_slice(&data[at..end]);
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_loses_what_was_not_synced_and_keeps_what_was() {
        let disk = FaultyDisk::new();
        let file = disk.open().unwrap();
        file.set_len(2048).unwrap();
        file.write(0, &[1; 1024]).unwrap();
        file.sync_data().unwrap();
        file.write(512, &[2; 1024]).unwrap();
        // Another file has a sync of its own.
        disk.open_log(0).unwrap().sync_data().unwrap();
        let read = |disk: &FaultyDisk| {
            let [bytes, ..] = disk.files();
            [bytes[0], bytes[512], bytes[1024], bytes[1536]]
        };
        assert_eq!(read(&disk), [1, 2, 2, 0]);
        assert_eq!(read(&disk.after_crash(|| false)), [1, 1, 0, 0]);
        assert_eq!(read(&disk.after_crash(|| true)), [1, 2, 2, 0]);
        let mut second_only = [false, true].into_iter();
        assert_eq!(read(&disk.after_crash(|| second_only.next().unwrap())), [1, 1, 2, 0]);
    }

    #[test]
    fn a_crashed_disk_fails_everything_after_it() {
        let disk = FaultyDisk::new();
        disk.crash_at(1);
        let file = disk.open().unwrap();
        file.set_len(10).unwrap();
        assert!(!disk.has_crashed());
        assert!(file.write(0, &[1]).is_err());
        assert!(file.sync_data().is_err());
        assert!(disk.has_crashed());
    }
}
