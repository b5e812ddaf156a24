//! What one commit writes, on top of what is durable.

use std::ops::Range;

use bytes::Bytes;

use super::merge::{Merged, Source};
use super::tables::in_memory;
use super::{Layer, Order, ReadRows, Stored, View};

/// Rows as they will be after a commit. Nobody else sees them before that, and dropping it forgets them.
pub(crate) struct Batch {
    view: View,
    staged: Layer,
}

impl Batch {
    pub(crate) fn new(view: View) -> Batch {
        Batch { view, staged: Layer::new() }
    }

    /// Sets a row.
    pub(crate) fn insert(&mut self, key: &[u8], value: impl Into<Bytes>) {
        self.stage(key, Some(value.into()));
    }

    /// Sets a row, and gives what it had.
    pub(crate) fn replace(&mut self, key: &[u8], value: impl Into<Bytes>) -> Result<Option<Stored>, redb::Error> {
        let old = self.get(key)?;
        self.insert(key, value);
        Ok(old)
    }

    /// Removes a row, and gives what it had.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Result<Option<Stored>, redb::Error> {
        let old = self.get(key)?;
        if old.is_some() {
            self.stage(key, None);
        }
        Ok(old)
    }

    /// Removes all rows of a range.
    pub(crate) fn remove_range(&mut self, range: Range<&[u8]>) -> Result<(), redb::Error> {
        let keys: Vec<Bytes> =
            self.range(range)?.map(|row| Ok(row?.0.into_bytes())).collect::<Result<_, redb::Error>>()?;
        self.staged.extend(keys.into_iter().map(|key| (key, None)));
        Ok(())
    }

    /// What the commit writes.
    pub(crate) fn staged(&self) -> &Layer {
        &self.staged
    }

    /// Lets readers see what is durable now. How many bytes of memory that takes more, about.
    pub(crate) fn publish(self) -> usize {
        self.view.commit(self.staged)
    }

    /// What the commit writes, to be written elsewhere than to memory.
    pub(crate) fn into_staged(self) -> Layer {
        self.staged
    }

    /// Bytes that the commit writes.
    pub(crate) fn bytes(&self) -> usize {
        self.staged.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len)).sum()
    }

    fn stage(&mut self, key: &[u8], value: Option<Bytes>) {
        // Most rows of a busy object are written again and again: their keys are there.
        match self.staged.get_mut(key) {
            Some(staged) => *staged = value,
            None => drop(self.staged.insert(Bytes::copy_from_slice(key), value)),
        }
    }
}

impl ReadRows for Batch {
    fn get(&self, key: &[u8]) -> Result<Option<Stored>, redb::Error> {
        in_memory(&self.staged, key).map_or_else(|| self.view.get(key), Ok)
    }

    fn range_in(&self, range: Range<&[u8]>, order: Order) -> Result<Merged<'_>, redb::Error> {
        let mut sources = self.view.sources(range.clone(), order)?;
        if !sources.is_empty() {
            sources.insert(0, Source::staged(&self.staged, range, order));
        }
        Merged::new(sources, order)
    }
}
