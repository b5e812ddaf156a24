//! What the log has that the file does not, when a store is opened.

use std::io;

use redb::StorageBackend as _;
use tracing::info;

use super::record::{self, CLOSED, Record, SECTOR_BYTES, UNKNOWN};
use super::{FILES, LogId, file_of};
use crate::disk::Watched;
use crate::limits::LOG_FILE_BYTES_MAX;
use crate::open::OpenError;
use crate::rows::Layer;

/// What was found.
#[derive(Default)]
pub(crate) struct Recovered {
    /// Rows that the file does not have, as they were in the end.
    pub(crate) rows: Layer,
    /// The last generation that they are of.
    pub(crate) generation: u64,
    /// The log says that the store was closed.
    pub(crate) is_marked: bool,
}

/// A generation that a file of the log has.
struct Generation {
    number: u64,
    records: u64,
    before: u64,
    rows: Vec<Layer>,
}

/// Reads what is in the log after the generation `applied`.
pub(crate) fn recover(files: &[Watched; FILES], id: &LogId, applied: u64) -> Result<Recovered, OpenError> {
    let is_marked = was_closed(files, id, applied).map_err(OpenError::from_io)?;
    let nothing = Recovered { rows: Layer::new(), generation: applied, is_marked };
    if is_marked {
        return Ok(nothing);
    }
    let mut generations = Vec::new();
    for (number, file) in files.iter().enumerate() {
        if file.len().map_err(OpenError::from_io)? > LOG_FILE_BYTES_MAX {
            return Err(Defect::Damaged("it is too long".into()).of(number));
        }
        let bytes = read(file, usize::MAX).map_err(OpenError::from_io)?;
        generations.extend(generation(&bytes, id, applied).map_err(|defect| defect.of(number))?);
    }
    generations.sort_by_key(|generation| generation.number);
    let mut recovered = nothing;
    let mut records = 0;
    for generation in generations {
        let Generation { number, before, .. } = generation;
        // One that nothing was written to leaves no trace.
        let follows = number == recovered.generation + 1 || (number == recovered.generation + 2 && before == 0);
        if !follows {
            let has = recovered.generation;
            let detail = format!("it goes on after generation {}, and store.redb has {has}", number - 1);
            return Err(Defect::Apart(detail).of(file_of(number)));
        }
        let first = recovered.generation == applied;
        if !first && before != UNKNOWN && before != records {
            let detail = format!("it has {records} of the {before} commits of its generation");
            return Err(Defect::Damaged(detail).of(file_of(number - 1)));
        }
        (recovered.generation, records) = (number, generation.records);
        for rows in generation.rows {
            recovered.rows.extend(rows);
        }
    }
    if records > 0 {
        info!(rows = recovered.rows.len(), "the store was not closed cleanly, going on from its log");
    }
    Ok(recovered)
}

/// Whether the store was closed after this generation and not used since, by the first sectors alone.
fn was_closed(files: &[Watched; FILES], id: &LogId, applied: u64) -> io::Result<bool> {
    let last = read(&files[file_of(applied)], SECTOR_BYTES)?;
    let Some(Record { header, .. }) = record::decode(&last, id) else { return Ok(false) };
    let other = read(&files[file_of(applied + 1)], SECTOR_BYTES)?;
    let is_older = match record::peek(&other, id) {
        Some(header) => header.generation < applied,
        None => other.iter().all(|byte| *byte == 0),
    };
    Ok(header.number == CLOSED && header.generation == applied && is_older)
}

/// The generation that a file has, if it is later than `applied`.
fn generation(bytes: &[u8], id: &LogId, applied: u64) -> Result<Option<Generation>, Defect> {
    let mut found: Option<Generation> = None;
    let mut at = 0;
    while let Some(record) = record_at(bytes, at, id)? {
        let header = record.header;
        let is_next = match &found {
            None => header.number == 0 && header.generation > applied,
            Some(found) => header.generation == found.number && header.number == found.records,
        };
        if !is_next {
            break;
        }
        let rows = record
            .rows()
            .ok_or_else(|| Defect::Damaged("a commit has rows of no known shape".into()))?
            .into_iter()
            .collect();
        let (number, before) = (header.generation, header.before);
        let generation = found.get_or_insert(Generation { number, records: 0, before, rows: Vec::new() });
        generation.records += 1;
        generation.rows.push(rows);
        at += record.bytes;
    }
    // What a crash cut off is the last one.
    let last = found.as_ref().map_or(applied, |found| found.number - 1);
    for at in (at..bytes.len()).step_by(SECTOR_BYTES) {
        if let Some(record) = record_at(bytes, at, id)?
            && record.header.generation > last
        {
            let Record { header, .. } = record;
            let (number, generation) = (header.number, header.generation);
            let detail = format!("a commit before commit {number} of generation {generation} cannot be read");
            return Err(Defect::Damaged(detail));
        }
    }
    Ok(found)
}

fn record_at<'a>(bytes: &'a [u8], at: usize, id: &LogId) -> Result<Option<Record<'a>>, Defect> {
    let bytes = bytes.get(at..).unwrap_or_default();
    // What stands further behind may be something that a guest stored.
    if at == 0 && record::is_foreign(bytes, id) {
        return Err(Defect::Apart("it belongs to another store".into()));
    }
    Ok(record::decode(bytes, id))
}

fn read(file: &Watched, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (file.len()? as usize).min(bytes_max)];
    file.read(0, &mut bytes)?;
    Ok(bytes)
}

/// What is wrong with a file of the log.
enum Defect {
    Damaged(String),
    Apart(String),
}

impl Defect {
    fn of(self, file: usize) -> OpenError {
        match self {
            Defect::Damaged(detail) => OpenError::Damaged { detail: format!("store.log{file}: {detail}") },
            Defect::Apart(detail) => OpenError::Apart { detail: format!("store.log{file}: {detail}") },
        }
    }
}
