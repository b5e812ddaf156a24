//! What unconfirmed writes promise, which is less than linearizability.
//!
//! Each such write puts a key of its own. A crash may take some away that were answered, but only the last ones:
//!
//! - while nothing goes wrong, a look shows every write that was answered before it;
//! - whoever sees a write, at any time later, sees every one that was answered before that one was called;
//! - a write that its own event has waited for with `sync` is there for ever, whatever goes wrong;
//! - a write is there for ever once a `sync` or a confirmed write was answered that was called after its own answer.
//!
//! *Nothing goes wrong* is meant within one life of the host, up to its first trouble with the disk. (A reset of the object
//! is a crash, too: what it had answered without confirming may be gone, and others may be written after that. So the other
//! three are only checked in seeds in which no guest traps.)

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Act, Entry, Fate};

/// An act that was answered.
struct Answered<'a> {
    act: &'a Act,
    called_at: usize,
    at: usize,
    /// The life of the host, if nothing had gone wrong in it by then.
    calm: Option<usize>,
}

impl Answered<'_> {
    /// Whether both were answered in the same life, and this one before the other one was called.
    fn came_before(&self, other: &Answered<'_>) -> bool {
        self.calm.is_some() && self.calm == other.calm && self.at < other.called_at
    }

    fn is_confirmed(&self) -> bool {
        matches!(self.act, Act::Sync | Act::Increment(_) | Act::Set(_) | Act::Append(..))
    }
}

/// In what way the promises were broken.
pub fn broken_promises(entries: &[Entry]) -> Vec<String> {
    let mut by_object: BTreeMap<usize, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        by_object.entry(entry.place.object).or_default().push(entry);
    }
    by_object.into_iter().flat_map(|(object, entries)| broken_promises_of(object, &entries)).collect()
}

fn broken_promises_of(object: usize, entries: &[&Entry]) -> Vec<String> {
    let answered: Vec<Answered<'_>> = entries
        .iter()
        .filter_map(|entry| match entry.fate {
            Fate::Done(at) => Some(Answered { act: &entry.act, called_at: entry.called_at, at, calm: entry.calm }),
            _ => None,
        })
        .collect();
    let called = |value: u64| {
        entries.iter().find(|entry| [Act::PutUnconfirmed(value), Act::PutAndSync(value)].contains(&entry.act))
    };
    let puts: Vec<(u64, &Answered<'_>)> = answered
        .iter()
        .filter_map(|put| match put.act {
            Act::PutUnconfirmed(value) | Act::PutAndSync(value) => Some((*value, put)),
            _ => None,
        })
        .collect();
    let mut broken = Vec::new();
    for look in &answered {
        let Act::SeeUnconfirmed(seen) = look.act else { continue };
        let seen: BTreeSet<u64> = seen.iter().copied().collect();
        for value in &seen {
            if called(*value).is_none_or(|put| put.called_at > look.at) {
                broken.push(format!("object {object} shows the unconfirmed write {value}, which nobody made"));
            }
        }
        for (value, put) in puts.iter().filter(|(value, _)| !seen.contains(value)) {
            let seen_later = || puts.iter().find(|(later, other)| seen.contains(later) && put.came_before(other));
            let is_confirmed = || {
                let mut after = answered.iter().filter(|other| other.is_confirmed() && put.came_before(other));
                after.any(|other| other.at < look.called_at)
            };
            let why = if matches!(put.act, Act::PutAndSync(_)) && put.at < look.called_at {
                "although its own sync was answered".to_string()
            } else if put.came_before(look) {
                "although nothing went wrong".to_string()
            } else if let Some((later, _)) = seen_later() {
                format!("but {later}, which came after it")
            } else if is_confirmed() {
                "although a confirmed answer came after it".to_string()
            } else {
                continue;
            };
            broken.push(format!("object {object} lost the unconfirmed write {value} {why} (seen at {})", look.at));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Acts, Cell, Place};

    /// Acts one after the other, each with the life that it was answered in.
    fn are_kept(acts: &[(Act, Option<usize>)]) -> bool {
        let mut all = Acts::default();
        for (act, calm) in acts {
            all.set_calm(*calm);
            let number = all.begin(Place { object: 0, cell: Cell::Unconfirmed }, act.clone());
            all.done(number, act.clone());
        }
        all.broken_promises().is_empty()
    }

    fn put(value: u64) -> (Act, Option<usize>) {
        (Act::PutUnconfirmed(value), Some(1))
    }

    fn see(life: usize, values: &[u64]) -> (Act, Option<usize>) {
        (Act::SeeUnconfirmed(values.to_vec()), Some(life))
    }

    #[test]
    fn what_was_answered_is_there_while_nothing_goes_wrong() {
        assert!(are_kept(&[put(1), put(2), see(1, &[1, 2])]));
        assert!(!are_kept(&[put(1), put(2), see(1, &[1])]));
        assert!(!are_kept(&[put(1), see(1, &[1, 2])]), "nobody wrote that");
    }

    #[test]
    fn a_crash_takes_the_last_ones_only() {
        for kept in [&[][..], &[1], &[1, 2]] {
            assert!(are_kept(&[put(1), put(2), see(2, kept)]), "{kept:?}");
        }
        assert!(!are_kept(&[put(1), put(2), see(2, &[2])]));
    }

    #[test]
    fn a_confirmed_answer_makes_all_before_it_durable() {
        let synced = (Act::Sync, Some(1));
        assert!(are_kept(&[put(1), synced.clone(), put(2), see(2, &[1])]));
        assert!(!are_kept(&[put(1), synced, put(2), see(2, &[])]));
        assert!(!are_kept(&[(Act::PutAndSync(1), None), see(2, &[])]));
    }
}
