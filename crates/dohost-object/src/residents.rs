//! The directory of one executor: which of its objects are resident, and how they come and go.
//!
//! ```text
//!            first event                        idle, or over the limit
//!  (none) ────────────────► Live ─────────────────────────────────────► Ending
//!     ▲                      │  trap, failed commit, abort                │
//!     │                      └───────────────────────────────────────────►│
//!     └───────────────────────────────────────────────────────────────────┤ its commits are settled, nobody waits
//!                            ▲                                            │
//!                            └────────────────────────────────────────────┘ its commits are settled, events wait
//! ```
//!
//! Invariant: an object has one slot, a slot has one life, and the next life begins only after the one before has let go
//! of everything and its commits are settled. Events that come while a life ends wait in the slot.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

use dohost_storage::{ClassNumber, CommitNumber};
use tokio::time::Instant;

use crate::class::Class;
use crate::event::{Event, EventError};
use crate::host::HostInner;
use crate::id::ObjectId;
use crate::life;
use crate::object::{Object, Refused};

/// An object in the whole host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectKey {
    pub class: ClassNumber,
    pub id: ObjectId,
}

/// Part of the idle objects that go when the limit is hit: one at a time would mean a search for each.
const EVICTED_AT_ONCE_PART: usize = 16;

/// See the module.
pub(crate) struct Residents {
    host: Arc<HostInner>,
    slots: Slots,
    residents_max: usize,
    generations: u64,
    /// Commits, and since when they are under way at least.
    commits: VecDeque<(CommitNumber, Instant)>,
}

/// Nobody can choose ids (they are made with a secret), so the hash needs no secret: an order that is the same in every run
/// is worth more.
type Slots = HashMap<ObjectKey, Slot, BuildHasherDefault<DefaultHasher>>;

struct Slot {
    object: Arc<Object>,
    /// Set while the life ends: who waits for the next one.
    ending: Option<Vec<Waiting>>,
}

struct Waiting {
    name: Option<Arc<str>>,
    event: Event,
}

impl Residents {
    pub fn new(host: &Arc<HostInner>) -> Residents {
        let share = host.limits.residents_max.div_ceil(host.executors.len());
        Residents {
            host: host.clone(),
            slots: Slots::default(),
            residents_max: share,
            generations: 0,
            commits: VecDeque::new(),
        }
    }

    /// Brings an event to its object, and starts the object if it is not resident.
    pub fn deliver(&mut self, class: &Class, id: ObjectId, name: Option<Arc<str>>, event: Event) {
        let key = ObjectKey { class: class.0.number, id };
        if self.host.is_stopping() {
            return event.reply.send(Err(EventError::ShuttingDown), None);
        }
        if let Entry::Occupied(mut slot) = self.slots.entry(key) {
            return slot.get_mut().take(name, event);
        }
        let has_room = self.slots.len() < self.residents_max;
        if !has_room && !self.make_room() {
            let text = format!("{} objects are resident and none is idle", self.slots.len());
            return event.reply.send(Err(EventError::Overloaded(text)), None);
        }
        self.start(key, class.clone(), vec![Waiting { name, event }]);
    }

    /// Starts a life with the events that wait for it.
    fn start(&mut self, key: ObjectKey, class: Class, waiting: Vec<Waiting>) {
        self.generations += 1;
        let object = Object::new(self.host.clone(), class, key.id, self.generations);
        for Waiting { name, event } in waiting {
            if let Err(refused) = object.push(name, event) {
                let text = "more events wait for the object than it may have";
                refused.event().reply.send(Err(EventError::Overloaded(text.into())), None);
            }
        }
        self.slots.insert(key, Slot { object: object.clone(), ending: None });
        tokio::spawn(life::live(key, object));
    }

    /// Called by a life when it has let go of everything and its commits are settled.
    pub fn life_ended(&mut self, key: ObjectKey) {
        let slot = self.slots.remove(&key).expect("the slot of a life stays until the life has ended");
        if let Some(waiting) = slot.ending.filter(|waiting| !waiting.is_empty()) {
            self.start(key, slot.object.class.clone(), waiting);
        }
    }

    /// Called by a life when it begins to end by itself: from now on events wait for the next one.
    pub fn life_is_ending(&mut self, key: ObjectKey) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.ending.get_or_insert_default();
        }
    }

    /// Ends the lives of objects in which something takes too long.
    pub fn check_times(&mut self) {
        let now = Instant::now();
        self.check_commits(now);
        for slot in self.slots.values() {
            slot.object.check_time(now);
        }
    }

    /// Gives up commits that the disk does not answer for.
    fn check_commits(&mut self, now: Instant) {
        let last = self.host.store.last_submitted();
        if self.commits.back().is_none_or(|(number, _)| *number < last) {
            self.commits.push_back((last, now));
        }
        let progress = self.host.executors.progress(crate::executor::current());
        let max = self.host.limits.commit_time_max;
        while let Some((number, since)) = self.commits.front().copied() {
            let is_late = now.saturating_duration_since(since) > max;
            if is_late && progress.is_durable(number).is_none() {
                tracing::error!(commit = number.0, "the disk has not answered for {max:?}, the limit of a commit");
                progress.give_up(number);
            }
            if progress.is_durable(number).is_none() {
                break;
            }
            self.commits.pop_front();
        }
    }

    /// Ends the lives of objects that had nothing to do for the idle timeout.
    pub fn evict_idle(&mut self) {
        let Some(before) = Instant::now().checked_sub(self.host.limits.idle_timeout) else { return };
        for slot in self.slots.values_mut() {
            if slot.ending.is_none() && slot.object.close_if_idle_since(before) {
                slot.ending = Some(Vec::new());
            }
        }
    }

    /// Ends the lives of the objects that have been idle the longest. Whether one more may start: those that are on their
    /// way out make room soon, so a few over the limit are better than a refusal.
    pub fn make_room(&mut self) -> bool {
        let part = (self.residents_max / EVICTED_AT_ONCE_PART).max(1);
        let mut idle: Vec<(Instant, ObjectKey)> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.ending.is_none())
            .filter_map(|(key, slot)| Some((slot.object.idle_since()?, *key)))
            .collect();
        let count = part.min(idle.len());
        if count > 0 {
            idle.select_nth_unstable_by_key(count - 1, |(since, _)| *since);
        }
        for (since, key) in &idle[..count] {
            let slot = self.slots.get_mut(key).expect("the slot was there just now");
            if slot.object.close_if_idle_since(*since) {
                slot.ending = Some(Vec::new());
            }
        }
        let is_ending = self.slots.values().any(|slot| slot.ending.is_some());
        is_ending && self.slots.len() < self.residents_max + part
    }

    /// Ends all lives once their events are done.
    pub fn close_all(&mut self) {
        for slot in self.slots.values_mut() {
            slot.object.close();
            slot.ending.get_or_insert_default();
        }
    }

    /// Objects that are resident, those that are ending too.
    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

impl Slot {
    fn take(&mut self, name: Option<Arc<str>>, event: Event) {
        if self.ending.is_none() {
            match self.object.push(name.clone(), event) {
                Ok(()) => {}
                Err(Refused::Full(event, text)) => event.reply.send(Err(EventError::Overloaded(text)), None),
                Err(Refused::Over(event)) => self.ending = Some(vec![Waiting { name, event: *event }]),
            }
            return;
        }
        let limits = self.object.limits();
        let waiting = self.ending.get_or_insert_default();
        let bytes: usize = waiting.iter().map(|waiting| waiting.event.bytes()).sum();
        if waiting.len() < limits.events_max && (waiting.is_empty() || bytes + event.bytes() <= limits.event_bytes_max)
        {
            waiting.push(Waiting { name, event });
        } else {
            let text = format!("{} events with {bytes} bytes wait for the object, the limit", waiting.len());
            event.reply.send(Err(EventError::Overloaded(text)), None);
        }
    }
}
