//! Appending to the log.

use std::io;
use std::sync::Arc;

use redb::StorageBackend as _;

use super::record::{self, CLOSED, Header};
use super::{FILES, LogId, file_of};
use crate::disk::{Disk, Faults, Watched};
use crate::limits::LOG_GROWTH_BYTES;
use crate::rows::Layer;

/// See [`super`].
pub(crate) struct Log {
    files: [Watched; FILES],
    id: LogId,
    generation: u64,
    /// Records of this generation, and of the one before.
    records: u64,
    before: u64,
    /// Where the next record goes.
    position: u64,
    bytes_max: u64,
    /// The memory of the record that is written.
    buffer: Vec<u8>,
}

/// Opens the files of the log.
pub(crate) fn open(disk: &dyn Disk, faults: &Arc<Faults>) -> io::Result<[Watched; FILES]> {
    Ok([Watched::new(disk.open_log(0)?, faults.clone()), Watched::new(disk.open_log(1)?, faults.clone())])
}

impl Log {
    /// A log that goes on after a generation that the file has everything of.
    pub(crate) fn new(files: [Watched; FILES], id: LogId, applied: u64, bytes_max: u64) -> Log {
        let (records, before, position, buffer) = (0, 0, 0, Vec::new());
        Log { files, id, generation: applied + 1, records, before, position, bytes_max, buffer }
    }

    /// The generation that is appended to.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether nothing was appended to this generation.
    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Whether it should be brought to the file, so that there is room when it is needed.
    pub(crate) fn is_half_full(&self) -> bool {
        self.position >= self.bytes_max / 2
    }

    /// Whether it must be.
    pub(crate) fn is_full(&self) -> bool {
        self.position >= self.bytes_max
    }

    /// Appends the rows of a commit. They are durable when it returns. After a failure nothing counts as appended.
    pub(crate) fn append(&mut self, rows: &Layer) -> io::Result<()> {
        let header = Header { generation: self.generation, number: self.records, before: self.before };
        record::encode(&mut self.buffer, &self.id, header, rows);
        let end = self.position + self.buffer.len() as u64;
        let file = &self.files[file_of(self.generation)];
        let len = file.len()?;
        if len < end {
            // Space that has been written to is what makes the commits after this one fast.
            let new_len = end.max((len + LOG_GROWTH_BYTES as u64).min(self.bytes_max));
            file.set_len(new_len)?;
            write_zeros(file, end, new_len)?;
        }
        file.write(self.position, &self.buffer)?;
        file.sync_data()?;
        self.position = end;
        self.records += 1;
        Ok(())
    }

    /// Begins a new generation, in the file of the one before the last, which must be in the file of redb.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        let file = &self.files[file_of(self.generation + 1)];
        if file.len()? > self.bytes_max * 2 {
            // A commit of unusual size was in it.
            file.set_len(self.bytes_max)?;
        }
        self.generation += 1;
        (self.before, self.records, self.position) = (self.records, 0, 0);
        Ok(())
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
    let zeros = vec![0; (to - from).min(LOG_GROWTH_BYTES as u64) as usize];
    let mut at = from;
    while at < to {
        let len = (to - at).min(zeros.len() as u64) as usize;
        file.write(at, &zeros[..len])?;
        at += len as u64;
    }
    Ok(())
}
