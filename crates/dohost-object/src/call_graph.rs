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
//! Bookkeeping only.

use std::collections::{HashMap, HashSet};
use std::fmt;
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

/// A call with those that led to it.
pub(crate) struct CallChain {
    pub id: CallId,
    /// Who makes the call …
    pub caller: EventKey,
    /// … in which object.
    pub object: Label,
    /// The call that the caller is, if it is one.
    pub parent: Option<Arc<CallChain>>,
}

impl CallChain {
    /// The calls from this one back to the first.
    fn calls(&self) -> impl Iterator<Item = &CallChain> {
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
#[derive(Default)]
pub(crate) struct CallGraph {
    calls: HashMap<CallId, Edge>,
    by_caller: HashMap<EventKey, Vec<CallId>>,
    held: HashMap<ObjectKey, Vec<Hold>>,
}

struct Edge {
    chain: Arc<CallChain>,
    callee: Label,
    holding: Holding,
}

struct Hold {
    by: EventKey,
    holding: Holding,
    calls: usize,
}

impl CallGraph {
    /// Notes a call; or the circle that it would close.
    pub fn begin(&mut self, chain: &Arc<CallChain>, callee: &Label, holding: Holding) -> Result<(), String> {
        self.note(chain, callee, holding);
        let mut search = Search {
            graph: self,
            waiting: chain.callers().collect(),
            seen: HashSet::new(),
            path: vec![callee.clone()],
        };
        if let Some(closing) = search.reaches(chain, callee.key()) {
            let path = search.path;
            let text = circle(chain, closing, &path);
            self.end(chain.id);
            return Err(text);
        }
        Ok(())
    }

    fn note(&mut self, chain: &Arc<CallChain>, callee: &Label, holding: Holding) {
        self.calls.insert(chain.id, Edge { chain: chain.clone(), callee: callee.clone(), holding });
        self.by_caller.entry(chain.caller).or_default().push(chain.id);
        if holding != Holding::Not {
            let holds = self.held.entry(chain.object.key()).or_default();
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
        let key = chain.object.key();
        if holding != Holding::Not
            && let Some(holds) = self.held.get_mut(&key)
        {
            if let Some(hold) = holds.iter_mut().find(|hold| hold.by == chain.caller) {
                hold.calls -= 1;
            }
            // Without a call under way an event gets done by itself.
            holds.retain(|hold| hold.calls > 0);
            if holds.is_empty() {
                self.held.remove(&key);
            }
        }
    }
}

struct Search<'a> {
    graph: &'a CallGraph,
    /// Those who would wait for the new call.
    waiting: Vec<EventKey>,
    seen: HashSet<EventKey>,
    /// The objects from the callee on.
    path: Vec<Label>,
}

impl Search<'_> {
    /// Whether this call, which wants into this object, waits for one of [`Search::waiting`]; for which one.
    fn reaches(&mut self, call: &CallChain, callee: ObjectKey) -> Option<EventKey> {
        let holds = self.graph.held.get(&callee).map_or(&[][..], Vec::as_slice);
        for hold in holds {
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
            if let Some(found) = self.reaches(&edge.chain, edge.callee.key()) {
                return Some(found);
            }
            self.path.pop();
        }
        None
    }
}

/// The circle as text, from the object where it closes around to the same one.
fn circle(chain: &CallChain, closing: EventKey, path: &[Label]) -> String {
    let mut labels = Vec::new();
    for call in chain.calls() {
        labels.push(call.object.to_string());
        if call.caller == closing {
            break;
        }
    }
    labels.reverse();
    labels.extend(path.iter().map(Label::to_string));
    format!("the call would wait for itself: {}", labels.join(" → "))
}
