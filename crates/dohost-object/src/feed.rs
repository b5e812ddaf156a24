//! The object as the engine sees it: a source of events, which come out of the mailbox one at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dohost_engine::imports::{Caller, TaskId};
use dohost_engine::{Call, Events, Input, Output};
use slab::Slab;
use tokio::time::Instant;

use crate::call_graph::EventKey;
use crate::event::Event;
use crate::input_gate::{Scope, Ticket};
use crate::object::{Construction, Object, Running, State};
use crate::sections::Timer;

/// Staged bytes over which turns that come together are not gathered any further.
const COMMIT_EARLY_BYTES: usize = 64 << 10;

/// See the module.
pub(crate) struct Feed(pub Arc<Object>);

impl Feed {
    /// Whether an event waits that may run beside those that do, apart from the input gate.
    fn has_event(&self, state: &State) -> bool {
        let may_interleave = self.0.interleaves() || state.running.is_empty();
        let is_serial = self.0.code.is_serial;
        may_interleave && state.mailbox.iter().any(|event| may_run(event, is_serial, &state.running))
    }
}

/// With strict turns an event runs alone, but for one that a running event has called for, which would wait for itself.
fn may_run(event: &Event, is_serial: bool, running: &Slab<Running>) -> bool {
    let runs = |key| running.iter().any(|(_, event)| event.key == key);
    !is_serial || running.is_empty() || event.chain.as_ref().is_some_and(|chain| chain.callers().any(runs))
}

impl Events for Feed {
    fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Call>> {
        let mut state = self.0.lock();
        if state.is_doomed() {
            // It ends as soon as this poll is over.
            return Poll::Pending;
        }
        // While something runs, calls that it waits for may still come.
        if state.has_ended() && state.mailbox.is_empty() {
            return Poll::Ready(None);
        }
        if !self.has_event(&state) || !state.gate.admit_event() {
            if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        let (state, is_serial) = (&mut *state, self.0.code.is_serial);
        let event = state.mailbox.take_first(|event| may_run(event, is_serial, &state.running));
        let Event { mut input, reply, chain, alarm, begins } = *event.expect("an event that may run was found above");
        if let Some(run) = &alarm {
            input = Input::Alarm(self.0.begin_alarm(state, run));
        }
        if let Some(begins) = begins {
            // Whoever wanted to know has gone if this fails.
            let _ = begins.send(());
        }
        state.events_begun += 1;
        let other = EventKey::Other { life: self.0.life, number: state.events_begun };
        let key = chain.as_ref().map_or(other, |chain| EventKey::Call(chain.id));
        let is_websocket = matches!(input, Input::WebSocket(_));
        let since = Instant::now();
        let event = state.running.insert(Running { slot: reply, key, chain, alarm, is_websocket, task: None, since });
        Poll::Ready(Some(Call { event, input }))
    }

    fn started(&self, event: usize, task: TaskId) {
        self.0.lock().running[event].task = Some(task);
    }

    fn finished(&self, event: usize, result: Result<Output, String>) {
        self.0.finished(event, result);
    }

    fn construction_started(&self, task: TaskId) {
        let timer = Timer::start(&self.0, "the construction");
        let mut state = self.0.lock();
        state.gate.open_section(Some(task));
        state.construction = Some(Construction { task, _timer: timer });
    }

    fn constructed(&self) {
        let mut state = self.0.lock();
        state.construction = None;
        state.gate.end_section();
        drop(state);
        if let Err(reason) = self.0.constructed() {
            self.0.doom(reason);
        }
    }

    fn works_in_background(&self, works: bool) {
        self.0.lock().works_in_background = works;
    }

    fn admit_next(&self) -> bool {
        let mut state = self.0.lock();
        if !state.gate.is_held() && state.staged_bytes() > COMMIT_EARLY_BYTES {
            drop(state);
            self.0.commit_turns();
            state = self.0.lock();
        }
        // Only a turn that is over makes room for the next: one that waits for storage goes on, and so does a transaction.
        if !state.gate.is_held() && !state.is_in_transaction() {
            state.staged_before_turn = state.staged_bytes();
        }
        let completion_enters = state.gate.end_turn();
        completion_enters || (!state.gate.is_held() && !state.gate.is_in_section() && self.has_event(&state))
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

/// Waits until the input gate lets a completion in.
pub(crate) struct Enter {
    object: Arc<Object>,
    scope: Scope,
    ticket: Option<Ticket>,
}

impl Object {
    /// The future of being let in, for the completion of an import that a task of the guest calls now.
    pub fn enter(self: &Arc<Self>, caller: Caller) -> Enter {
        let scope = self.lock().gate.scope_of(&caller);
        Enter { object: self.clone(), scope, ticket: None }
    }
}

impl Future for Enter {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Enter { object, scope, ticket } = self.get_mut();
        object.lock().gate.poll_admit(scope, ticket, cx.waker())
    }
}

impl Drop for Enter {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.object.lock().gate.give_up(ticket);
        }
    }
}
