//! Appending to the log.

use std::io;
use std::sync::Arc;

use redb::StorageBackend as _;

use super::record::{self, CLOSED, Header, SECTOR_BYTES, UNKNOWN};
use super::{FILES, LogId, file_of};
use crate::disk::{Disk, Faults, Watched};
use crate::limits::LOG_GROWTH_BYTES;
use crate::rows::Layer;

/// See [`super`].
pub(crate) struct Log {
    files: [Watched; FILES],
    id: LogId,
    generation: u64,
    /// Records of this generation, and of the one before as it is noted.
    records: u64,
    before: u64,
    /// Where the next record goes, and where the last one of the generation before ends.
    position: u64,
    end_before: u64,
    bytes_max: u64,
    /// Bytes that a file grows by, beyond what it must.
    growth: u64,
    /// The other file says that the store was closed.
    is_marked: bool,
    /// The memory of the record that is written.
    buffer: Vec<u8>,
}

/// Opens the files of the log.
pub(crate) fn open(disk: &dyn Disk, faults: &Arc<Faults>) -> io::Result<[Watched; FILES]> {
    Ok([Watched::new(disk.open_log(0)?, faults.clone()), Watched::new(disk.open_log(1)?, faults.clone())])
}

impl Log {
    /// A log that goes on after a generation that the file has everything of. `is_marked`: it says that the store was closed
    /// then.
    pub(crate) fn new(files: [Watched; FILES], id: LogId, applied: u64, is_marked: bool, bytes_max: u64) -> Log {
        let (generation, growth, buffer) = (applied + 1, LOG_GROWTH_BYTES, Vec::new());
        let (records, before, position, end_before) = (0, UNKNOWN, 0, 0);
        Log { files, id, generation, records, before, position, end_before, bytes_max, growth, is_marked, buffer }
    }

    /// The generation that is appended to.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether nothing was appended to this generation.
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes that were appended to this generation.
    pub(crate) fn bytes(&self) -> u64 {
        self.position
    }

    /// Bytes that a generation may have, exceeded by one commit.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Appends the rows of a commit. They are durable when it returns. After a failure nothing counts as appended.
    pub(crate) fn append(&mut self, rows: &Layer) -> io::Result<()> {
        if self.is_marked {
            self.remove_mark()?;
        }
        let header = Header { generation: self.generation, number: self.records, before: self.before };
        record::encode(&mut self.buffer, &self.id, header, rows);
        let end = self.position + self.buffer.len() as u64;
        let file = &self.files[file_of(self.generation)];
        let len = file.len()?;
        if len < end {
            self.grow(len, end).inspect_err(|_| {
                // What it got of the space is of more use to others.
                let _ = file.set_len(len);
            })?;
        }
        file.write(self.position, &self.buffer)?;
        file.sync_data()?;
        self.position = end;
        self.records += 1;
        Ok(())
    }

    /// From now on the store was not closed. Durable before anything is appended, so that a start looks for that.
    fn remove_mark(&mut self) -> io::Result<()> {
        let file = &self.files[file_of(self.generation - 1)];
        file.write(0, &[0; SECTOR_BYTES])?;
        file.sync_data()?;
        self.is_marked = false;
        Ok(())
    }

    /// Makes room for a record that ends at `end`.
    fn grow(&self, len: u64, end: u64) -> io::Result<()> {
        let file = &self.files[file_of(self.generation)];
        // Space that has been written to is what makes the commits after this one fast.
        let new_len = end.max((len + self.growth).min(self.bytes_max));
        file.set_len(new_len)?;
        write_zeros(file, len, new_len)
    }

    /// Takes no more space than it must, and gives back what is not in use, for the file of redb; or no longer.
    pub(crate) fn be_thrifty(&mut self, is_thrifty: bool) -> io::Result<()> {
        self.growth = if is_thrifty { 0 } else { LOG_GROWTH_BYTES };
        if is_thrifty {
            for (generation, end) in [(self.generation, self.position), (self.generation + 1, self.end_before)] {
                let file = &self.files[file_of(generation)];
                if file.len()? > end {
                    file.set_len(end)?;
                }
            }
        }
        Ok(())
    }

    /// Begins a new generation, in the file of the one before the last, which must be in the file of redb.
    pub(crate) fn rotate(&mut self) {
        self.generation += 1;
        (self.before, self.end_before) = (self.records, self.position);
        // It is of an older generation now, which says nothing.
        self.is_marked = false;
        (self.records, self.position) = (0, 0);
    }

    /// Notes that rows which are not in the log went to the file with the generation before.
    pub(crate) fn note_extra(&mut self) {
        self.before += 1;
    }

    /// Notes that the file of redb has everything, so that the next start need not look. `applied` is the last generation
    /// in it.
    pub(crate) fn close(&mut self, applied: u64) -> io::Result<()> {
        let file = &self.files[file_of(applied)];
        // Nothing was ever appended.
        if file.len()? == 0 {
            return Ok(());
        }
        let header = Header { generation: applied, number: CLOSED, before: 0 };
        record::encode(&mut self.buffer, &self.id, header, &Layer::new());
        file.write(0, &self.buffer)?;
        file.sync_data()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        for file in &self.files {
            // What counts was synced.
            let _ = file.close();
        }
    }
}

fn write_zeros(file: &Watched, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; (to - from).min(LOG_GROWTH_BYTES) as usize];
    let mut at = from;
    while at < to {
        let len = (to - at).min(zeros.len() as u64) as usize;
        file.write(at, &zeros[..len])?;
        at += len as u64;
    }
    Ok(())
}
