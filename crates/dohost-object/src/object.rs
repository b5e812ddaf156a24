//! One life of one object: its mailbox, its turn, and what waits to leave.
//!
//! The state is behind a lock only because wasmtime wants everything that a guest can reach to be `Send`. Whoever takes it
//! runs on the object's executor, never holds it across an await, and so never waits for it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use dohost_engine::{Call, Events, Response};
use dohost_storage::{CommitNumber, LifeId, ObjectNumber, ObjectRecord, Overlay, Progress, WriteSet};
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::class::Class;
use crate::event::{Event, EventError, Reply, ReplySlot};
use crate::host::HostInner;
use crate::id::ObjectId;
use crate::input_gate::{InputGate, Ticket};

/// What a staged write costs beside its key and value: without it, a turn could stage millions of empty ones.
const STAGED_OVERHEAD_BYTES: usize = 64;
/// Staged bytes over which turns that come together are not gathered any further.
const COMMIT_EARLY_BYTES: usize = 64 << 10;

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
    /// Calls of the guest that are under way, and the bytes of their requests.
    calls: usize,
    call_bytes: usize,
    storage: Option<Residence>,
    /// What left the guest in this turn after it had written: it learns its commit when the turn ends.
    replies: Vec<(ReplySlot, Reply)>,
    outputs: Vec<oneshot::Sender<Option<CommitNumber>>>,
    /// What the turns before the current one have staged and not yet submitted.
    staged_before_turn: usize,
    last_commit: Option<CommitNumber>,
    unsettled: VecDeque<CommitNumber>,
}

/// The object's part of the store.
pub(crate) struct Residence {
    pub number: ObjectNumber,
    pub record: Option<ObjectRecord>,
    pub overlay: Overlay,
}

/// The commit that an output depends on.
pub(crate) enum Gate {
    /// It is known; `None` if the object has not written anything in this life.
    Now(Option<CommitNumber>),
    /// It will be when the turn ends.
    AtEndOfTurn(oneshot::Receiver<Option<CommitNumber>>),
}

/// Counts a call of the guest for as long as it lives.
pub(crate) struct CallPlace {
    object: Arc<Object>,
    bytes: usize,
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        let mut state = self.object.lock();
        state.calls -= 1;
        state.call_bytes -= self.bytes;
    }
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
            calls: 0,
            call_bytes: 0,
            storage: None,
            replies: Vec::new(),
            outputs: Vec::new(),
            staged_before_turn: 0,
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
        if !self.settle(&mut state) {
            // Its commit failed while it had nothing to do, so it does not know yet.
            state.is_closing = true;
            self.doom.notify_one();
        }
        if state.is_closing {
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

    /// The future of being let in by the input gate, for the completion of an import.
    pub fn enter(self: &Arc<Self>) -> Enter {
        Enter { object: self.clone(), ticket: None }
    }

    /// Whether the guest can handle an event while it waits in another one.
    fn interleaves(&self) -> bool {
        self.class.0.component.interleaves()
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
        let replies = std::mem::take(&mut state.replies);
        state.outputs.clear();
        let last_commit = state.last_commit;
        drop(state);
        let reason = reason.unwrap_or(EndReason::Reset("it was evicted".into()));
        for slot in replies.into_iter().map(|(slot, _)| slot).chain(running.into_iter().map(|(_, slot)| slot)) {
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
            state.replies.push((slot, reply));
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
        state.outputs.push(sender);
        Gate::AtEndOfTurn(receiver)
    }

    /// Whether what was sampled may leave right now.
    pub fn is_open(&self, gate: &Gate) -> bool {
        match gate {
            Gate::Now(commit) => commit.is_none_or(|commit| self.progress.is_durable(commit) == Some(Ok(()))),
            Gate::AtEndOfTurn(_) => false,
        }
    }

    /// Begins a call of the guest to somewhere else, with a request of this size; the text of the limit if there are too
    /// many.
    pub fn begin_call(self: &Arc<Self>, bytes: usize) -> Result<CallPlace, String> {
        let mut state = self.lock();
        let limits = &self.host.limits;
        if state.calls >= limits.calls_max {
            return Err(format!("{} calls of the object are under way, the limit", limits.calls_max));
        }
        if state.call_bytes + bytes > limits.call_bytes_max {
            return Err(format!("calls of the object under way have over {} bytes, the limit", limits.call_bytes_max));
        }
        state.calls += 1;
        state.call_bytes += bytes;
        Ok(CallPlace { object: self.clone(), bytes })
    }

    /// Submits what the turns wrote and lets their output go to wait for that commit.
    fn commit_turns(&self) {
        let mut state = self.lock();
        let has_ended = state.is_closing && state.running.is_empty();
        if state.gate.is_held() && !has_ended {
            // Waiting for storage does not end a turn.
            return;
        }
        if let Some(set) = self.write_set(&mut state) {
            let commit = self.host.store.submit(set);
            let storage = state.storage.as_mut().expect("a guest that wrote has its storage");
            storage.overlay.submitted(commit);
            state.staged_before_turn = 0;
            state.last_commit = Some(commit);
            state.unsettled.push_back(commit);
        }
        let after = state.last_commit;
        let replies = std::mem::take(&mut state.replies);
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
        ReplySlot::send_all(replies, after);
        for sender in outputs {
            // A guest that has gone does not wait any more.
            let _ = sender.send(after);
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
            let created_ms =
                storage.record.as_ref().map_or_else(|| self.host.environment.now_ms(), |record| record.created_ms);
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

    /// What is staged, keys and values and what it costs to hold them.
    fn staged_bytes(&self) -> usize {
        self.storage
            .as_ref()
            .map_or(0, |storage| storage.overlay.staged_bytes() + storage.overlay.staged_len() * STAGED_OVERHEAD_BYTES)
    }

    /// The part of it that the current turn wrote.
    pub fn staged_in_turn_bytes(&self) -> usize {
        self.staged_bytes().saturating_sub(self.staged_before_turn)
    }

    pub fn last_commit(&self) -> Option<CommitNumber> {
        self.last_commit
    }

    fn learn_name(&mut self, name: Arc<str>) {
        self.name.get_or_insert(name);
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
        if state.mailbox.is_empty() && state.is_closing {
            return Poll::Ready(None);
        }
        if state.mailbox.is_empty() || !state.gate.admit_event() {
            if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        let event = state.mailbox.pop_front().expect("the mailbox is not empty");
        state.waiting_bytes -= event.bytes();
        let number = state.running.insert(event.reply);
        drop(state);
        let object = self.0.clone();
        Poll::Ready(Some(Call {
            request: event.request,
            done: Box::new(move |result| object.finished(number, result)),
        }))
    }

    fn admit_next(&self) -> bool {
        let mut state = self.0.lock();
        if !state.gate.is_held() && state.staged_bytes() > COMMIT_EARLY_BYTES {
            drop(state);
            self.0.commit_turns();
            state = self.0.lock();
        }
        // Only a turn that is over makes room for the next: one that waits for storage goes on.
        if !state.gate.is_held() {
            state.staged_before_turn = state.staged_bytes();
        }
        let completion_enters = state.gate.end_turn();
        let event_waits = !state.mailbox.is_empty() && !state.gate.is_held();
        completion_enters || (event_waits && (self.0.interleaves() || state.running.is_empty()))
    }

    fn turns_ended(&self) {
        self.0.commit_turns();
    }
}

/// Holds the input gate of an object for as long as it lives, whatever becomes of the future that it is part of.
pub(crate) struct GateHold(Arc<Object>);

impl GateHold {
    pub fn new(object: &Arc<Object>) -> GateHold {
        object.lock().gate.hold();
        GateHold(object.clone())
    }
}

impl Drop for GateHold {
    fn drop(&mut self) {
        self.0.lock().gate.release();
    }
}

/// Waits until the input gate lets a completion in. See [`Object::enter`].
pub(crate) struct Enter {
    object: Arc<Object>,
    ticket: Option<Ticket>,
}

impl Future for Enter {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let object = self.object.clone();
        object.lock().gate.poll_admit(&mut self.ticket, cx.waker())
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.object.lock().gate.give_up(ticket);
        }
    }
}
