//! Objects that are held: nobody lives them for a while, so that their content can be changed from outside.
//!
//! Whoever looks after objects and wants to change what one has stored holds it first. A life that is there ends before the
//! hold is given; no other begins until it is let go; events that come meanwhile wait, as they do for any next life. So
//! what a guest remembers is never older than what is stored.
//!
//! Several may ask for one object: they hold it one after the other.
//!
//! Bookkeeping only: `residents` does what it says.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Who holds or wants to hold an object. Never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HoldNumber(pub u64);

/// See the module. `K` names an object, `T` is told when the hold is given.
pub(crate) struct Holds<K, T> {
    /// The first of each is the next one, or holds the object now.
    queues: HashMap<K, VecDeque<Hold<T>>>,
}

struct Hold<T> {
    number: HoldNumber,
    tell: T,
    is_given: bool,
}

/// What became of a hold that was let go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// It was given: whoever waits for the object comes now.
    Given,
    /// It was not given yet, or is not known.
    NotGiven,
}

impl<K: Copy + Eq + Hash, T> Holds<K, T> {
    pub fn new() -> Self {
        Holds { queues: HashMap::new() }
    }

    /// Somebody wants to hold an object.
    pub fn add(&mut self, key: K, number: HoldNumber, tell: T) {
        self.queues.entry(key).or_default().push_back(Hold { number, tell, is_given: false });
    }

    /// Whether somebody holds the object, or wants to.
    pub fn is_wanted(&self, key: &K) -> bool {
        self.queues.contains_key(key)
    }

    /// The object has no life now: gives it to the next one. To be told outside.
    pub fn give(&mut self, key: &K) -> Option<&T> {
        let hold = self.queues.get_mut(key)?.front_mut()?;
        assert!(!hold.is_given, "an object is held by one at a time");
        hold.is_given = true;
        Some(&hold.tell)
    }

    /// Somebody lets an object go, or does not want to hold it any more.
    pub fn release(&mut self, key: &K, number: HoldNumber) -> Released {
        let Some(queue) = self.queues.get_mut(key) else { return Released::NotGiven };
        let Some(at) = queue.iter().position(|hold| hold.number == number) else { return Released::NotGiven };
        let hold = queue.remove(at).expect("it was found there");
        if queue.is_empty() {
            self.queues.remove(key);
        }
        if hold.is_given { Released::Given } else { Released::NotGiven }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_held_by_one_after_the_other_and_who_gives_up_is_passed_over() {
        let mut holds = Holds::<u8, &str>::new();
        assert!(!holds.is_wanted(&1) && holds.give(&1).is_none());
        for (number, who) in [(1, "first"), (2, "second"), (3, "third")] {
            holds.add(1, HoldNumber(number), who);
        }
        assert_eq!(holds.give(&1), Some(&"first"));
        assert_eq!(holds.release(&1, HoldNumber(2)), Released::NotGiven);
        assert_eq!(holds.release(&1, HoldNumber(1)), Released::Given);
        assert_eq!(holds.give(&1), Some(&"third"));
        assert_eq!(holds.release(&2, HoldNumber(3)), Released::NotGiven, "another object");
        assert_eq!(holds.release(&1, HoldNumber(3)), Released::Given);
        assert_eq!(holds.release(&1, HoldNumber(3)), Released::NotGiven, "once");
        assert!(!holds.is_wanted(&1));
    }

    #[test]
    #[should_panic(expected = "one at a time")]
    fn giving_an_object_twice_is_a_defect() {
        let mut holds = Holds::<u8, ()>::new();
        holds.add(1, HoldNumber(1), ());
        holds.give(&1);
        holds.give(&1);
    }
}
