//! The directory of one executor: its objects that are resident, and how events find them.
//!
//! Who is resident is decided in `residency`; here are the lives themselves and the events.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use dohost_engine::Input;
use dohost_storage::{ClassNumber, CommitNumber};
use tokio::time::Instant;

use crate::alarms::run::GivenUp;
use crate::class::{Class, Code};
use crate::event::{Event, EventError};
use crate::holds::{HoldNumber, Holds, Released};
use crate::host::HostInner;
use crate::id::ObjectId;
use crate::life;
use crate::manage::Resident;
use crate::object::{EndReason, Object, Refused};
use crate::residency::{Place, Residency};

/// An object in the whole host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectKey {
    pub class: ClassNumber,
    pub id: ObjectId,
}

/// See the module.
pub(crate) struct Residents {
    host: Arc<HostInner>,
    /// Objects whose next life begins when this one has ended, also if no event waits for it.
    starting_anew: HashSet<ObjectKey>,
    residency: Residency<ObjectKey, Arc<Object>, Waiting>,
    holds: Holds<ObjectKey, std::sync::mpsc::Sender<()>>,
    /// Commits, and since when they are under way at least.
    commits: VecDeque<(CommitNumber, Instant)>,
}

struct Waiting {
    name: Option<Arc<str>>,
    event: Box<Event>,
}

impl Residents {
    pub fn new(host: &Arc<HostInner>) -> Residents {
        let share = host.limits.residents_max.div_ceil(host.executors.len());
        Residents {
            host: host.clone(),
            starting_anew: HashSet::new(),
            residency: Residency::new(share),
            holds: Holds::new(),
            commits: VecDeque::new(),
        }
    }

    /// Brings an event to its object, and starts the object if it is not resident.
    pub fn deliver(&mut self, class: &Class, id: ObjectId, name: Option<Arc<str>>, event: Box<Event>) {
        let key = ObjectKey { class: class.0.number, id };
        if self.host.is_stopping() {
            return event.reply.send(Err(EventError::ShuttingDown), None);
        }
        match self.residency.place(&key) {
            Place::Live(object) => match object.push(name.clone(), event) {
                Ok(()) => {}
                Err(Refused::Full(event, text)) => event.reply.send(Err(EventError::Overloaded(text)), None),
                Err(Refused::Over(event)) => {
                    // It does not know yet that it is.
                    self.residency.end(&key);
                    self.wait(&key, name, event);
                }
            },
            Place::Ending(object, _) => match object.push_back_call(event) {
                Ok(()) => {}
                Err(event) => self.wait(&key, name, event),
            },
            Place::Absent => {
                if !self.residency.has_room() && !self.make_room() {
                    let text = format!("{} objects are resident and none is idle", self.residency.len());
                    return event.reply.send(Err(EventError::Overloaded(text)), None);
                }
                self.start(key, class.clone(), None, vec![Waiting { name, event }]);
            }
        }
    }

    /// Puts an event to those that wait for the next life of an object.
    fn wait(&mut self, key: &ObjectKey, name: Option<Arc<str>>, event: Box<Event>) {
        let Place::Ending(object, waiting) = self.residency.place(key) else {
            unreachable!("only what comes while a life ends waits here");
        };
        let limits = object.limits();
        let bytes: usize = waiting.iter().map(|waiting| waiting.event.bytes()).sum();
        let fits = waiting.is_empty() || bytes + event.bytes() <= limits.event_bytes_max;
        if fits && waiting.len() < limits.events_max {
            waiting.push(Waiting { name, event });
        } else {
            let text = format!("{} events with {bytes} bytes wait for the object, the limit", waiting.len());
            event.reply.send(Err(EventError::Overloaded(text)), None);
        }
    }

    /// Starts a life with the events that wait for it. The name is what the life before knew.
    fn start(&mut self, key: ObjectKey, class: Class, name: Option<Arc<str>>, waiting: Vec<Waiting>) {
        let object = Object::new(self.host.clone(), class, key.id, name, self.residency.next_generation());
        for Waiting { name, event } in waiting {
            if let Input::WebSocket(come) = &event.input
                && self.host.websockets.get(&key, come.websocket).is_none()
            {
                // It was closed with the life before.
                event.reply.send(Err(EventError::NotStarted("its websocket was closed".into())), None);
                continue;
            }
            if let Err(refused) = object.push(name, event) {
                let text = "more events wait for the object than it may have";
                refused.event().reply.send(Err(EventError::Overloaded(text.into())), None);
            }
        }
        self.residency.begin(key, object.clone());
        tokio::spawn(life::live(key, object));
    }

    /// Called by a life when it begins to end by itself: from now on events wait for the next one.
    pub fn life_is_ending(&mut self, key: ObjectKey) {
        self.residency.end(&key);
    }

    /// Called by such a life: these events have not begun and go to the next life, before those that wait for it already.
    pub fn hand_on(&mut self, key: ObjectKey, name: Option<Arc<str>>, events: Vec<Event>) {
        let Place::Ending(_, waiting) = self.residency.place(&key) else {
            unreachable!("a life begins to end before it hands its events on");
        };
        waiting.splice(..0, events.into_iter().map(|event| Waiting { name: name.clone(), event: Box::new(event) }));
    }

    /// Ends the life of an object once its events are done, and begins the next one at once. Gives the name, if it has one;
    /// nothing if it is not resident.
    pub fn start_anew(&mut self, key: ObjectKey) -> Option<Option<Arc<str>>> {
        let Place::Live(object) = self.residency.place(&key) else { return None };
        let name = object.name();
        object.drain("its code was updated");
        self.residency.end(&key);
        self.starting_anew.insert(key);
        Some(name)
    }

    /// Ends the lives of a class that run other code than this, once their events are done; how many they are.
    pub fn move_all_but(&mut self, class: &Class, code: &Arc<Code>) -> usize {
        let is_other = |(key, object): (&ObjectKey, &Arc<Object>)| {
            (key.class == class.0.number && !Arc::ptr_eq(&object.code, code)).then(|| (*key, object.clone()))
        };
        let others: Vec<_> = self.residency.live().filter_map(is_other).collect();
        for (key, object) in &others {
            object.drain("its code was updated");
            self.residency.end(key);
        }
        others.len()
    }

    /// The object of a class that has had nothing to do for the longest time, and since when; a busy one if all are.
    pub fn idlest(&self, class: &Class) -> Option<(ObjectKey, Option<Instant>)> {
        let of_class = self.residency.live().filter(|(key, _)| key.class == class.0.number);
        let idle = of_class.map(|(key, object)| (*key, object.idle_since()));
        idle.min_by_key(|(_, since)| (since.is_none(), *since))
    }

    /// Called by a life when it has let go of everything and its commits are settled.
    pub fn life_ended(&mut self, key: ObjectKey) {
        let (object, waiting) = self.residency.ended(&key);
        if self.holds.is_wanted(&key) {
            self.give_hold(key, object.class.clone(), object.name(), waiting);
        } else if self.starting_anew.remove(&key) || !waiting.is_empty() {
            self.start(key, object.class.clone(), object.name(), waiting);
        }
    }

    /// Ends the life of an object, if it has one, and tells when it has none and begins none until [`Residents::release`]
    /// with the same number. Running events may finish, unless there is a reason to end it at once.
    pub fn hold(
        &mut self,
        class: &Class,
        id: ObjectId,
        number: HoldNumber,
        end_now: Option<&str>,
        tell: std::sync::mpsc::Sender<()>,
    ) {
        let key = ObjectKey { class: class.0.number, id };
        let end = |object: &Object| match end_now {
            Some(reason) => object.doom(EndReason::Reset(reason.into())),
            None => object.drain("it was to be evicted"),
        };
        self.holds.add(key, number, tell);
        match self.residency.place(&key) {
            Place::Absent => {
                if end_now.is_some() {
                    self.host.websockets.reset(&key);
                }
                self.give_hold(key, class.clone(), None, Vec::new());
            }
            Place::Live(object) => {
                end(object);
                self.residency.end(&key);
            }
            Place::Ending(object, _) => end(object),
        }
    }

    /// Lets an object go that was held, or is not to be held any more.
    pub fn release(&mut self, key: ObjectKey, number: HoldNumber) {
        if self.holds.release(&key, number) == Released::Given {
            self.life_ended(key);
        }
    }

    /// Puts a life into the slot of an object that never begins, and so never runs beside whoever holds it.
    fn give_hold(&mut self, key: ObjectKey, class: Class, name: Option<Arc<str>>, waiting: Vec<Waiting>) {
        let stand_in = Object::new(self.host.clone(), class, key.id, name, self.residency.next_generation());
        stand_in.close();
        self.residency.begin(key, stand_in);
        self.residency.end(&key);
        if let Place::Ending(_, place) = self.residency.place(&key) {
            *place = waiting;
        }
        let tell = self.holds.give(&key).expect("somebody wants to hold it");
        // Whoever has gone lets it go with a job that is on its way.
        let _ = tell.send(());
    }

    /// The scheduler gave an alarm up: the object, if it is resident, takes note of that.
    pub fn alarm_was_given_up(&mut self, key: ObjectKey, given_up: GivenUp) {
        match self.residency.place(&key) {
            Place::Absent => {}
            Place::Live(object) | Place::Ending(object, _) => object.alarm_was_given_up(given_up),
        }
    }

    /// What is known of the objects that are resident.
    pub fn report(&self) -> Vec<Resident> {
        self.residency.all().map(|(key, object)| object.report(key.class)).collect()
    }

    /// What is known of one object, if it is resident.
    pub fn report_one(&mut self, key: &ObjectKey) -> Option<Resident> {
        match self.residency.place(key) {
            Place::Absent => None,
            Place::Live(object) | Place::Ending(object, _) => Some(object.report(key.class)),
        }
    }

    /// Ends the lives of objects in which something takes too long.
    pub fn check_times(&mut self) {
        let now = Instant::now();
        self.check_commits(now);
        for (_, object) in self.residency.all() {
            object.check_time(now);
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
        let close = |(key, object): (&ObjectKey, &Arc<Object>)| object.close_if_idle_since(before).then_some(*key);
        let closed: Vec<ObjectKey> = self.residency.live().filter_map(close).collect();
        closed.iter().for_each(|key| self.residency.end(key));
    }

    /// Ends the lives of the objects that have been idle the longest. Whether one more may start.
    pub fn make_room(&mut self) -> bool {
        for (key, since) in self.residency.longest_idle(|object| object.idle_since()) {
            if let Place::Live(object) = self.residency.place(&key)
                && object.close_if_idle_since(since)
            {
                self.residency.end(&key);
            }
        }
        self.residency.may_exceed()
    }

    /// Ends all lives once their events are done.
    pub fn close_all(&mut self) {
        let all: Vec<ObjectKey> = self.residency.live().map(|(key, _)| *key).collect();
        for key in &all {
            if let Place::Live(object) = self.residency.place(key) {
                object.close();
            }
            self.residency.end(key);
        }
    }

    /// Objects that are resident, those that are ending too.
    pub fn len(&self) -> usize {
        self.residency.len()
    }
}
