//! The rows of a range out of several places, as if they were one.

use std::cmp::Ordering;
use std::collections::btree_map;
use std::ops::{Bound, Range};
use std::vec;

use bytes::Bytes;
use parking_lot::RwLock;

use super::{Layer, Order, Stored};

/// Rows that are taken from a shared layer at a time: few at first, since most who ask want few.
const CHUNK_ROWS_MIN: usize = 16;
/// As many at most, since a commit waits for it.
const CHUNK_ROWS_MAX: usize = 256;

/// Rows of one place, in order.
pub(super) struct Source<'a> {
    rows: Place<'a>,
    /// The row that comes next; `None` after the last.
    head: Option<Head>,
}

/// A row; without a value it was removed.
struct Head {
    key: Stored,
    value: Option<Stored>,
}

enum Place<'a> {
    Staged(btree_map::Range<'a, Bytes, Option<Bytes>>, Order),
    Layer(Chunks<'a>),
    File(Box<FileRange>, Order),
}

impl<'a> Source<'a> {
    /// Rows of a layer that nobody else changes.
    pub(super) fn staged(layer: &'a Layer, range: Range<&[u8]>, order: Order) -> Source<'a> {
        let bounds = (Bound::Included(range.start), Bound::Excluded(range.end));
        Source { rows: Place::Staged(layer.range::<[u8], _>(bounds), order), head: None }
    }

    /// Rows of a layer that others change.
    pub(super) fn layer(layer: &'a RwLock<Layer>, range: Range<&[u8]>, order: Order) -> Source<'a> {
        let (start, end) = (Bytes::copy_from_slice(range.start), Bytes::copy_from_slice(range.end));
        let rows = Vec::new().into_iter();
        let left = (Bound::Included(start), Bound::Excluded(end));
        Source { rows: Place::Layer(Chunks { layer, order, left, rows, len: CHUNK_ROWS_MIN }), head: None }
    }

    /// Rows of the file.
    pub(super) fn file(rows: FileRange, order: Order) -> Source<'a> {
        Source { rows: Place::File(Box::new(rows), order), head: None }
    }

    fn advance(&mut self) -> Result<Option<Head>, redb::Error> {
        let next = match &mut self.rows {
            Place::Staged(rows, order) => match order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            }
            .map(|(key, value)| Head::in_memory(key.clone(), value.clone())),
            Place::Layer(chunks) => chunks.next().map(|(key, value)| Head::in_memory(key, value)),
            Place::File(rows, order) => {
                let next = match order {
                    Order::Ascending => rows.next(),
                    Order::Descending => rows.next_back(),
                };
                next.transpose()?.map(|(key, value)| Head { key: Stored::File(key), value: Some(Stored::File(value)) })
            }
        };
        Ok(std::mem::replace(&mut self.head, next))
    }
}

type FileRange = redb::Range<'static, &'static [u8], &'static [u8]>;

impl Head {
    fn in_memory(key: Bytes, value: Option<Bytes>) -> Head {
        Head { key: Stored::Memory(key), value: value.map(Stored::Memory) }
    }
}

/// Rows of a layer, some at a time under its lock.
struct Chunks<'a> {
    layer: &'a RwLock<Layer>,
    order: Order,
    /// What was not taken yet.
    left: (Bound<Bytes>, Bound<Bytes>),
    rows: vec::IntoIter<(Bytes, Option<Bytes>)>,
    /// How many rows to take the next time; 0 after the last.
    len: usize,
}

impl Chunks<'_> {
    fn next(&mut self) -> Option<(Bytes, Option<Bytes>)> {
        if self.rows.len() == 0 && self.len > 0 {
            self.take();
        }
        self.rows.next()
    }

    fn take(&mut self) {
        let mut rows = Vec::new();
        {
            let layer = self.layer.read();
            let range = layer.range::<[u8], _>((as_slice(&self.left.0), as_slice(&self.left.1)));
            let row = |(key, value): (&Bytes, &Option<Bytes>)| (key.clone(), value.clone());
            match self.order {
                Order::Ascending => rows.extend(range.take(self.len).map(row)),
                Order::Descending => rows.extend(range.rev().take(self.len).map(row)),
            }
        }
        if rows.len() < self.len {
            self.len = 0;
        } else if let Some((last, _)) = rows.last() {
            self.len = (self.len * 2).min(CHUNK_ROWS_MAX);
            let behind = Bound::Excluded(last.clone());
            match self.order {
                Order::Ascending => self.left.0 = behind,
                Order::Descending => self.left.1 = behind,
            }
        }
        self.rows = rows.into_iter();
    }
}

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// See the module. The iterator ends after an error.
pub(crate) struct Merged<'a> {
    /// The newest first.
    sources: Vec<Source<'a>>,
    order: Order,
}

impl<'a> Merged<'a> {
    pub(super) fn new(mut sources: Vec<Source<'a>>, order: Order) -> Result<Merged<'a>, redb::Error> {
        for source in &mut sources {
            source.advance()?;
        }
        Ok(Merged { sources, order })
    }

    /// The place of the row that comes next: of those with that key, the newest.
    fn first(&self) -> Option<usize> {
        let key = |at: usize| self.sources[at].head.as_ref().map(|head| head.key.value());
        let mut first = None;
        for at in (0..self.sources.len()).filter(|at| key(*at).is_some()) {
            let comes_before = first.is_none_or(|first| match self.order {
                Order::Ascending => key(at) < key(first),
                Order::Descending => key(at) > key(first),
            });
            if comes_before {
                first = Some(at);
            }
        }
        first
    }

    fn advance(&mut self) -> Result<Option<Head>, redb::Error> {
        let Some(first) = self.first() else { return Ok(None) };
        let Some(row) = self.sources[first].advance()? else { return Ok(None) };
        // What older places have of it does not count any more.
        for source in &mut self.sources[first + 1..] {
            let is_same = |head: &Head| head.key.value().cmp(row.key.value()) == Ordering::Equal;
            if source.head.as_ref().is_some_and(is_same) {
                source.advance()?;
            }
        }
        Ok(Some(row))
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<(Stored, Stored), redb::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.advance() {
                Ok(Some(Head { key, value: Some(value) })) => return Some(Ok((key, value))),
                // It was removed.
                Ok(Some(Head { value: None, .. })) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.sources.clear();
                    return Some(Err(error));
                }
            }
        }
    }
}
