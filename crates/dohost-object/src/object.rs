//! One life of one object: its mailbox, its turn, and what waits to leave.
//!
//! The state is behind a lock only because wasmtime wants everything that a guest can reach to be `Send`. Whoever takes it
//! runs on the object's executor, never holds it across an await, and so never waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use dohost_engine::{Call, Events, Response};
use dohost_storage::{CommitNumber, LifeId, NAME_BYTES_MAX, ObjectNumber, ObjectRecord, Overlay, Progress, WriteSet};
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;
use tokio::sync::{Notify, oneshot};

use crate::class::Class;
use crate::event::{Event, EventError, Reply, ReplySlot};
use crate::host::HostInner;
use crate::id::ObjectId;
use crate::input_gate::InputGate;

/// One life of one object.
pub(crate) struct Object {
    pub host: Arc<HostInner>,
    pub class: Class,
    pub id: ObjectId,
    /// The n-th life that this executor started.
    pub generation: u64,
    pub life: LifeId,
    pub progress: Progress,
    /// Notified when this life must end at once because a commit of it failed.
    pub doom: Notify,
    state: Mutex<State>,
}

pub(crate) struct State {
    name: Option<Arc<str>>,
    mailbox: VecDeque<Event>,
    /// Replies of the events that the guest has begun.
    running: Slab<ReplySlot>,
    /// Bytes of the events in the mailbox.
    waiting_bytes: usize,
    is_closing: bool,
    waker: Option<Waker>,
    last_active: Instant,
    pub gate: InputGate,
    storage: Option<Residence>,
    /// What left the guest in this turn after it had written: it learns its commit when the turn ends.
    outputs: Vec<Output>,
    last_commit: Option<CommitNumber>,
    unsettled: VecDeque<CommitNumber>,
}

/// The object's part of the store.
pub(crate) struct Residence {
    pub number: ObjectNumber,
    pub record: Option<ObjectRecord>,
    pub overlay: Overlay,
}

/// Something that must not leave before a commit.
enum Output {
    Reply(ReplySlot, Reply),
    Other(oneshot::Sender<Option<CommitNumber>>),
}

/// The commit that an output depends on.
pub(crate) enum Gate {
    /// It is known; `None` if the object has not written anything in this life.
    Now(Option<CommitNumber>),
    /// It will be when the turn ends.
    AtEndOfTurn(oneshot::Receiver<Option<CommitNumber>>),
}

/// Why an event did not get into the mailbox.
pub(crate) enum Refused {
    /// A limit of the mailbox.
    Full(Box<Event>, String),
    /// This life is over.
    Over(Box<Event>),
}

impl Refused {
    pub fn event(self) -> Event {
        match self {
            Refused::Full(event, _) | Refused::Over(event) => *event,
        }
    }
}

impl Object {
    pub fn new(host: Arc<HostInner>, class: Class, id: ObjectId, generation: u64) -> Arc<Object> {
        let state = State {
            name: None,
            mailbox: VecDeque::new(),
            running: Slab::new(),
            waiting_bytes: 0,
            is_closing: false,
            waker: None,
            last_active: Instant::now(),
            gate: InputGate::default(),
            storage: None,
            outputs: Vec::new(),
            last_commit: None,
            unsettled: VecDeque::new(),
        };
        Arc::new(Object {
            life: host.store.new_life(),
            progress: host.executors.progress(crate::executor::current()).clone(),
            host,
            class,
            id,
            generation,
            doom: Notify::new(),
            state: Mutex::new(state),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Puts an event into the mailbox.
    pub fn push(&self, name: Option<Arc<str>>, event: Event) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.is_closing || !self.settle(&mut state) {
            return Err(Refused::Over(Box::new(event)));
        }
        let limits = &self.host.limits;
        if state.mailbox.len() + state.running.len() >= limits.events_max {
            let text = format!("{} events run or wait in the object, the limit", limits.events_max);
            return Err(Refused::Full(Box::new(event), text));
        }
        if state.waiting_bytes + event.bytes() > limits.event_bytes_max && !state.mailbox.is_empty() {
            let text = format!("events with {} bytes wait for the object, the limit", limits.event_bytes_max);
            return Err(Refused::Full(Box::new(event), text));
        }
        if let Some(name) = name {
            state.learn_name(name);
        }
        state.waiting_bytes += event.bytes();
        state.mailbox.push_back(event);
        state.wake();
        Ok(())
    }

    pub fn name(&self) -> Option<Arc<str>> {
        self.lock().name.clone()
    }

    /// What the store gave: from now on the guest can run.
    pub fn loaded(&self, storage: Residence) {
        let mut state = self.lock();
        if let Some(name) = storage.record.as_ref().and_then(|record| record.name.as_deref()) {
            state.learn_name(name.into());
        }
        state.storage = Some(storage);
    }

    /// Since when the object has had nothing to do; `None` if it has something to do.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.is_idle().then_some(state.last_active)
    }

    /// Closes the mailbox if the object has had nothing to do since `before` or longer.
    pub fn close_if_idle_since(&self, before: Instant) -> bool {
        let mut state = self.lock();
        let closes = state.is_idle() && state.last_active <= before;
        if closes {
            state.close();
        }
        closes
    }

    /// Closes the mailbox: the life ends when the events in it are done.
    pub fn close(&self) {
        self.lock().close();
    }

    /// Ends this life: everything that has not left is given up. The number of the last commit, which must be settled
    /// before the next life begins.
    pub fn end(&self, reason: Option<EndReason>) -> Option<CommitNumber> {
        let mut state = self.lock();
        state.is_closing = true;
        let running = std::mem::take(&mut state.running);
        let mailbox = std::mem::take(&mut state.mailbox);
        let outputs = std::mem::take(&mut state.outputs);
        let last_commit = state.last_commit;
        drop(state);
        let reason = reason.unwrap_or(EndReason::Reset("it was evicted".into()));
        for output in outputs {
            if let Output::Reply(slot, _) = output {
                slot.send(Err(reason.of_running()), None);
            }
        }
        for (_, slot) in running {
            slot.send(Err(reason.of_running()), None);
        }
        for event in mailbox {
            event.reply.send(Err(reason.of_waiting()), None);
        }
        last_commit
    }

    /// The guest returned from an event.
    fn finished(&self, event: usize, result: Result<Response, String>) {
        let mut state = self.lock();
        let slot = state.running.remove(event);
        state.last_active = Instant::now();
        let reply = result.map_err(EventError::Exception);
        if state.has_staged() {
            state.outputs.push(Output::Reply(slot, reply));
        } else {
            let after = state.last_commit;
            drop(state);
            slot.send(reply, after);
        }
    }

    /// Samples the output gate: what the guest sends now must not leave before this commit.
    pub fn output_gate(&self) -> Gate {
        let mut state = self.lock();
        if !state.has_staged() {
            return Gate::Now(state.last_commit);
        }
        let (sender, receiver) = oneshot::channel();
        state.outputs.push(Output::Other(sender));
        Gate::AtEndOfTurn(receiver)
    }

    /// Submits what the turn wrote and lets its output go to wait for that commit.
    fn end_turn(&self) {
        let mut state = self.lock();
        if state.gate.is_held() {
            // Waiting for storage does not end a turn.
            return;
        }
        if let Some(set) = self.write_set(&mut state) {
            let commit = self.host.store.submit(set);
            let storage = state.storage.as_mut().expect("a guest that wrote has its storage");
            storage.overlay.submitted(commit);
            state.last_commit = Some(commit);
            state.unsettled.push_back(commit);
        }
        let after = state.last_commit;
        let outputs = std::mem::take(&mut state.outputs);
        if !self.settle(&mut state) {
            self.doom.notify_one();
        }
        if let Some(storage) = &mut state.storage
            && storage.overlay.bytes() > self.host.limits.cache_bytes_max
        {
            storage.overlay.trim(self.host.limits.cache_bytes_max);
        }
        drop(state);
        for output in outputs {
            match output {
                Output::Reply(slot, reply) => slot.send(reply, after),
                // A guest that has gone does not wait any more.
                Output::Other(sender) => drop(sender.send(after)),
            }
        }
    }

    fn write_set(&self, state: &mut State) -> Option<WriteSet> {
        let name = state.name.clone();
        let storage = state.storage.as_mut()?;
        let staged = storage.overlay.take_staged()?;
        let mut set = WriteSet::new(storage.number, self.life);
        let class = self.class.0.number;
        if staged.clear && staged.writes.iter().all(|(_, value)| value.is_none()) {
            // Nothing is left of the object: not even its record stays. What it writes later is a new object's.
            set.forget = storage.record.take().map(|_| (class, self.id.0));
            storage.number = self.host.store.new_object();
        } else if storage.record.as_ref().is_none_or(|record| record.name.is_none() && name.is_some()) {
            let created_ms = storage.record.as_ref().map_or_else(now_ms, |record| record.created_ms);
            let name = name.map(|name| name.to_string());
            let record = ObjectRecord { number: storage.number, name, created_ms };
            storage.record = Some(record.clone());
            set.record = Some((class, self.id.0, record));
        }
        set.clear = staged.clear;
        set.writes = staged.writes;
        Some(set)
    }

    /// Takes note of the commits that were settled meanwhile; false if one of them failed.
    fn settle(&self, state: &mut State) -> bool {
        while let Some(&commit) = state.unsettled.front() {
            match self.progress.is_durable(commit) {
                None => break,
                Some(Err(_)) => return false,
                Some(Ok(())) => {
                    state.unsettled.pop_front();
                    if let Some(storage) = &mut state.storage {
                        storage.overlay.durable_up_to(commit);
                    }
                }
            }
        }
        true
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.mailbox.is_empty() && self.running.is_empty() && self.storage.is_some()
    }

    fn has_staged(&self) -> bool {
        self.storage.as_ref().is_some_and(|storage| storage.overlay.has_staged())
    }

    /// The object's part of the store. There from before the guest starts.
    pub fn storage(&mut self) -> &mut Residence {
        self.storage.as_mut().expect("a guest that runs has its storage")
    }

    pub fn last_commit(&self) -> Option<CommitNumber> {
        self.last_commit
    }

    fn learn_name(&mut self, name: Arc<str>) {
        if self.name.is_none() && name.len() <= NAME_BYTES_MAX {
            self.name = Some(name);
        }
    }

    fn close(&mut self) {
        self.is_closing = true;
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Why a life ended before its events were done.
#[derive(Clone, Debug)]
pub(crate) enum EndReason {
    StartFailed(String),
    Overloaded(String),
    Reset(String),
}

impl EndReason {
    fn of_running(&self) -> EventError {
        match self.clone() {
            EndReason::StartFailed(text) => EventError::StartFailed(text),
            EndReason::Overloaded(text) => EventError::Overloaded(text),
            EndReason::Reset(text) => EventError::Reset(text),
        }
    }

    fn of_waiting(&self) -> EventError {
        match self.clone() {
            EndReason::Reset(text) => EventError::NotStarted(text),
            _ => self.of_running(),
        }
    }
}

/// An object as the engine sees it: a source of events.
pub(crate) struct Feed(pub Arc<Object>);

impl Events for Feed {
    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Call>> {
        let mut state = self.0.lock();
        if state.gate.poll_open(cx.waker()).is_pending() {
            return Poll::Pending;
        }
        let Some(event) = state.mailbox.pop_front() else {
            if state.is_closing {
                return Poll::Ready(None);
            }
            if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        };
        state.waiting_bytes -= event.bytes();
        let number = state.running.insert(event.reply);
        drop(state);
        let object = self.0.clone();
        Poll::Ready(Some(Call {
            request: event.request,
            done: Box::new(move |result| object.finished(number, result)),
        }))
    }

    fn turn_ended(&self) {
        self.0.end_turn();
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
