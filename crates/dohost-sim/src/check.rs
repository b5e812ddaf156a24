//! Whether some order of whole acts, each taking effect at one moment between its call and its return, explains what clients
//! saw of a cell.
//!
//! The search is that of Wing, Gong and Lowe, from `todc-utils`. It is fast while most acts have an end; hundreds that may
//! come at any time, or never, are too many for it. So what can be told of open acts without a search is told first:
//!
//! - a value is set or appended once. If somebody saw it, it was there by then; if nobody ever did, it may as well never
//!   have been (a deletion that found something to delete is not held against that);
//! - a number is reached by one increment. The numbers that no known increment gave are given to the open ones, the earliest
//!   to the earliest, each to be there by the time when somebody saw it or a larger one;
//! - what was appended stays where it is, so the longest text tells the order.
//!
//! All of that keeps a history that can be explained explainable, and makes none so that was not.

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use crate::history::{Act, Entry, Fate};

/// Whether these acts, all on one cell and in the order of their calls, can be explained.
pub fn is_linearizable(mut entries: Vec<Entry>) -> bool {
    entries.retain(|entry| entry.fate != Fate::Open || !only_looks(&entry.act));
    settle_values(&mut entries);
    settle_increments(&mut entries);
    settle_memory(&mut entries);
    settle_places(&mut entries);
    let mut actions: Vec<(usize, usize, Action<Act>)> = Vec::new();
    for (process, Entry { act, called_at, fate, .. }) in entries.into_iter().enumerate() {
        let returned_at = match fate {
            Fate::Done(at) => at,
            // Behind everything: taking effect after everybody stopped looking is the same as never doing so.
            Fate::Open => usize::MAX,
            Fate::Never => continue,
        };
        actions.push((called_at, process, Action::Call(act.clone())));
        actions.push((returned_at, process, Action::Response(act)));
    }
    if actions.is_empty() {
        return true;
    }
    // Where an act was given the return of another one, its own comes first.
    actions.sort_by_key(|(at, process, _)| (*at, *process));
    let actions = actions.into_iter().map(|(_, process, action)| (process, action)).collect();
    WGLChecker::<Specified>::is_linearizable(History::from_actions(actions))
}

/// Whether it leaves everything as it is.
fn only_looks(act: &Act) -> bool {
    matches!(act, Act::Count(_) | Act::Get(_) | Act::Text(_))
}

/// Ends open acts whose value was seen by the time when that was, and drops the others.
fn settle_values(entries: &mut [Entry]) {
    let seen_at = |value: u64| {
        let saw = |entry: &&Entry| match &entry.act {
            Act::Get(seen) => *seen == Some(value),
            Act::Text(seen) => seen.contains(&value),
            _ => false,
        };
        let times = entries.iter().filter(saw).filter_map(|entry| match entry.fate {
            Fate::Done(at) => Some(at),
            _ => None,
        });
        times.min()
    };
    let fates: Vec<Fate> = entries
        .iter()
        .map(|entry| match (entry.fate, &entry.act) {
            (Fate::Open, Act::Set(value) | Act::Append(value, _)) => seen_at(*value).map_or(Fate::Never, Fate::Done),
            (fate, _) => fate,
        })
        .collect();
    entries.iter_mut().zip(fates).for_each(|(entry, fate)| entry.fate = fate);
}

/// Gives open increments the numbers that are missing, and drops those that are too many.
fn settle_increments(entries: &mut [Entry]) {
    let mut given = std::collections::BTreeSet::new();
    let mut seen: Vec<(u64, usize)> = Vec::new();
    for entry in entries.iter() {
        if let (Fate::Done(at), Act::Increment(Some(number)) | Act::Count(number)) = (entry.fate, &entry.act) {
            seen.push((*number, at));
            if matches!(entry.act, Act::Increment(_)) {
                given.insert(*number);
            }
        }
    }
    let highest = seen.iter().map(|(number, _)| *number).max().unwrap_or(0);
    let mut missing = (1..=highest).filter(|number| !given.contains(number));
    for entry in entries.iter_mut().filter(|entry| matches!(entry.act, Act::Increment(None))) {
        let was_there_by = |number: u64| seen.iter().filter(|(seen, _)| *seen >= number).map(|(_, at)| *at).min();
        match (entry.fate, missing.next()) {
            (Fate::Open, None) => entry.fate = Fate::Never,
            (Fate::Open, Some(number)) => {
                entry.act = Act::Increment(Some(number));
                entry.fate = was_there_by(number).map_or(Fate::Never, Fate::Done);
            }
            // Known to have happened, with a number that nobody knows.
            (_, number) => entry.act = Act::Increment(number),
        }
    }
}

/// Drops open acts and counts them for those that come later.
fn settle_memory(entries: &mut [Entry]) {
    let unheard: Vec<usize> = entries
        .iter()
        .filter(|entry| matches!(entry.act, Act::Remember(..)) && entry.fate == Fate::Open)
        .map(|entry| entry.called_at)
        .collect();
    for entry in entries.iter_mut() {
        if let Act::Remember(_, lost) = &mut entry.act {
            match entry.fate {
                Fate::Done(at) => *lost = unheard.iter().filter(|called_at| **called_at < at).count() as u64,
                _ => entry.fate = Fate::Never,
            }
        }
    }
}

/// Tells appends their place in the longest text.
fn settle_places(entries: &mut [Entry]) {
    let texts = entries.iter().filter_map(|entry| match &entry.act {
        Act::Text(text) => Some(text.clone()),
        _ => None,
    });
    let longest = texts.max_by_key(Vec::len).unwrap_or_default();
    for entry in entries {
        if let Act::Append(value, place) = &mut entry.act {
            *place = longest.iter().position(|appended| appended == value);
        }
    }
}

/// How a cell behaves when one act comes after the other.
struct Specified;

/// What a cell holds; of the fields only one is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Content {
    number: u64,
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
            Act::Increment(gave) => {
                content.number += 1;
                gave.is_none_or(|gave| gave == content.number)
            }
            Act::Count(number) => *number == content.number,
            Act::Set(value) => {
                content.value = Some(*value);
                true
            }
            Act::Delete(existed) => {
                let value = content.value.take();
                *existed != Some(false) || value.is_none()
            }
            Act::Get(value) => *value == content.value,
            Act::PutUnconfirmed(_) | Act::PutAndSync(_) | Act::SeeUnconfirmed(_) | Act::Sync => {
                unreachable!("not of this check")
            }
            Act::Append(value, place) => {
                content.log.push(*value);
                place.is_none_or(|place| place + 1 == content.log.len())
            }
            Act::Text(log) => *log == content.log,
            Act::Remember(gave, lost) => {
                let follows = |number: u64| (number + 1..=number + 1 + lost).contains(gave);
                let fits = follows(0) || follows(content.number);
                content.number = *gave;
                fits
            }
        };
        (fits, if fits { content } else { before.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Acts, Cell, Place};

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

    fn done(act: Act) -> (Act, bool) {
        (act, false)
    }

    fn open(act: Act) -> (Act, bool) {
        (act, true)
    }

    #[test]
    fn what_happened_one_after_the_other_must_fit() {
        assert!(explains(&[done(Act::Increment(Some(1))), done(Act::Count(1))]));
        assert!(!explains(&[done(Act::Increment(Some(1))), done(Act::Count(0))]), "a write that was lost");
        assert!(!explains(&[done(Act::Append(1, None)), done(Act::Text(vec![1, 1]))]), "a write that came twice");
        assert!(!explains(&[done(Act::Append(1, None)), done(Act::Append(2, None)), done(Act::Text(vec![2, 1]))]));
        assert!(!explains(&[done(Act::Set(1)), done(Act::Delete(Some(false)))]));
        assert!(!explains(&[done(Act::Set(1)), done(Act::Set(2)), done(Act::Get(Some(1)))]));
    }

    #[test]
    fn an_act_with_an_open_end_may_come_now_later_or_never() {
        let lost = open(Act::Increment(None));
        for number in [0, 1] {
            assert!(explains(&[lost.clone(), done(Act::Count(number))]), "{number}");
        }
        assert!(explains(&[lost.clone(), done(Act::Count(0)), done(Act::Count(1))]));
        assert!(!explains(&[lost.clone(), done(Act::Count(1)), done(Act::Count(0))]), "it does not go away");
        assert!(!explains(&[lost.clone(), done(Act::Count(2))]), "nor come twice");
        assert!(!explains(&[done(Act::Count(1)), lost]), "nor before it was called");
    }

    #[test]
    fn a_value_with_an_open_end_was_there_when_it_was_seen() {
        let set = open(Act::Set(7));
        assert!(explains(&[set.clone(), done(Act::Get(None)), done(Act::Get(Some(7)))]));
        assert!(!explains(&[set.clone(), done(Act::Get(Some(7))), done(Act::Get(None))]));
        assert!(!explains(&[done(Act::Get(Some(7))), set]));
        let append = open(Act::Append(7, None));
        assert!(explains(&[append.clone(), done(Act::Append(8, None)), done(Act::Text(vec![8]))]));
        assert!(explains(&[append.clone(), done(Act::Append(8, None)), done(Act::Text(vec![8, 7]))]));
        assert!(!explains(&[append, done(Act::Text(vec![])), done(Act::Append(8, None)), done(Act::Text(vec![7]))]));
    }

    #[test]
    fn hundreds_of_open_acts_are_no_trouble() {
        let mut acts = vec![open(Act::Increment(None)); 300];
        acts.extend([100, 101, 203].map(|number| done(Act::Increment(Some(number)))));
        assert!(explains(&acts));
        acts.push(done(Act::Count(303)));
        assert!(explains(&acts));
        acts.push(done(Act::Count(304)));
        assert!(!explains(&acts));
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
        let heard = |numbers: &[u64]| numbers.iter().map(|n| done(Act::Remember(*n, 0))).collect::<Vec<_>>();
        assert!(explains(&heard(&[1, 2, 3, 1, 2])));
        assert!(!explains(&heard(&[1, 2, 1, 3])), "two instances");
        assert!(explains(&[done(Act::Remember(1, 0)), open(Act::Remember(0, 0)), done(Act::Remember(3, 0))]));
    }
}
