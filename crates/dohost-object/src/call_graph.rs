//! Who waits for whom: calls from object to object that are under way, and which of them can never end.
//!
//! An object is *held* by an event when no other event may run before that one is done: always with the synchronous ABI
//! or strict turns, otherwise while the event has a critical section or the object is being constructed. An event that waits
//! for a call does not get done before the call is; so calls can wait for each other in a circle. A call that would close a
//! circle is refused when it is made, which is always in time: the last edge of a circle is a call.
//!
//! Only events that wait for calls matter, so nothing is noted of an event before it makes one.
//!
//! A circle is found also where an event has several calls under way and could do without this one: the call could still not
//! end before its caller does.
//!
//! Bookkeeping only. `O` names an object.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use dohost_storage::LifeId;

use crate::class::Class;
use crate::id::ObjectId;
use crate::residents::ObjectKey;

/// A call from a guest to an object, in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallId(pub u64);

/// An event of an object, or what else makes calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum EventKey {
    /// The event that a call is.
    Call(CallId),
    /// The n-th event of a life that came from elsewhere.
    Other { life: LifeId, number: u64 },
    /// The construction of a life.
    Construction { life: LifeId },
    /// Work that a life goes on with after its replies.
    Background { life: LifeId },
}

/// An object, for people.
#[derive(Clone)]
pub(crate) struct Label {
    pub class: Class,
    pub id: ObjectId,
    pub name: Option<Arc<str>>,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.class.name()),
            None => write!(f, "{}/{}", self.class.name(), self.id),
        }
    }
}

impl Label {
    fn key(&self) -> ObjectKey {
        ObjectKey { class: self.class.0.number, id: self.id }
    }
}

/// With a name or without, it is the same object.
impl PartialEq for Label {
    fn eq(&self, other: &Label) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Label {}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// A call with those that led to it.
pub(crate) struct CallChain<O = Label> {
    pub id: CallId,
    /// Who makes the call …
    pub caller: EventKey,
    /// … in which object.
    pub object: O,
    /// The call that the caller is, if it is one.
    pub parent: Option<Arc<CallChain<O>>>,
}

impl<O> CallChain<O> {
    /// The calls from this one back to the first.
    fn calls(&self) -> impl Iterator<Item = &CallChain<O>> {
        std::iter::successors(Some(self), |call| call.parent.as_deref())
    }

    /// Who waits for this call, from its caller back to where it began.
    pub fn callers(&self) -> impl Iterator<Item = EventKey> {
        self.calls().map(|call| call.caller)
    }

    /// How many calls it took to get here, this one included.
    pub fn depth(&self) -> usize {
        self.calls().count()
    }
}

/// How the caller holds its object while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holding {
    /// Other events may run.
    Not,
    /// Only events that it called for itself may run.
    ButReenters,
    /// No event may run.
    Fully,
}

/// See the module.
pub(crate) struct CallGraph<O = Label> {
    calls: HashMap<CallId, Edge<O>>,
    by_caller: HashMap<EventKey, Vec<CallId>>,
    held: HashMap<O, Vec<Hold>>,
}

struct Edge<O> {
    chain: Arc<CallChain<O>>,
    callee: O,
    holding: Holding,
}

struct Hold {
    by: EventKey,
    holding: Holding,
    calls: usize,
}

impl<O> Default for CallGraph<O> {
    fn default() -> CallGraph<O> {
        CallGraph { calls: HashMap::new(), by_caller: HashMap::new(), held: HashMap::new() }
    }
}

impl<O: Clone + Eq + Hash + fmt::Display> CallGraph<O> {
    /// Notes a call; or the circle that it would close.
    pub fn begin(&mut self, chain: &Arc<CallChain<O>>, callee: &O, holding: Holding) -> Result<(), String> {
        self.note(chain, callee, holding);
        let mut search = Search {
            graph: self,
            waiting: chain.callers().collect(),
            seen: HashSet::new(),
            path: vec![callee.clone()],
        };
        if let Some(closing) = search.reaches(chain, callee) {
            let path = search.path;
            let text = circle(chain, closing, &path);
            self.end(chain.id);
            return Err(text);
        }
        Ok(())
    }

    fn note(&mut self, chain: &Arc<CallChain<O>>, callee: &O, holding: Holding) {
        self.calls.insert(chain.id, Edge { chain: chain.clone(), callee: callee.clone(), holding });
        self.by_caller.entry(chain.caller).or_default().push(chain.id);
        if holding != Holding::Not {
            let holds = self.held.entry(chain.object.clone()).or_default();
            match holds.iter_mut().find(|hold| hold.by == chain.caller) {
                Some(hold) => {
                    hold.calls += 1;
                    hold.holding = holding;
                }
                None => holds.push(Hold { by: chain.caller, holding, calls: 1 }),
            }
        }
    }

    /// A call is over.
    pub fn end(&mut self, id: CallId) {
        let Some(Edge { chain, holding, .. }) = self.calls.remove(&id) else { return };
        if let Some(calls) = self.by_caller.get_mut(&chain.caller) {
            calls.retain(|call| *call != id);
            if calls.is_empty() {
                self.by_caller.remove(&chain.caller);
            }
        }
        if holding != Holding::Not
            && let Some(holds) = self.held.get_mut(&chain.object)
        {
            if let Some(hold) = holds.iter_mut().find(|hold| hold.by == chain.caller) {
                hold.calls -= 1;
            }
            // Without a call under way an event gets done by itself.
            holds.retain(|hold| hold.calls > 0);
            if holds.is_empty() {
                self.held.remove(&chain.object);
            }
        }
    }
}

struct Search<'a, O> {
    graph: &'a CallGraph<O>,
    /// Those who would wait for the new call.
    waiting: Vec<EventKey>,
    seen: HashSet<EventKey>,
    /// The objects from the callee on.
    path: Vec<O>,
}

impl<O: Clone + Eq + Hash> Search<'_, O> {
    /// Whether this call, which wants into this object, waits for one of [`Search::waiting`]; for which one.
    fn reaches(&mut self, call: &CallChain<O>, callee: &O) -> Option<EventKey> {
        let holds = self.graph.held.get(callee).map_or(&[][..], Vec::as_slice);
        // The last one first: that names the shortest circle.
        for hold in holds.iter().rev() {
            let reenters = hold.holding == Holding::ButReenters && call.callers().any(|caller| caller == hold.by);
            if reenters || hold.by == EventKey::Call(call.id) {
                continue;
            }
            if self.waiting.contains(&hold.by) {
                return Some(hold.by);
            }
            if let Some(found) = self.follow(hold.by) {
                return Some(found);
            }
        }
        // Or it runs already, and waits for what it called itself.
        self.follow(EventKey::Call(call.id))
    }

    fn follow(&mut self, event: EventKey) -> Option<EventKey> {
        if !self.seen.insert(event) {
            return None;
        }
        let graph = self.graph;
        for id in graph.by_caller.get(&event).into_iter().flatten() {
            let edge = &graph.calls[id];
            self.path.push(edge.callee.clone());
            if let Some(found) = self.reaches(&edge.chain, &edge.callee) {
                return Some(found);
            }
            self.path.pop();
        }
        None
    }
}

/// The circle as text, from the object where it closes around to the same one.
fn circle<O: fmt::Display>(chain: &CallChain<O>, closing: EventKey, path: &[O]) -> String {
    let mut labels = Vec::new();
    for call in chain.calls() {
        labels.push(call.object.to_string());
        if call.caller == closing {
            break;
        }
    }
    labels.reverse();
    labels.extend(path.iter().map(O::to_string));
    format!("the call would wait for itself: {}", labels.join(" → "))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Chain = Arc<CallChain<&'static str>>;

    #[derive(Default)]
    struct Calls {
        graph: CallGraph<&'static str>,
        last: u64,
    }

    impl Calls {
        /// A call from an event of one object to another; the event came with `parent`, or is the n-th that came from
        /// elsewhere.
        fn call(
            &mut self,
            from: (&'static str, Result<&Chain, u64>),
            to: &'static str,
            holding: Holding,
        ) -> Result<Chain, String> {
            let (object, event) = from;
            self.last += 1;
            let chain = Arc::new(CallChain {
                id: CallId(self.last),
                caller: event.map_or_else(other, |parent| EventKey::Call(parent.id)),
                object,
                parent: event.ok().cloned(),
            });
            self.graph.begin(&chain, &to, holding).map(|()| chain)
        }

        fn is_empty(&self) -> bool {
            self.graph.calls.is_empty() && self.graph.by_caller.is_empty() && self.graph.held.is_empty()
        }
    }

    fn other(number: u64) -> EventKey {
        // Only the number tells them apart here.
        EventKey::Call(CallId(1_000_000 + number))
    }

    fn circle_of(refused: Result<Chain, String>) -> String {
        let text = refused.err().expect("it closes a circle");
        text.strip_prefix("the call would wait for itself: ").expect("it says so").into()
    }

    #[test]
    fn an_object_that_is_held_cannot_call_itself() {
        let mut calls = Calls::default();
        assert_eq!(circle_of(calls.call(("A", Err(1)), "A", Holding::Fully)), "A → A");
        assert!(calls.is_empty(), "a call that was refused leaves nothing behind");
        assert!(calls.call(("A", Err(1)), "A", Holding::Not).is_ok());
        assert!(calls.call(("B", Err(2)), "B", Holding::ButReenters).is_ok());
    }

    #[test]
    fn a_circle_through_another_object_is_named_from_where_it_closes() {
        for between in [Holding::Fully, Holding::Not] {
            let mut calls = Calls::default();
            let first = calls.call(("start", Err(1)), "A", Holding::Not).unwrap();
            let second = calls.call(("A", Ok(&first)), "B", Holding::Fully).unwrap();
            assert_eq!(circle_of(calls.call(("B", Ok(&second)), "A", between)), "A → B → A");
        }
    }

    #[test]
    fn two_events_that_call_each_others_objects_are_a_circle_although_neither_called_the_other() {
        let mut calls = Calls::default();
        let first = calls.call(("A", Err(1)), "B", Holding::Fully).unwrap();
        assert_eq!(circle_of(calls.call(("B", Err(2)), "A", Holding::Fully)), "B → A → B");
        calls.graph.end(first.id);
        assert!(calls.call(("B", Err(2)), "A", Holding::Fully).is_ok(), "the other one is over");
    }

    #[test]
    fn a_long_circle_of_strangers_is_found_by_whoever_closes_it() {
        let mut calls = Calls::default();
        for (number, (from, to)) in (0..).zip([("A", "B"), ("B", "C"), ("C", "D")]) {
            calls.call((from, Err(number)), to, Holding::Fully).unwrap();
        }
        assert_eq!(circle_of(calls.call(("D", Err(9)), "A", Holding::Fully)), "D → A → B → C → D");
        assert!(calls.call(("D", Err(9)), "E", Holding::Fully).is_ok());
    }

    #[test]
    fn calls_around_objects_that_interleave_are_no_circle() {
        let mut calls = Calls::default();
        calls.call(("A", Err(1)), "B", Holding::Not).unwrap();
        calls.call(("B", Err(2)), "A", Holding::Not).unwrap();
        let third = calls.call(("A", Err(3)), "B", Holding::Not).unwrap();
        calls.call(("B", Ok(&third)), "A", Holding::Not).unwrap();
    }

    #[test]
    fn strict_turns_let_in_what_they_called_for_and_nothing_else() {
        let mut calls = Calls::default();
        let out = calls.call(("A", Err(1)), "B", Holding::ButReenters).unwrap();
        let back = calls.call(("B", Ok(&out)), "A", Holding::ButReenters).unwrap();
        let _again = calls.call(("A", Ok(&back)), "C", Holding::ButReenters).unwrap();
        // A stranger waits for A, and A must not wait for the stranger.
        let stranger = calls.call(("D", Err(2)), "A", Holding::Fully).unwrap();
        assert_eq!(circle_of(calls.call(("A", Ok(&back)), "D", Holding::ButReenters)), "A → D → A");
        calls.graph.end(stranger.id);
        assert!(calls.call(("A", Ok(&back)), "D", Holding::ButReenters).is_ok());
    }

    #[test]
    fn what_is_over_leaves_nothing_behind() {
        let mut calls = Calls::default();
        let chains: Vec<Chain> = [("A", Holding::Fully), ("A", Holding::Not), ("B", Holding::ButReenters)]
            .into_iter()
            .map(|(from, holding)| calls.call((from, Err(1)), "C", holding).unwrap())
            .collect();
        for chain in chains {
            calls.graph.end(chain.id);
            calls.graph.end(chain.id);
        }
        assert!(calls.is_empty());
    }
}
