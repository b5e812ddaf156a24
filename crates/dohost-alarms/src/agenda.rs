//! Which of all pending alarms fires next.
//!
//! Pending alarms are rows in the store, in the order of time for each class. Of those only the *near* ones are in memory: a
//! page is read when few are left ([`Agenda::wants_page`]), and changes of the store are heard as they become durable
//! ([`Agenda::hear`]), so that what is here is what the store has up to some place. A million alarms for next year cost nothing
//! but one page.
//!
//! An alarm that was fired is *under way* until its handler has ended and what came of that is durable. Then its row is gone,
//! or it is another one, and that was heard. If it was not, the alarm is still as it was, whatever the reason, and fires again
//! after a while: so nothing is lost here, and whoever acts on this need not know all that can happen to an object.
//!
//! Invariants: an alarm fires only when its time has come; of one name of an object at most one is under way; at most so many
//! are under way in all.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dohost_storage::{AlarmChange, AlarmPlace, ClassNumber, PendingAlarm};

/// Alarms of a class that are read at once.
pub const PAGE_LEN: usize = 256;

/// More are read when fewer than these are left of a class.
const NEAR_LEN_LOW: usize = 64;

/// Alarms of a class that are in memory at once; those over it are the last to come, and are read again.
pub const NEAR_LEN_MAX: usize = 1_024;

/// How long an alarm waits that is as it was although it has fired.
pub const AGAIN_AFTER_MS: u64 = 1_000;

/// See the module.
#[derive(Debug)]
pub struct Agenda {
    under_way_max: usize,
    classes: BTreeMap<ClassNumber, Near>,
    under_way: HashMap<Key, UnderWay>,
}

/// An alarm of an object, whatever the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    class: ClassNumber,
    id: [u8; 32],
    name: Arc<str>,
}

/// What is in memory of a class: all that the store has up to some place.
#[derive(Debug, Default)]
struct Near {
    pending: BTreeMap<AlarmPlace, PendingAlarm>,
    reach: Reach,
    /// What was heard since a page was asked for, which may not be in it.
    heard: Option<Vec<AlarmChange>>,
}

/// How far all is known.
#[derive(Debug, Default)]
enum Reach {
    #[default]
    Nothing,
    UpTo(AlarmPlace),
    Everything,
}

#[derive(Debug)]
struct UnderWay {
    alarm: PendingAlarm,
    /// It is not in the store any more.
    is_gone: bool,
    /// What is in its place now.
    next: Option<PendingAlarm>,
    /// It has ended and fires again then, unless it has gone.
    again_at: Option<u64>,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Fire this one, and say [`Agenda::ended`] when that is over.
    Fire(PendingAlarm),
    /// Nothing before this time, in milliseconds since 1970, or before something changes.
    Wait(Option<u64>),
}

/// Part of the index that is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Of this class.
    pub class: ClassNumber,
    /// What comes after this place; from the beginning if there is none.
    pub after: Option<AlarmPlace>,
}

impl Key {
    fn of(alarm: &PendingAlarm) -> Key {
        Key { class: alarm.class, id: alarm.id, name: alarm.name.clone() }
    }
}

impl Reach {
    fn last(&self) -> Option<&AlarmPlace> {
        match self {
            Reach::UpTo(last) => Some(last),
            Reach::Nothing | Reach::Everything => None,
        }
    }
}

impl Near {
    fn knows(&self, place: &AlarmPlace) -> bool {
        match &self.reach {
            Reach::Nothing => false,
            Reach::UpTo(last) => place <= last,
            Reach::Everything => true,
        }
    }

    fn add(&mut self, alarm: PendingAlarm) {
        let place = alarm.place();
        if !self.knows(&place) {
            return;
        }
        self.pending.insert(place, alarm);
        if self.pending.len() > NEAR_LEN_MAX {
            self.pending.pop_last();
            let (last, _) = self.pending.last_key_value().expect("there are many");
            self.reach = Reach::UpTo(last.clone());
        }
    }
}

impl Agenda {
    /// Knows of nothing yet. `under_way_max` alarms may be under way at once.
    pub fn new(under_way_max: usize) -> Agenda {
        Agenda { under_way_max, classes: BTreeMap::new(), under_way: HashMap::new() }
    }

    /// Fires alarms of this class from now on.
    pub fn serve(&mut self, class: ClassNumber) {
        self.classes.entry(class).or_default();
    }

    /// How many are under way.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// A page that is to be read. [`Agenda::page`] or [`Agenda::no_page`] must follow.
    pub fn wants_page(&mut self) -> Option<PageRequest> {
        let wants = |near: &Near| {
            near.heard.is_none() && !matches!(near.reach, Reach::Everything) && near.pending.len() < NEAR_LEN_LOW
        };
        let (class, near) = self.classes.iter_mut().find(|(_, near)| wants(near))?;
        near.heard = Some(Vec::new());
        Some(PageRequest { class: *class, after: near.reach.last().cloned() })
    }

    /// Takes a page; fewer than [`PAGE_LEN`] are the last there are.
    pub fn page(&mut self, request: &PageRequest, page: Vec<PendingAlarm>) {
        let Some(near) = self.classes.get_mut(&request.class) else { return };
        let Some(heard) = near.heard.take() else { return };
        if near.reach.last() != request.after.as_ref() {
            // So much was heard meanwhile that the page does not follow on what is here.
            return;
        }
        near.reach = match page.last() {
            Some(last) if page.len() >= PAGE_LEN => Reach::UpTo(last.place()),
            _ => Reach::Everything,
        };
        for alarm in page {
            self.found(alarm);
        }
        // The page may be older than these.
        self.hear(heard);
    }

    /// The page could not be read.
    pub fn no_page(&mut self, request: &PageRequest) {
        if let Some(near) = self.classes.get_mut(&request.class) {
            near.heard = None;
        }
    }

    /// Takes note of changes that became durable.
    pub fn hear(&mut self, changes: Vec<AlarmChange>) {
        for change in changes {
            let class = match &change {
                AlarmChange::Added(alarm) | AlarmChange::Removed(alarm) => alarm.class,
            };
            if let Some(heard) = self.classes.get_mut(&class).and_then(|near| near.heard.as_mut()) {
                heard.push(change.clone());
            }
            match change {
                AlarmChange::Added(alarm) => self.found(alarm),
                AlarmChange::Removed(alarm) => self.lost(&alarm),
            }
        }
    }

    /// Changes were lost: everything is to be read anew.
    pub fn forget(&mut self) {
        for near in self.classes.values_mut() {
            *near = Near::default();
        }
        for under_way in self.under_way.values_mut() {
            // If it is still there, it will be found.
            under_way.is_gone = true;
            under_way.next = None;
        }
    }

    /// What to do at this time.
    pub fn next(&mut self, now_ms: u64) -> Next {
        self.end_those_that_waited(now_ms);
        let mut wait_until = self.under_way.values().filter_map(|under_way| under_way.again_at).min();
        loop {
            let has_room = self.under_way.len() < self.under_way_max;
            let first = self.classes.values().filter_map(|near| near.pending.first_key_value());
            let Some((place, _)) = first.min_by_key(|(place, _)| place.due_ms) else { break };
            if place.due_ms > now_ms {
                wait_until = Some(wait_until.map_or(place.due_ms, |until| until.min(place.due_ms)));
                break;
            }
            if !has_room {
                break;
            }
            let (place, class) = (place.clone(), place.class);
            let near = self.classes.get_mut(&class).expect("it is from there");
            let alarm = near.pending.remove(&place).expect("it was there just now");
            match self.under_way.get_mut(&Key::of(&alarm)) {
                Some(under_way) => under_way.next = Some(alarm),
                None => {
                    let under_way = UnderWay { alarm: alarm.clone(), is_gone: false, next: None, again_at: None };
                    self.under_way.insert(Key::of(&alarm), under_way);
                    return Next::Fire(alarm);
                }
            }
        }
        Next::Wait(wait_until)
    }

    /// An alarm that was fired is over, with whatever success, and what came of it is durable and was heard. If it is still in
    /// the store it fires again at `again_at`, or after [`AGAIN_AFTER_MS`].
    pub fn ended(&mut self, alarm: &PendingAlarm, now_ms: u64, again_at: Option<u64>) {
        let key = Key::of(alarm);
        let Some(under_way) = self.under_way.get_mut(&key) else { return };
        under_way.again_at = Some(again_at.unwrap_or(now_ms + AGAIN_AFTER_MS));
        if under_way.is_gone {
            self.let_go(&key);
        }
    }

    fn end_those_that_waited(&mut self, now_ms: u64) {
        let is_over = |under_way: &UnderWay| under_way.again_at.is_some_and(|at| at <= now_ms);
        let over = self.under_way.iter().filter(|(_, under_way)| is_over(under_way));
        for key in over.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.let_go(&key);
        }
    }

    /// It is not under way any more. What is in the store under its name is pending.
    fn let_go(&mut self, key: &Key) {
        let Some(UnderWay { alarm, is_gone, next, .. }) = self.under_way.remove(key) else { return };
        let pending = next.or((!is_gone).then_some(alarm));
        if let (Some(pending), Some(near)) = (pending, self.classes.get_mut(&key.class)) {
            near.add(pending);
        }
    }

    /// This one is in the store.
    fn found(&mut self, alarm: PendingAlarm) {
        match self.under_way.get_mut(&Key::of(&alarm)) {
            Some(under_way) if under_way.alarm == alarm => under_way.is_gone = false,
            Some(under_way) => {
                under_way.next = Some(alarm);
                // It has ended, and the next one need not wait for what does not come again.
                if under_way.again_at.is_some() {
                    under_way.again_at = Some(0);
                }
            }
            None => {
                if let Some(near) = self.classes.get_mut(&alarm.class) {
                    near.add(alarm);
                }
            }
        }
    }

    /// This one is not in the store any more.
    fn lost(&mut self, alarm: &PendingAlarm) {
        if let Some(near) = self.classes.get_mut(&alarm.class) {
            near.pending.remove(&alarm.place());
        }
        let key = Key::of(alarm);
        if let Some(under_way) = self.under_way.get_mut(&key) {
            under_way.is_gone |= under_way.alarm == *alarm;
            under_way.next.take_if(|next| next == alarm);
            if under_way.is_gone && under_way.again_at.is_some() {
                self.let_go(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
