//! What clients saw of each object, in the order in which they saw it.
//!
//! An object has a few independent *cells*, each of them a key or two, and every act of an operation touches one. A history
//! is linearizable exactly when that of each cell is, so cells are checked one by one, see `check`.
//!
//! An act whose outcome nobody knows (the client gave up, the object was reset, the machine crashed) stays in the history
//! with an open end: it may take effect at any time from its call on, or never.

use std::collections::BTreeMap;
use std::fmt;

use crate::{check, unconfirmed};

/// A part of an object that is checked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// A number that is read, increased and written.
    Count,
    /// A key that is put, got and deleted.
    Register,
    /// Two keys that one turn writes, so that they are always equal.
    Pair,
    /// A key that grows at its end.
    Log,
    /// Keys that are put without confirming, each once. See `unconfirmed`.
    Unconfirmed,
    /// The memory of the instance: it counts, and begins anew with each life.
    Memory,
}

/// A cell of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which object of the world.
    pub object: usize,
    /// Which cell of it.
    pub cell: Cell,
}

/// What an operation does to a cell, with the answer if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Adds one to the number and gives the new one, if that came to be known.
    Increment(Option<u64>),
    /// The number is this.
    Count(u64),
    /// Sets the value, which is set only once.
    Set(u64),
    /// Deletes the value and tells whether there was one, if that came to be known.
    Delete(Option<bool>),
    /// The value is this.
    Get(Option<u64>),
    /// Adds a value to the end, once, behind so many others, if that came to be known.
    Append(u64, Option<usize>),
    /// Everything that was added is this.
    Text(Vec<u64>),
    /// Puts the key of this value without confirming.
    PutUnconfirmed(u64),
    /// The same, and waits until it is durable.
    PutAndSync(u64),
    /// These were put.
    SeeUnconfirmed(Vec<u64>),
    /// Waits until everything is durable.
    Sync,
    /// How often this instance was asked, this time included. So many answers may have got lost before.
    Remember(u64, u64),
}

/// What became of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It may have taken effect or may still do so.
    Open,
    /// It took effect before this time.
    Done(usize),
    /// It has no effect, ever.
    Never,
}

/// An act of a client.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where.
    pub place: Place,
    /// What.
    pub act: Act,
    /// It began at this time. Times count calls and returns of acts.
    pub called_at: usize,
    /// What became of it.
    pub fate: Fate,
    /// The life of the host in which it was answered, if nothing had gone wrong in it by then.
    pub calm: Option<usize>,
}

/// The acts of all clients.
#[derive(Default)]
pub struct Acts {
    all: Vec<Entry>,
    clock: usize,
    calm: Option<usize>,
}

/// Names an act of an [`Acts`].
#[derive(Clone, Copy, Debug)]
pub struct ActNumber(usize);

impl Acts {
    /// An act begins. Its outcome is unknown until one of the other functions is called.
    pub fn begin(&mut self, place: Place, act: Act) -> ActNumber {
        self.clock += 1;
        self.all.push(Entry { place, act, called_at: self.clock, fate: Fate::Open, calm: None });
        ActNumber(self.all.len() - 1)
    }

    /// It took effect, with this answer.
    pub fn done(&mut self, number: ActNumber, act: Act) {
        self.clock += 1;
        let entry = &mut self.all[number.0];
        (entry.act, entry.fate, entry.calm) = (act, Fate::Done(self.clock), self.calm);
    }

    /// It takes no effect.
    pub fn never(&mut self, number: ActNumber) {
        self.all[number.0].fate = Fate::Never;
    }

    /// From now on nothing has gone wrong in this life of the host; or something has, if there is none.
    pub fn set_calm(&mut self, life: Option<usize>) {
        self.calm = life;
    }

    /// In what way the promises about unconfirmed writes were broken.
    pub fn broken_promises(&self) -> Vec<String> {
        unconfirmed::broken_promises(&self.all)
    }

    /// How many there are, and how many of them have an open end.
    pub fn count(&self) -> (usize, usize) {
        (self.all.len(), self.all.iter().filter(|entry| entry.fate == Fate::Open).count())
    }

    /// The cells whose history no order of whole operations explains. The last thing that happened to each cell must have
    /// been a look at it.
    pub fn unexplained(&self) -> Vec<Unexplained> {
        let mut by_place: BTreeMap<Place, Vec<Entry>> = BTreeMap::new();
        let is_checked = |entry: &&Entry| entry.fate != Fate::Never && entry.place.cell != Cell::Unconfirmed;
        for entry in self.all.iter().filter(is_checked) {
            by_place.entry(entry.place).or_default().push(entry.clone());
        }
        let wrong = by_place.into_iter().filter(|(_, entries)| !check::is_linearizable(entries.clone()));
        wrong.map(|(place, entries)| Unexplained { place, entries }).collect()
    }
}

/// A history that cannot be.
pub struct Unexplained {
    /// Of this cell.
    pub place: Place,
    /// Everything that clients saw of it.
    pub entries: Vec<Entry>,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { object, cell } = self.place;
        write!(f, "no order of whole operations explains what clients saw of {cell:?} of object {object}:")?;
        for entry in &self.entries {
            match entry.fate {
                Fate::Done(at) => write!(f, "\n  {:>5} to {at:>5}  {:?}", entry.called_at, entry.act)?,
                _ => write!(f, "\n  {:>5} to   ???  {:?}", entry.called_at, entry.act)?,
            }
        }
        Ok(())
    }
}
