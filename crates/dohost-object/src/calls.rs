//! Calls of an object under way: how many there may be, what they have to wait for before they leave, and who called whom.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dohost_engine::imports::{Caller, Fatal};
use tokio::sync::oneshot;

use crate::call_graph::{CallChain, CallId, EventKey, Holding, Label};
use crate::event::EventError;
use crate::object::{Object, Output, State};
use crate::output_gate::After;

/// The commit that an output depends on.
pub(crate) enum Gate {
    /// It is known; `None` if the object has not written anything in this life.
    Now(After),
    /// It will be when the turn ends.
    AtEndOfTurn(oneshot::Receiver<After>),
}

/// Counts a call of the guest for as long as it lives.
pub(crate) struct CallPlace {
    object: Arc<Object>,
    bytes: usize,
    call: Option<CallId>,
}

impl CallPlace {
    /// The reply is there, at least its head: nobody waits for the call any more.
    pub fn replied(&mut self) {
        if let Some(call) = self.call.take() {
            self.object.host.call_graph.lock().end(call);
        }
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        self.replied();
        let mut state = self.object.lock();
        state.calls -= 1;
        state.call_bytes -= self.bytes;
    }
}

impl Object {
    /// Begins a call of the guest to somewhere else, with a request of this size; the text of the limit if there are too
    /// many.
    pub fn begin_call(self: &Arc<Self>, bytes: usize) -> Result<CallPlace, String> {
        let mut state = self.lock();
        let limits = self.limits();
        if state.calls >= limits.calls_max {
            return Err(format!("{} calls of the object are under way, the limit calls", limits.calls_max));
        }
        if state.call_bytes + bytes > limits.call_bytes_max {
            let max = limits.call_bytes_max;
            return Err(format!("calls of the object under way have over {max} bytes, the limit call-bytes"));
        }
        state.calls += 1;
        state.call_bytes += bytes;
        Ok(CallPlace { object: self.clone(), bytes, call: None })
    }

    /// Begins a call to another object. The chain belongs to the event that the call becomes.
    pub fn begin_call_to(
        self: &Arc<Self>,
        callee: &Label,
        caller: Caller,
        bytes: usize,
    ) -> Result<(CallPlace, Arc<CallChain>), EventError> {
        let mut place = self.begin_call(bytes).map_err(EventError::Overloaded)?;
        let (chain, holding) = {
            let state = self.lock();
            let (key, parent) = self.who_calls(&state, caller);
            let id = CallId(self.host.last_call.fetch_add(1, Ordering::Relaxed) + 1);
            let label = Label { class: self.class.clone(), id: self.id, name: state.name() };
            (CallChain { id, caller: key, object: label, parent }, self.holding(&state, caller))
        };
        let depth_max = self.limits().call_depth_max as usize;
        if chain.depth() > depth_max {
            return Err(EventError::Loop(format!(
                "{depth_max} objects call each other in a row, the limit call-depth"
            )));
        }
        let chain = Arc::new(chain);
        self.host.call_graph.lock().begin(&chain, callee, holding).map_err(EventError::Loop)?;
        place.call = Some(chain.id);
        Ok((place, chain))
    }

    fn who_calls(&self, state: &State, caller: Caller) -> (EventKey, Option<Arc<CallChain>>) {
        let life = self.life;
        if let Some(event) = state.event_of(caller) {
            return (event.key, event.chain.clone());
        }
        match &state.construction {
            Some(construction) if caller == Some(construction.task) => (EventKey::Construction { life }, None),
            _ => (EventKey::Background { life }, None),
        }
    }

    fn holding(&self, state: &State, caller: Caller) -> Holding {
        if !self.interleaves() || state.gate.is_in_section_of(&caller) {
            Holding::Fully
        } else if self.code.is_serial && state.event_of(caller).is_some() {
            Holding::ButReenters
        } else {
            Holding::Not
        }
    }

    /// Samples the output gate: what the guest sends now must not leave before this commit.
    pub fn output_gate(&self) -> Gate {
        let mut state = self.lock();
        match state.output.sample() {
            Some(after) => Gate::Now(after),
            None => {
                let (sender, receiver) = oneshot::channel();
                state.output.hold_back(Output::Call(sender));
                Gate::AtEndOfTurn(receiver)
            }
        }
    }

    /// The commit of everything that was written before now, unconfirmed writes too, but not what an open transaction
    /// wrote.
    pub fn sync_gate(&self) -> Gate {
        let mut state = self.lock();
        let has_staged = state.storage().overlay.has_staged() && !state.is_in_transaction();
        if !has_staged {
            return Gate::Now(state.last_submitted);
        }
        let (sender, receiver) = oneshot::channel();
        state.syncs.push(sender);
        Gate::AtEndOfTurn(receiver)
    }

    /// Whether what was sampled may leave right now.
    pub fn is_open(&self, gate: &Gate) -> bool {
        match gate {
            Gate::Now(commit) => commit.is_none_or(|commit| self.progress.is_durable(commit) == Some(Ok(()))),
            Gate::AtEndOfTurn(_) => false,
        }
    }

    /// Waits until what was sampled may leave.
    pub async fn leave(&self, gate: Gate) -> Result<(), Fatal> {
        let commit = match gate {
            Gate::Now(commit) => commit,
            Gate::AtEndOfTurn(end) => end.await.map_err(|_| Fatal("the object was reset".into()))?,
        };
        match commit {
            None => Ok(()),
            Some(commit) => self.progress.durable(commit).await.map_err(|error| Fatal(format!("failed to {error}"))),
        }
    }
}
