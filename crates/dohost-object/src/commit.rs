//! Turns become commits.
//!
//! When nothing more may enter the guest for now, what its turns have staged is taken out of the overlay as one write set and
//! submitted. Output that was held back learns the number of that commit; so does whoever waits in `sync`.

use dohost_storage::{Alarm, AlarmWrite, AlarmWrites, ObjectRecord, WriteSet};
use tokio::sync::oneshot;

use crate::event::ReplySlot;
use crate::object::{EndReason, Object, Output, State};
use crate::output_gate::After;

/// How far the time of the last write that an object's record has may be behind: less often, and each commit would write
/// one row more.
const ACTIVE_STAMP_MS: u64 = 60_000;

/// What may leave now, and the commit that it has to wait for.
#[must_use]
pub(crate) struct Leaving {
    outputs: Vec<Output>,
    after: After,
    syncs: Vec<oneshot::Sender<After>>,
    last_submitted: After,
}

impl Leaving {
    /// Lets it leave. Not to be called with the state of the object.
    pub fn go(self) {
        let (mut replies, mut calls) = (Vec::new(), Vec::new());
        for output in self.outputs {
            match output {
                Output::Reply(slot, reply) => replies.push((slot, reply)),
                Output::Call(sender) => calls.push(sender),
            }
        }
        ReplySlot::send_all(replies, self.after);
        // A guest that has gone does not wait any more.
        for sender in calls {
            let _ = sender.send(self.after);
        }
        for sender in self.syncs {
            let _ = sender.send(self.last_submitted);
        }
    }
}

impl Object {
    /// Submits what the turns wrote and lets their output go to wait for that commit.
    pub fn commit_turns(&self) {
        let mut state = self.lock();
        if state.is_doomed() {
            return;
        }
        if state.gate.is_held() && !state.has_ended() {
            // Waiting for storage does not end a turn.
            return;
        }
        let leaving = self.submit(&mut state);
        if !self.settle(&mut state) {
            self.doom_with(&mut state, EndReason::Reset("a commit failed".into()));
        }
        let cache_bytes_max = self.limits().cache_bytes_max;
        if let Some(storage) = &mut state.storage
            && storage.overlay.bytes() > cache_bytes_max
        {
            storage.overlay.trim(cache_bytes_max);
        }
        drop(state);
        leaving.go();
    }

    /// Submits what is staged. What an open transaction wrote is not.
    pub fn submit(&self, state: &mut State) -> Leaving {
        let set = if state.is_in_transaction() { None } else { self.write_set(state) };
        let (outputs, after) = match set {
            None => state.output.nothing_submitted(),
            Some(set) => {
                let commit = self.host.store.submit(set);
                state.storage().overlay.submitted(commit);
                state.staged_before_turn = 0;
                state.last_submitted = Some(commit);
                state.unsettled.push_back(commit);
                state.output.submitted(commit)
            }
        };
        let syncs = std::mem::take(&mut state.syncs);
        Leaving { outputs, after, syncs, last_submitted: state.last_submitted }
    }

    fn write_set(&self, state: &mut State) -> Option<WriteSet> {
        let name = state.name();
        let storage = state.storage.as_mut()?;
        let staged = storage.overlay.take_staged()?;
        let now_ms = self.host.environment.now_ms();
        let mut set = WriteSet::new(storage.number, self.life);
        let class = self.class.0.number;
        let has_alarm = staged.alarms.iter().any(|(_, alarm)| alarm.is_some());
        if staged.clear && staged.writes.iter().all(|(_, value)| value.is_none()) && !has_alarm {
            // Nothing is left of the object: not even its record stays. What it writes later is a new object's.
            set.forget = storage.record.take().map(|_| (class, self.id.0));
            storage.number = self.host.store.new_object();
        } else if storage.record.as_ref().is_none_or(|record| {
            let is_stale = now_ms.saturating_sub(record.active_ms) >= ACTIVE_STAMP_MS;
            is_stale || record.name.is_none() && name.is_some()
        }) {
            let created_ms = storage.record.as_ref().map_or(now_ms, |record| record.created_ms);
            let name = name.map(|name| name.to_string());
            let record = ObjectRecord { number: storage.number, name, created_ms, active_ms: now_ms };
            storage.record = Some(record.clone());
            set.record = Some((class, self.id.0, record));
        }
        set.size = Some(storage.size.clone());
        set.clear = staged.clear;
        set.writes = staged.writes;
        if !staged.alarms.is_empty() {
            let write = |alarm: Option<Alarm>| alarm.map_or(AlarmWrite::Delete, AlarmWrite::Set);
            let writes = staged.alarms.into_iter().map(|(name, alarm)| (name, write(alarm))).collect();
            set.alarms = Some(Box::new(AlarmWrites { class, id: self.id.0, writes }));
        }
        Some(set)
    }

    /// Takes note of the commits that were settled meanwhile; false if one of them failed.
    pub fn settle(&self, state: &mut State) -> bool {
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
