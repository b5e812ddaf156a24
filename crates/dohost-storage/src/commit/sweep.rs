//! Clearing away what large objects left behind when they deleted everything.
//!
//! Removing a million rows at once would hold up the commits of all other objects. So the commit that forgets a large
//! object removes its record and leaves a note with its number ([`Key::Retired`]): nobody reads or writes under that
//! number any more, and its rows are removed in steps, with later commits or while there are none.
//!
//! Invariant: the note comes in the commit that makes the rows unreachable and goes in one that finds none of them. So
//! whatever a crash cuts short goes on when the store is opened.

use std::collections::VecDeque;

use redb::{ReadableTable, Table};

use super::WriteSet;
use crate::key::{Key, KvRange, retired_rows};
use crate::limits::SWEEP_ROWS_MAX;
use crate::numbers::ObjectNumber;

type Rows<'transaction> = Table<'transaction, &'static [u8], &'static [u8]>;

/// The numbers whose rows are to be removed, as of the last commit.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    retired: VecDeque<ObjectNumber>,
    /// A step failed: the next one waits until something else was committed.
    is_paused: bool,
}

/// What a transaction made of it, to be noted once it is durable.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Numbers that were retired.
    pub(crate) retired: Vec<ObjectNumber>,
    /// The first number has no rows any more.
    is_done: bool,
}

impl Sweep {
    pub(crate) fn new(retired: Vec<ObjectNumber>) -> Sweep {
        Sweep { retired: retired.into(), is_paused: false }
    }

    /// Whether a step should be made although there is nothing else to commit.
    pub(crate) fn wants_step(&self) -> bool {
        !self.retired.is_empty() && !self.is_paused
    }

    /// Removes some rows, if there are any to remove.
    pub(crate) fn step(&self, rows: &mut Rows<'_>, swept: &mut Swept) -> Result<(), redb::Error> {
        let Some(&object) = self.retired.front() else {
            return Ok(());
        };
        let mut range = KvRange::with_size(object);
        let first_left = rows.range::<&[u8]>(range.as_slices())?.nth(SWEEP_ROWS_MAX).transpose()?;
        let first_left = first_left.map(|(key, _)| key.value().to_vec());
        match first_left {
            Some(key) => range.end = key,
            None => {
                swept.is_done = true;
                rows.remove(&Key::Retired { object }.encode()[..])?;
            }
        }
        rows.retain_in::<&[u8], _>(range.as_slices(), |_, _| false)?;
        Ok(())
    }

    /// Takes note of what became durable.
    pub(crate) fn committed(&mut self, swept: Swept) {
        self.is_paused = false;
        if swept.is_done {
            self.retired.pop_front();
        }
        self.retired.extend(swept.retired);
    }

    /// Takes note of a transaction that failed.
    pub(crate) fn failed(&mut self) {
        self.is_paused = true;
    }
}

/// Whether the object of a write set is large and leaves nothing behind, so that its rows may be removed later.
pub(crate) fn may_retire(set: &WriteSet) -> bool {
    let is_large = set.size.as_ref().is_some_and(|size| size.written().has_row);
    is_large && set.clear && set.forget.is_some() && set.writes.iter().all(|(_, value)| value.is_none())
}

/// Retires the number of an object, instead of removing its rows now.
pub(crate) fn retire(rows: &mut Rows<'_>, object: ObjectNumber) -> Result<(), redb::Error> {
    rows.insert(&Key::Retired { object }.encode()[..], &[][..])?;
    Ok(())
}

/// The retired numbers of a store that is being opened.
pub(crate) fn retired(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<Vec<ObjectNumber>, redb::Error> {
    let range = retired_rows();
    let mut numbers = Vec::new();
    for entry in rows.range::<&[u8]>(&range.start[..]..&range.end[..])? {
        match Key::decode(entry?.0.value()) {
            Ok(Key::Retired { object }) => numbers.push(object),
            _ => return Err(redb::Error::Corrupted("a row of a retired object is of no known shape".into())),
        }
    }
    Ok(numbers)
}
