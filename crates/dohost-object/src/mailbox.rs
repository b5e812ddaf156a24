//! The mailbox of one object: events that have come and not been let in.

use std::collections::VecDeque;

use crate::event::Event;
use crate::limits::Limits;

/// See the module.
#[derive(Default)]
pub(crate) struct Mailbox {
    /// Boxed, since most objects have none most of the time, and none waits for long.
    events: VecDeque<Box<Event>>,
    bytes: usize,
}

impl Mailbox {
    /// Whether one more event fits beside those that run; if not, the text of the limit.
    pub fn has_room(&self, event: &Event, running: usize, limits: &Limits) -> Result<(), String> {
        if self.events.len() + running >= limits.events_max {
            return Err(format!("{} events run or wait in the object, the limit events", limits.events_max));
        }
        // One event always fits: whoever let it in has its own limit.
        if self.bytes + event.bytes() > limits.event_bytes_max && !self.events.is_empty() {
            let max = limits.event_bytes_max;
            return Err(format!("events with {max} bytes wait for the object, the limit event-bytes"));
        }
        Ok(())
    }

    /// Adds an event at the end.
    pub fn push(&mut self, event: Box<Event>) {
        self.bytes += event.bytes();
        self.events.push_back(event);
    }

    /// Takes the first event for which this holds.
    pub fn take_first(&mut self, mut is_wanted: impl FnMut(&Event) -> bool) -> Option<Box<Event>> {
        let at = self.events.iter().position(|event| is_wanted(event))?;
        let event = self.events.remove(at).expect("it was found there");
        self.bytes -= event.bytes();
        Some(event)
    }

    /// The events in it, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().map(Box::as_ref)
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Takes all of them.
    pub fn drain(&mut self) -> impl Iterator<Item = Box<Event>> {
        self.bytes = 0;
        std::mem::take(&mut self.events).into_iter()
    }
}
