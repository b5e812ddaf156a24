//! The places where rows are, and views of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::merge::{Merged, Source};
use super::{FileRows, Order, ReadRows, Stored};

/// Rows in memory; `None` for one that was removed.
pub(crate) type Layer = BTreeMap<Bytes, Option<Bytes>>;

/// Memory of a row beside its key and its value: its place in the layer, and what two allocations take.
const ROW_BYTES: usize = 128;

/// Rows that several threads look at. Who reads holds the lock for some rows at a time.
pub(crate) type SharedLayer = Arc<RwLock<Layer>>;

/// See [`super`].
pub(crate) struct Tables {
    pub(crate) active: SharedLayer,
    pub(crate) frozen: Option<SharedLayer>,
    pub(crate) file: File,
}

/// The file, or why there is none.
#[derive(Clone)]
pub(crate) enum File {
    Open(Arc<FileRows>),
    /// Closed because the disk was full; to be opened anew.
    Full,
    Closed,
}

impl Tables {
    pub(crate) fn new(rows: FileRows) -> Tables {
        Tables { active: SharedLayer::default(), frozen: None, file: File::Open(Arc::new(rows)) }
    }

    /// Lets what is active be brought to the file. The layer to bring.
    pub(crate) fn freeze(&mut self) -> SharedLayer {
        assert!(self.frozen.is_none(), "a checkpoint begins while another is under way");
        let frozen = std::mem::take(&mut self.active);
        self.frozen = Some(frozen.clone());
        frozen
    }

    /// Takes note that the file has all frozen rows.
    pub(crate) fn thaw(&mut self, rows: FileRows) {
        self.frozen = None;
        self.file = File::Open(Arc::new(rows));
    }
}

/// What is durable, for readers. Each row that it gives was durable when it was read; a row that is committed meanwhile may
/// be seen or not.
pub(crate) struct View {
    active: SharedLayer,
    frozen: Option<SharedLayer>,
    file: Arc<FileRows>,
}

impl View {
    /// A view of all places; none while there is no file.
    pub(crate) fn new(tables: &Tables) -> Option<View> {
        let File::Open(file) = &tables.file else { return None };
        Some(View { active: tables.active.clone(), frozen: tables.frozen.clone(), file: file.clone() })
    }

    /// Adds what was committed. How many bytes of memory that takes more, about; rows that were there before count as they
    /// were.
    pub(crate) fn commit(&self, rows: Layer) -> usize {
        let mut active = self.active.write();
        let mut bytes = 0;
        for (key, value) in rows {
            let row = row_bytes(&key, &value);
            if active.insert(key, value).is_none() {
                bytes += row;
            }
        }
        bytes
    }

    /// The values of several keys, all of one moment.
    pub(crate) fn get_all<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Option<Stored>>, redb::Error> {
        // A commit that comes in between would change the active rows, and nothing else.
        let active = self.active.read();
        let keys: Vec<_> = keys.map(|key| (key, in_memory(&active, key))).collect();
        drop(active);
        keys.into_iter().map(|(key, found)| found.map_or_else(|| self.get_older(key), Ok)).collect()
    }

    /// The value of a key that is not among the active rows.
    fn get_older(&self, key: &[u8]) -> Result<Option<Stored>, redb::Error> {
        if let Some(frozen) = &self.frozen
            && let Some(found) = in_memory(&frozen.read(), key)
        {
            return Ok(found);
        }
        Ok(self.file.get(key)?.map(Stored::File))
    }

    /// Where the rows of a range are, the newest place first.
    pub(super) fn sources(&self, range: Range<&[u8]>, order: Order) -> Result<Vec<Source<'_>>, redb::Error> {
        let mut sources = Vec::with_capacity(4);
        if range.start >= range.end {
            return Ok(sources);
        }
        sources.push(Source::layer(&self.active, range.clone(), order));
        sources.extend(self.frozen.as_ref().map(|frozen| Source::layer(frozen, range.clone(), order)));
        sources.push(Source::file(self.file.range::<&[u8]>(range)?, order));
        Ok(sources)
    }
}

impl ReadRows for View {
    fn get(&self, key: &[u8]) -> Result<Option<Stored>, redb::Error> {
        let found = in_memory(&self.active.read(), key);
        found.map_or_else(|| self.get_older(key), Ok)
    }

    fn range_in(&self, range: Range<&[u8]>, order: Order) -> Result<Merged<'_>, redb::Error> {
        Merged::new(self.sources(range, order)?, order)
    }
}

/// What a row takes in memory, about.
pub(super) fn row_bytes(key: &Bytes, value: &Option<Bytes>) -> usize {
    ROW_BYTES + key.len() + value.as_ref().map_or(0, Bytes::len)
}

/// What a layer knows of a key; `None` if nothing.
pub(super) fn in_memory(layer: &Layer, key: &[u8]) -> Option<Option<Stored>> {
    layer.get(key).map(|value| value.clone().map(Stored::Memory))
}
