//! One life of one object: its mailbox, the events that run, and what ends it.
//!
//! What else belongs to a life is beside this: `feed` (events into the guest), `input_gate`, `output_gate`, `commit` (turns
//! become commits), `sections` (critical sections and transactions), `calls` (to other objects and the network).
//!
//! The state is behind a lock because wasmtime wants everything that a guest can reach to be `Send`, and because a streamed
//! body may be read and dropped on another executor than the object's. Whoever takes it holds it for a moment: never across
//! an await, and never while something is dropped that may hold a body.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use dohost_engine::imports::{Caller, TaskId};
use dohost_storage::{ClassNumber, CommitNumber, LifeId, ObjectNumber, ObjectRecord, ObjectSize, Overlay, Progress};
use parking_lot::{Mutex, MutexGuard};
use slab::Slab;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::alarms::run::{AlarmRun, GivenUp};
use crate::call_graph::{CallChain, EventKey};
use crate::class::{Class, Code};
use crate::event::{Event, EventError, Reply, ReplySlot};
use crate::host::HostInner;
use crate::id::ObjectId;
use crate::input_gate::InputGate;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::manage::Resident;
use crate::output_gate::{After, OutputGate};
use crate::residents::ObjectKey;
use crate::sections::{Timer, TransactionState};

/// What a staged write costs beside its key and value: without it, a turn could stage millions of empty ones.
const STAGED_OVERHEAD_BYTES: usize = 64;

/// One life of one object.
pub(crate) struct Object {
    pub host: Arc<HostInner>,
    pub class: Class,
    /// What the class was when this life began.
    pub code: Arc<Code>,
    pub id: ObjectId,
    /// The n-th life that this executor started.
    pub generation: u64,
    pub life: LifeId,
    pub progress: Progress,
    /// Notified when this life must end at once, for the reason in the state.
    pub doom: Notify,
    state: Mutex<State>,
}

pub(crate) struct State {
    name: Option<Arc<str>>,
    pub mailbox: Mailbox,
    /// The events that the guest has begun.
    pub running: Slab<Running>,
    pub events_begun: u64,
    pub is_closing: bool,
    /// Since when it finishes its events, for a limited time, and why.
    draining: Option<(Instant, &'static str)>,
    /// From before the component is instantiated until the object is constructed.
    is_starting: bool,
    pub waker: Option<Waker>,
    last_active: Instant,
    /// Tasks of the guest go on that have returned their replies.
    pub works_in_background: bool,
    pub construction: Option<Construction>,
    pub gate: InputGate<Caller>,
    /// The open transactions, the innermost last.
    pub transactions: Vec<TransactionState>,
    /// Calls of the guest that are under way, and the bytes of their requests.
    pub calls: usize,
    pub call_bytes: usize,
    pub storage: Option<Residence>,
    pub output: OutputGate<Output>,
    /// Who waits for all writes before now, unconfirmed ones too.
    pub syncs: Vec<oneshot::Sender<After>>,
    /// What the turns before the current one have staged and not yet submitted.
    pub staged_before_turn: usize,
    /// The guest called abort: the instance is about to end.
    pub abort: Option<Abort>,
    /// Alarms that were given up while what the store has was being read.
    pub alarms_given_up: Vec<GivenUp>,
    /// Open websockets that do not hibernate.
    pub awake_websockets: usize,
    pub last_submitted: Option<CommitNumber>,
    pub unsettled: VecDeque<CommitNumber>,
    doom: Option<EndReason>,
}

/// An event that the guest has begun.
pub(crate) struct Running {
    pub slot: ReplySlot,
    pub key: EventKey,
    pub chain: Option<Arc<CallChain>>,
    /// The try of an alarm, if it is one.
    pub alarm: Option<Arc<AlarmRun>>,
    /// Whether it came on a websocket.
    pub is_websocket: bool,
    /// Known as soon as the engine has made it.
    pub task: Caller,
    pub since: Instant,
}

/// That the guest called abort.
pub(crate) struct Abort {
    /// Whether alarms whose handlers are running are tried again.
    pub retry_alarm: bool,
}

/// The construction while it runs.
pub(crate) struct Construction {
    pub task: TaskId,
    /// Ends the life if it takes too long.
    pub _timer: Timer,
}

/// What leaves the guest after it has written: it learns its commit when the turn ends.
pub(crate) enum Output {
    Reply(ReplySlot, Reply<dohost_engine::Output>),
    Call(oneshot::Sender<After>),
}

/// The object's part of the store.
pub(crate) struct Residence {
    pub number: ObjectNumber,
    pub record: Option<ObjectRecord>,
    pub overlay: Overlay,
    pub size: ObjectSize,
}

/// Why an event did not get into the mailbox.
pub(crate) enum Refused {
    /// A limit of the mailbox.
    Full(Box<Event>, String),
    /// This life is over.
    Over(Box<Event>),
}

impl Refused {
    pub fn event(self) -> Box<Event> {
        match self {
            Refused::Full(event, _) | Refused::Over(event) => event,
        }
    }
}

impl Object {
    pub fn new(
        host: Arc<HostInner>,
        class: Class,
        id: ObjectId,
        name: Option<Arc<str>>,
        generation: u64,
    ) -> Arc<Object> {
        let state = State {
            name,
            mailbox: Mailbox::default(),
            running: Slab::new(),
            events_begun: 0,
            is_closing: false,
            draining: None,
            is_starting: false,
            waker: None,
            last_active: Instant::now(),
            works_in_background: false,
            construction: None,
            gate: InputGate::default(),
            transactions: Vec::new(),
            calls: 0,
            call_bytes: 0,
            storage: None,
            output: OutputGate::default(),
            syncs: Vec::new(),
            staged_before_turn: 0,
            abort: None,
            alarms_given_up: Vec::new(),
            awake_websockets: 0,
            last_submitted: None,
            unsettled: VecDeque::new(),
            doom: None,
        };
        Arc::new(Object {
            life: host.store.new_life(),
            progress: host.executors.progress(crate::executor::current()).clone(),
            host,
            code: class.code(),
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

    pub fn limits(&self) -> &Limits {
        &self.code.limits
    }

    /// Puts an event into the mailbox.
    pub fn push(&self, name: Option<Arc<str>>, event: Box<Event>) -> Result<(), Refused> {
        let mut state = self.lock();
        if !self.settle(&mut state) {
            // Its commit failed while it had nothing to do, so it does not know yet.
            self.doom_with(&mut state, EndReason::Reset("a commit failed".into()));
        }
        if state.is_closing {
            return Err(Refused::Over(event));
        }
        if let Err(text) = state.mailbox.has_room(&event, state.running.len(), self.limits()) {
            return Err(Refused::Full(event, text));
        }
        if let Some(name) = name {
            state.learn_name(name);
        }
        state.mailbox.push(event);
        state.wake();
        Ok(())
    }

    /// Puts an event into the mailbox of a life that is ending, if one of its own events waits for it.
    pub fn push_back_call(&self, event: Box<Event>) -> Result<(), Box<Event>> {
        let mut state = self.lock();
        let is_over = state.has_ended() || state.doom.is_some();
        let fits = state.mailbox.has_room(&event, state.running.len(), self.limits()).is_ok();
        if is_over || !fits || !self.is_waited_for(&state, &event) {
            return Err(event);
        }
        state.mailbox.push(event);
        state.wake();
        Ok(())
    }

    /// Whether an event is a call that this life has led to, and that it waits for.
    fn is_waited_for(&self, state: &State, event: &Event) -> bool {
        let life = self.life;
        event.chain.iter().flat_map(|chain| chain.callers()).any(|caller| match caller {
            EventKey::Background { life: other } => state.works_in_background && other == life,
            key => state.running.iter().any(|(_, event)| event.key == key),
        })
    }

    /// Whether the guest can handle an event while it waits in another one.
    pub fn interleaves(&self) -> bool {
        self.code.component.interleaves()
    }

    pub fn name(&self) -> Option<Arc<str>> {
        self.lock().name.clone()
    }

    /// What the store gave: from now on the guest can run.
    pub fn loaded(&self, mut storage: Residence) {
        let mut state = self.lock();
        for given_up in std::mem::take(&mut state.alarms_given_up) {
            given_up.apply(&mut storage.overlay);
        }
        if let Some(name) = storage.record.as_ref().and_then(|record| record.name.as_deref()) {
            state.learn_name(name.into());
        }
        state.storage = Some(storage);
    }

    /// Something of a stream has left: work that goes on after its reply is getting on.
    pub fn stream_moves(&self) {
        self.lock().last_active = Instant::now();
    }

    /// What the events of its websockets may take, if it has said so.
    fn websocket_event_timeout(&self) -> Option<Duration> {
        let key = ObjectKey { class: self.class.0.number, id: self.id };
        let ms = self.host.websockets.settings(&key).event_timeout_ms?;
        Some(Duration::from_millis(ms.into()))
    }

    /// A websocket has ended that did not hibernate.
    pub fn websocket_ended(&self) {
        let mut state = self.lock();
        state.awake_websockets -= 1;
        state.last_active = Instant::now();
    }

    /// Since when the object has had nothing to do; `None` if it has something to do.
    pub fn idle_since(&self) -> Option<Instant> {
        let state = self.lock();
        state.is_idle().then_some(state.last_active)
    }

    /// What is known of it, for people who look after it.
    pub fn report(&self, class: ClassNumber) -> Resident {
        let state = self.lock();
        Resident {
            class,
            id: self.id,
            name: state.name.clone(),
            generation: self.generation,
            idle: state.is_idle().then(|| state.last_active.elapsed()),
            running: state.running.len(),
            waiting: state.mailbox.iter().count(),
            bytes: state.storage.as_ref().map(|storage| storage.overlay.size_max(&storage.size)),
        }
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

    /// The same, but for a limited time, for this reason.
    pub fn drain(&self, reason: &'static str) {
        let mut state = self.lock();
        state.draining.get_or_insert_with(|| (Instant::now(), reason));
        state.close();
    }

    /// The component is about to be instantiated.
    pub fn begins_to_start(&self) {
        self.lock().is_starting = true;
    }

    /// It could not be, or ends before it is, through no fault of its code.
    pub fn stops_to_start(&self) {
        self.lock().is_starting = false;
    }

    /// Whether it is being instantiated or constructed.
    pub fn is_starting(&self) -> bool {
        self.lock().is_starting
    }

    /// The object is constructed: from now on it may have events, unless its code was rejected meanwhile.
    pub fn constructed(&self) -> Result<(), EndReason> {
        if !self.code.trial.pass() {
            return Err(EndReason::StartFailed("its code was rejected".into()));
        }
        self.lock().is_starting = false;
        Ok(())
    }

    /// Takes the events that have not begun; the life is over.
    pub fn take_events(&self) -> Vec<Event> {
        let mut state = self.lock();
        state.is_closing = true;
        state.mailbox.drain().map(|event| *event).collect()
    }

    /// Ends the life at once if something in it takes too long, or if a commit failed and it does not know yet.
    pub fn check_time(&self, now: Instant) {
        let mut state = self.lock();
        if !self.settle(&mut state) {
            self.doom_with(&mut state, EndReason::Reset("a commit failed".into()));
        }
        let Limits { event_time_max, alarm_time_max, .. } = self.limits();
        let is_late = |since: Instant, max: Duration| now.saturating_duration_since(since) > max;
        let drain_time_max = self.host.limits.drain_time_max;
        if let Some((since, reason)) = state.draining
            && now.saturating_duration_since(since) > drain_time_max
        {
            let text = format!("{reason}, and its events took longer than {drain_time_max:?} to end");
            return self.doom_with(&mut state, EndReason::Reset(text));
        }
        let has_websocket_event = state.running.iter().any(|(_, event)| event.is_websocket);
        let websocket_timeout = if has_websocket_event { self.websocket_event_timeout() } else { None };
        let max_of = |event: &Running| match (&event.alarm, event.is_websocket) {
            (Some(_), _) => *alarm_time_max,
            (None, true) => websocket_timeout.map_or(*event_time_max, |timeout| timeout.min(*event_time_max)),
            (None, false) => *event_time_max,
        };
        let late = state.running.iter().map(|(_, event)| event).find(|event| is_late(event.since, max_of(event)));
        let text = match late {
            Some(Running { alarm: Some(_), .. }) => {
                format!("the handler of an alarm took longer than {alarm_time_max:?}, the limit alarm-time")
            }
            Some(late) if late.is_websocket && websocket_timeout.is_some_and(|max| max < *event_time_max) => {
                format!("an event of a websocket took longer than {:?}, its event timeout", max_of(late))
            }
            Some(_) => format!("an event took longer than {event_time_max:?}, the limit event-time"),
            None if state.works_in_background
                && state.running.is_empty()
                && is_late(state.last_active, *event_time_max) =>
            {
                format!("work in the background took longer than {event_time_max:?}, the limit event-time")
            }
            None => return,
        };
        self.doom_with(&mut state, EndReason::TimedOut(text));
    }

    /// Ends this life at once.
    pub fn doom(&self, reason: EndReason) {
        self.doom_with(&mut self.lock(), reason);
    }

    /// The same for whoever has the state.
    pub fn doom_with(&self, state: &mut State, reason: EndReason) {
        state.doom.get_or_insert(reason);
        // Events that come from now on wait for the next life.
        state.is_closing = true;
        self.doom.notify_one();
    }

    /// Why this life must end at once; to be asked when [`Object::doom`] was notified.
    pub fn doom_reason(&self) -> EndReason {
        let reason = self.lock().doom.take();
        reason.unwrap_or_else(|| EndReason::Reset("the host ended it".into()))
    }

    /// Whether this is the reason of a life that never began, through no fault of its code.
    pub fn could_not_start(&self, reason: &EndReason) -> bool {
        match reason {
            EndReason::HostFailed(_) => true,
            EndReason::Overloaded(_) => self.lock().events_begun == 0,
            _ => false,
        }
    }

    /// Ends this life: everything that has not left is given up. The number of the last commit, which must be settled
    /// before the next life begins.
    pub fn end(&self, reason: Option<EndReason>) -> Option<CommitNumber> {
        let mut state = self.lock();
        state.is_closing = true;
        // Not dropped before the lock is: a body in it may be that of a call, which ends with it and says so here.
        let held_back: Vec<Output> = state.output.give_up().into_iter().collect();
        let running = std::mem::take(&mut state.running);
        let mut waiting = std::mem::take(&mut state.mailbox);
        state.syncs.clear();
        state.construction = None;
        let last_commit = state.last_submitted;
        drop(state);
        let reason = reason.unwrap_or(EndReason::Reset("it was evicted".into()));
        let held_back = held_back.into_iter().filter_map(|output| match output {
            Output::Reply(slot, _) => Some(slot),
            Output::Call(_) => None,
        });
        for run in running.iter().filter_map(|(_, event)| event.alarm.as_ref()) {
            run.ended_running(&reason);
        }
        for slot in held_back.chain(running.into_iter().map(|(_, event)| event.slot)) {
            slot.send(Err(reason.of_running()), None);
        }
        for event in waiting.drain() {
            if let Some(run) = &event.alarm {
                run.ended_waiting(&reason);
            }
            event.reply.send(Err(reason.of_waiting()), None);
        }
        last_commit
    }

    /// The guest returned from an event.
    pub fn finished(&self, event: usize, result: Result<dohost_engine::Output, String>) {
        let mut state = self.lock();
        let Running { slot, alarm, .. } = state.running.remove(event);
        state.last_active = Instant::now();
        if let (Some(run), Ok(output)) = (alarm, &result) {
            self.finish_alarm(&mut state, &run, output);
        }
        let reply = result.map_err(EventError::Exception).and_then(|output| match output {
            dohost_engine::Output::NotOffered(text) => Err(EventError::NotOffered(text)),
            dohost_engine::Output::InvalidArguments(text) => Err(EventError::InvalidArguments(text)),
            dohost_engine::Output::TooLarge(text) => Err(EventError::ResultTooLarge(text)),
            output => Ok(output),
        });
        match state.output.sample() {
            None => state.output.hold_back(Output::Reply(slot, reply)),
            Some(after) => {
                drop(state);
                slot.send(reply, after);
            }
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.mailbox.is_empty()
            && self.running.is_empty()
            && !self.works_in_background
            && self.awake_websockets == 0
            && self.storage.is_some()
    }

    /// Whether the guest has nothing left to do in this life.
    pub fn has_ended(&self) -> bool {
        self.is_closing && self.running.is_empty() && !self.works_in_background
    }

    /// Whether this life is about to end, whatever it is at.
    pub fn is_doomed(&self) -> bool {
        self.doom.is_some()
    }

    /// The object's part of the store. There from before the guest starts.
    pub fn storage(&mut self) -> &mut Residence {
        self.storage.as_mut().expect("a guest that runs has its storage")
    }

    /// What is staged, keys and values and what it costs to hold them, and what open transactions keep for a rollback.
    pub fn staged_bytes(&self) -> usize {
        self.storage.as_ref().map_or(0, |Residence { overlay, .. }| {
            overlay.staged_bytes() + overlay.staged_len() * STAGED_OVERHEAD_BYTES + overlay.saved_bytes()
        })
    }

    /// The part of it that the current turn wrote, or the open transaction.
    pub fn staged_in_turn_bytes(&self) -> usize {
        self.staged_bytes().saturating_sub(self.staged_before_turn)
    }

    /// Whether a transaction is open.
    pub fn is_in_transaction(&self) -> bool {
        !self.transactions.is_empty()
    }

    /// The event that a task of the guest handles.
    pub fn event_of(&self, task: Caller) -> Option<&Running> {
        self.running.iter().map(|(_, event)| event).find(|event| task.is_some() && event.task == task)
    }

    pub fn name(&self) -> Option<Arc<str>> {
        self.name.clone()
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
    ConstructionFailed(String),
    Overloaded(String),
    /// The host ended it, or failed.
    Reset(String),
    /// The host could not begin it.
    HostFailed(String),
    /// The guest trapped.
    Trapped(String),
    /// The guest called abort.
    Aborted {
        text: String,
        retry_alarm: bool,
    },
    TimedOut(String),
}

impl std::fmt::Display for EndReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EndReason::StartFailed(text)
            | EndReason::ConstructionFailed(text)
            | EndReason::Overloaded(text)
            | EndReason::Reset(text)
            | EndReason::HostFailed(text)
            | EndReason::Trapped(text)
            | EndReason::Aborted { text, .. }
            | EndReason::TimedOut(text) => f.write_str(text),
        }
    }
}

impl EndReason {
    fn of_running(&self) -> EventError {
        match self.clone() {
            EndReason::StartFailed(text) | EndReason::HostFailed(text) => EventError::StartFailed(text),
            EndReason::ConstructionFailed(text) => EventError::ConstructionFailed(text),
            EndReason::Overloaded(text) => EventError::Overloaded(text),
            EndReason::Reset(text) | EndReason::Trapped(text) | EndReason::Aborted { text, .. } => {
                EventError::Reset(text)
            }
            EndReason::TimedOut(text) => EventError::TimedOut(text),
        }
    }

    fn of_waiting(&self) -> EventError {
        match self.clone() {
            EndReason::Reset(text) | EndReason::Trapped(text) | EndReason::Aborted { text, .. } => {
                EventError::NotStarted(text)
            }
            _ => self.of_running(),
        }
    }
}
