//! What clients saw of each object, in the order in which they saw it, and whether some order of whole operations explains
//! it.
//!
//! An object has a few independent *cells*, each of them a key or two, and every act of an operation touches one. A history
//! is linearizable exactly when that of each cell is, so cells are checked one by one.
//!
//! An act whose outcome nobody knows (the client gave up, the object was reset, the machine crashed) stays in the history
//! with an open end: it may take effect at any time from its call on. One that took effect "after everybody stopped looking"
//! is the same as one that never did.

use std::collections::BTreeMap;
use std::fmt;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

/// A part of an object that is checked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// A number that is read, changed and written.
    Count,
    /// A key that is put, got and deleted.
    Register,
    /// Two keys that one turn writes, so that they are always equal.
    Pair,
    /// A key that grows at its end.
    Log,
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
    /// Adds to the number and gives the new one, if that came to be known.
    Add(i64, Option<i64>),
    /// The number is this.
    Count(i64),
    /// Sets the value.
    Set(u64),
    /// Deletes the value and tells whether there was one, if that came to be known.
    Delete(Option<bool>),
    /// The value is this.
    Get(Option<u64>),
    /// Adds to the end.
    Append(u64),
    /// Everything that was added is this.
    Text(Vec<u64>),
    /// How often this instance was asked. An answer of 1 is that of a fresh one.
    Remember(u32),
    /// The instance was asked and nobody got the answer: it went on counting, or
    RememberUnheard,
    /// was a fresh one.
    RememberUnheardAfresh,
}

impl Act {
    /// Whether it leaves everything as it is.
    fn only_looks(&self) -> bool {
        matches!(self, Act::Count(_) | Act::Get(_) | Act::Text(_))
    }
}

/// What became of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It may have taken effect or may still do so.
    Open,
    Done {
        at: usize,
    },
    /// It has no effect, ever.
    Never,
}

/// The acts of all clients.
#[derive(Default)]
pub struct Acts {
    all: Vec<Entry>,
    clock: usize,
}

struct Entry {
    place: Place,
    act: Act,
    called_at: usize,
    fate: Fate,
}

/// Names an act of an [`Acts`].
#[derive(Clone, Copy, Debug)]
pub struct ActNumber(usize);

impl Acts {
    /// An act begins. Its outcome is unknown until one of the other functions is called.
    pub fn begin(&mut self, place: Place, act: Act) -> ActNumber {
        self.clock += 1;
        self.all.push(Entry { place, act, called_at: self.clock, fate: Fate::Open });
        ActNumber(self.all.len() - 1)
    }

    /// It took effect, with this answer.
    pub fn done(&mut self, number: ActNumber, act: Act) {
        self.clock += 1;
        let entry = &mut self.all[number.0];
        (entry.act, entry.fate) = (act, Fate::Done { at: self.clock });
    }

    /// It takes no effect.
    pub fn never(&mut self, number: ActNumber) {
        self.all[number.0].fate = Fate::Never;
    }

    /// How many there are, and how many of them have an open end.
    pub fn count(&self) -> (usize, usize) {
        (self.all.len(), self.all.iter().filter(|entry| entry.fate == Fate::Open).count())
    }

    /// The cells whose history no order of whole operations explains.
    pub fn unexplained(&self) -> Vec<Unexplained> {
        let mut by_place: BTreeMap<Place, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.all {
            let says_something = entry.fate != Fate::Open || !entry.act.only_looks();
            if entry.fate != Fate::Never && says_something {
                by_place.entry(entry.place).or_default().push(entry);
            }
        }
        let is_wrong = |(_, entries): &(Place, Vec<&Entry>)| !is_linearizable(entries);
        let wrong = by_place.into_iter().filter(is_wrong);
        wrong.map(|(place, entries)| Unexplained { place, text: render(&entries) }).collect()
    }
}

/// A history that cannot be.
pub struct Unexplained {
    /// Of this cell.
    pub place: Place,
    /// A line for each act.
    text: String,
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { object, cell } = self.place;
        write!(f, "no order of whole operations explains what clients saw of {cell:?} of object {object}:\n{}", self.text)
    }
}

fn render(entries: &[&Entry]) -> String {
    let line = |entry: &&Entry| match entry.fate {
        Fate::Done { at } => format!("  {:>5} to {at:>5}  {:?}\n", entry.called_at, entry.act),
        _ => format!("  {:>5} to   ???  {:?}\n", entry.called_at, entry.act),
    };
    entries.iter().map(line).collect()
}

fn is_linearizable(entries: &[&Entry]) -> bool {
    let mut actions: Vec<(usize, usize, Action<Act>)> = Vec::new();
    let mut processes = 0;
    let mut push = |from: usize, to: usize, act: &Act| {
        actions.push((from, processes, Action::Call(act.clone())));
        actions.push((to, processes, Action::Response(act.clone())));
        processes += 1;
    };
    for entry in entries {
        match (entry.fate, &entry.act) {
            (Fate::Done { at }, act) => push(entry.called_at, at, act),
            (_, Act::Remember(_)) => {
                push(entry.called_at, usize::MAX, &Act::RememberUnheard);
                push(entry.called_at, usize::MAX, &Act::RememberUnheardAfresh);
            }
            (_, act) => push(entry.called_at, usize::MAX, act),
        }
    }
    if actions.is_empty() {
        return true;
    }
    actions.sort_by_key(|(at, process, action)| (*at, *process, matches!(action, Action::Response(_))));
    let actions = actions.into_iter().map(|(_, process, action)| (process, action)).collect();
    WGLChecker::<Specified>::is_linearizable(History::from_actions(actions))
}

/// How a cell behaves when one act comes after the other.
struct Specified;

/// What a cell holds; of the fields only one is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Content {
    number: i64,
    value: Option<u64>,
    log: Vec<u64>,
}

impl Specification for Specified {
    type State = Content;
    type Operation = Act;

    fn init() -> Content {
        Content::default()
    }

    fn apply(act: &Act, before: &Content) -> (bool, Content) {
        let mut content = before.clone();
        let fits = match act {
            Act::Add(by, gave) => {
                content.number += by;
                gave.is_none_or(|gave| gave == content.number)
            }
            Act::Count(number) => *number == content.number,
            Act::Set(value) => {
                content.value = Some(*value);
                true
            }
            Act::Delete(existed) => {
                let value = content.value.take();
                existed.is_none_or(|existed| existed == value.is_some())
            }
            Act::Get(value) => *value == content.value,
            Act::Append(value) => {
                content.log.push(*value);
                true
            }
            Act::Text(log) => *log == content.log,
            Act::Remember(gave) => {
                content.number = if *gave == 1 { 1 } else { content.number + 1 };
                content.number == i64::from(*gave)
            }
            Act::RememberUnheard => {
                content.number += 1;
                true
            }
            Act::RememberUnheardAfresh => {
                content.number = 1;
                true
            }
        };
        (fits, if fits { content } else { before.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { object: 0, cell: Cell::Count };

    /// Each act after the one before, with an open end where it says so.
    fn explains(acts: &[(Act, bool)]) -> bool {
        let mut all = Acts::default();
        for (act, is_open) in acts {
            let number = all.begin(PLACE, act.clone());
            if !is_open {
                all.done(number, act.clone());
            }
        }
        all.unexplained().is_empty()
    }

    #[test]
    fn what_happened_one_after_the_other_must_fit() {
        assert!(explains(&[(Act::Add(1, Some(1)), false), (Act::Count(1), false)]));
        assert!(!explains(&[(Act::Add(1, Some(1)), false), (Act::Count(0), false)]), "a write that was lost");
        assert!(!explains(&[(Act::Append(1), false), (Act::Text(vec![1, 1]), false)]), "a write that came twice");
        assert!(!explains(&[(Act::Set(1), false), (Act::Delete(Some(false)), false)]));
    }

    #[test]
    fn an_act_with_an_open_end_may_come_now_later_or_never() {
        let open = (Act::Add(1, None), true);
        for number in [0, 1] {
            assert!(explains(&[open.clone(), (Act::Count(number), false)]), "{number}");
        }
        assert!(explains(&[open.clone(), (Act::Count(0), false), (Act::Count(1), false)]));
        assert!(!explains(&[open.clone(), (Act::Count(1), false), (Act::Count(0), false)]), "it does not go away");
        assert!(!explains(&[open, (Act::Count(2), false)]), "nor come twice");
    }

    #[test]
    fn an_act_that_never_took_effect_must_not_be_seen() {
        let mut all = Acts::default();
        let number = all.begin(PLACE, Act::Set(1));
        all.never(number);
        let look = all.begin(PLACE, Act::Get(None));
        all.done(look, Act::Get(Some(1)));
        assert_eq!(all.unexplained().len(), 1);
    }

    #[test]
    fn the_memory_of_an_instance_counts_on_or_begins_anew() {
        let heard = |numbers: &[u32]| numbers.iter().map(|n| (Act::Remember(*n), false)).collect::<Vec<_>>();
        assert!(explains(&heard(&[1, 2, 3, 1, 2])));
        assert!(!explains(&heard(&[1, 2, 1, 3])), "two instances");
        assert!(explains(&[(Act::Remember(1), false), (Act::Remember(9), true), (Act::Remember(3), false)]));
    }
}
