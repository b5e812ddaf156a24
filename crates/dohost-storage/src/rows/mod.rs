//! Everything that is stored, row by row, wherever it is: in the file, or in memory in front of it.
//!
//! A commit is durable once it is in the log ([`crate::log`]); its rows then live in memory until a checkpoint
//! ([`crate::commit::checkpoint`]) has brought them to the file. So a row may be in up to three places, and the newest one
//! counts:
//!
//! ```text
//! active   what was committed since the last checkpoint began       ── newest
//! frozen   what a checkpoint is bringing to the file
//! file     everything else                                          ── oldest
//! ```
//!
//! In memory, a row that was removed is kept as removed, because an older place may still have it. [`Tables`] knows the
//! places, a [`View`] reads them, a [`Batch`] is what one commit makes of them, [`merge`] puts ranges together.
//!
//! Invariant: a row leaves memory only after the file has it. Whoever has a view keeps the places that it was made of, so
//! for a reader no row is ever missing in between.

mod batch;
mod merge;
mod tables;

use std::ops::Range;

use bytes::Bytes;
use redb::{AccessGuard, ReadOnlyTable};

pub(crate) use batch::Batch;
pub(crate) use merge::Merged;
pub(crate) use tables::{File, Layer, Tables, View};

/// The rows in the file, as of a checkpoint.
pub(crate) type FileRows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The direction of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Ascending,
    Descending,
}

/// A key or a value that was read.
pub(crate) enum Stored {
    Memory(Bytes),
    File(AccessGuard<'static, &'static [u8]>),
}

impl Stored {
    pub(crate) fn value(&self) -> &[u8] {
        match self {
            Stored::Memory(bytes) => bytes,
            Stored::File(guard) => guard.value(),
        }
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Stored::Memory(bytes) => bytes,
            Stored::File(guard) => Bytes::copy_from_slice(guard.value()),
        }
    }
}

/// What can be read from.
pub(crate) trait ReadRows {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Stored>, redb::Error>;

    /// The rows of a range in an order.
    fn range_in(&self, range: Range<&[u8]>, order: Order) -> Result<Merged<'_>, redb::Error>;

    /// The rows of a range, ascending.
    fn range(&self, range: Range<&[u8]>) -> Result<Merged<'_>, redb::Error> {
        self.range_in(range, Order::Ascending)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use redb::backends::InMemoryBackend;
    use redb::{Database, ReadableDatabase};

    use super::*;
    use crate::open::ROWS;

    /// A write to one of the places, the oldest first: file, frozen, active, staged.
    type Write = (usize, u16, Option<u8>);

    fn key(number: u16) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    /// A batch over all places, and what it should show.
    fn places(mut writes: Vec<Write>) -> (Batch, BTreeMap<Vec<u8>, Vec<u8>>, Database) {
        writes.sort_by_key(|(place, ..)| *place);
        let database = redb::Builder::new().create_with_backend(InMemoryBackend::new()).unwrap();
        let transaction = database.begin_write().unwrap();
        {
            let mut rows = transaction.open_table(ROWS).unwrap();
            for (_, number, value) in writes.iter().filter(|(place, ..)| *place == 0) {
                match value {
                    Some(value) => drop(rows.insert(&key(*number)[..], &[*value][..]).unwrap()),
                    None => drop(rows.remove(&key(*number)[..]).unwrap()),
                }
            }
        }
        transaction.commit().unwrap();
        let mut tables = Tables::new(database.begin_read().unwrap().open_table(ROWS).unwrap());
        let mut model = BTreeMap::new();
        let mut place = 1;
        let mut batch = Batch::new(View::new(&tables).unwrap());
        for (next, number, value) in writes {
            while place < next.max(1) {
                batch.publish();
                if place == 1 {
                    tables.freeze();
                }
                batch = Batch::new(View::new(&tables).unwrap());
                place += 1;
            }
            let key = key(number);
            match value {
                Some(value) => drop(model.insert(key.clone(), vec![value])),
                None => drop(model.remove(&key)),
            }
            match value {
                _ if next == 0 => {}
                Some(value) => batch.insert(&key, vec![value]),
                None => drop(batch.remove(&key).unwrap()),
            }
        }
        (batch, model, database)
    }

    fn rows(read: Merged<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
        read.map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn all_places_together_read_like_one_map(
            writes in prop::collection::vec((0..4usize, 0..700u16, prop::option::weighted(0.7, any::<u8>())), 0..900),
            start in 0..800u16,
            end in 0..800u16,
        ) {
            let (batch, model, _database) = places(writes);
            for number in 0..700 {
                let found = batch.get(&key(number)).unwrap().map(|value| value.value().to_vec());
                prop_assert_eq!(found.as_ref(), model.get(&key(number)));
            }
            let (start, end) = (key(start), key(end));
            let mut expected: Vec<_> = Vec::new();
            if start < end {
                expected.extend(model.range(start.clone()..end.clone()).map(|(key, value)| (key.clone(), value.clone())));
            }
            prop_assert_eq!(rows(batch.range(&start[..]..&end[..]).unwrap()), expected.clone());
            expected.reverse();
            prop_assert_eq!(rows(batch.range_in(&start[..]..&end[..], Order::Descending).unwrap()), expected);
        }

        #[test]
        fn a_range_that_is_removed_is_gone_and_nothing_else(
            writes in prop::collection::vec((0..4usize, 0..50u16, prop::option::weighted(0.7, any::<u8>())), 0..100),
            start in 0..50u16,
            len in 0..30u16,
        ) {
            let (mut batch, mut model, _database) = places(writes);
            let (start, end) = (key(start), key(start + len));
            batch.remove_range(&start[..]..&end[..]).unwrap();
            model.retain(|key, _| *key < start || *key >= end);
            prop_assert_eq!(rows(batch.range(&[][..]..&[0xff; 3][..]).unwrap()), model.into_iter().collect::<Vec<_>>());
        }
    }
}
