//! One try of an alarm on its way through its object.

use std::sync::{Arc, OnceLock};

use dohost_alarms::{Cron, Due, Failure, due, next_after};
use dohost_engine::{AlarmInfo, Output};
use dohost_storage::{Alarm, PendingAlarm};

use crate::environment::Environment;
use crate::object::{EndReason, Object, State};

/// See the module.
#[derive(Debug)]
pub(crate) struct AlarmRun {
    /// What the scheduler fired.
    pub alarm: PendingAlarm,
    /// Set when the handler is called.
    begun: OnceLock<Begun>,
    /// Set if the object ended before its time.
    failure: OnceLock<Failure>,
}

#[derive(Debug)]
struct Begun {
    /// The tick that the handler is called for.
    tick_ms: u64,
    cron: Option<Cron>,
}

impl AlarmRun {
    pub fn new(alarm: PendingAlarm) -> AlarmRun {
        AlarmRun { alarm, begun: OnceLock::new(), failure: OnceLock::new() }
    }

    /// The time that the handler was called for; none if it was not called.
    pub fn scheduled_ms(&self) -> Option<u64> {
        self.begun.get().map(|begun| begun.tick_ms)
    }

    /// Whose failure it was that the object ended; the host's if nothing was said.
    pub fn failure(&self) -> Failure {
        self.failure.get().copied().unwrap_or(Failure::Host)
    }

    /// The object has ended while the handler ran.
    pub fn ended_running(&self, reason: &EndReason) {
        let _ = self.failure.set(match reason {
            EndReason::Aborted { retry_alarm: false, .. } => Failure::Abandoned,
            EndReason::Aborted { .. }
            | EndReason::Trapped(_)
            | EndReason::TimedOut(_)
            | EndReason::StartFailed(_)
            | EndReason::ConstructionFailed(_) => Failure::Handler,
            EndReason::HostFailed(_) | EndReason::Overloaded(_) | EndReason::Reset(_) => Failure::Host,
        });
    }

    /// The object has ended before the handler was called. A guest that does not start has failed as a handler has.
    pub fn ended_waiting(&self, reason: &EndReason) {
        if matches!(reason, EndReason::StartFailed(_) | EndReason::ConstructionFailed(_)) {
            let _ = self.failure.set(Failure::Handler);
        }
    }
}

/// A number that tells a setting of an alarm from all others.
pub(crate) fn new_stamp(environment: &dyn Environment) -> u64 {
    let bytes = environment.random_bytes();
    u64::from_be_bytes(bytes[..8].try_into().expect("8 of 16 bytes"))
}

impl Object {
    /// The event of an alarm is about to enter. What the handler is told; nothing if there is nothing to do: the alarm is
    /// another one by now or gone, its time has not come by this clock, or its tick is one that is skipped.
    pub fn begin_alarm(&self, state: &mut State, run: &AlarmRun) -> Option<AlarmInfo> {
        let PendingAlarm { name, stamp, due_ms, tries, .. } = &run.alarm;
        let now_ms = self.host.environment.now_ms();
        let runs_already = state.running_alarm(name).is_some();
        let alarm = state.storage().overlay.alarm(name).filter(|alarm| alarm.stamp == *stamp)?;
        if now_ms < *due_ms || runs_already {
            return None;
        }
        let cron = alarm.schedule.as_ref().and_then(|schedule| Cron::parse(schedule).ok());
        let tick_ms = match due(alarm, cron.as_ref(), now_ms, self.limits().alarm_catch_up_max) {
            Due::Fire(tick_ms) => tick_ms,
            Due::SkipTo(next_ms) => {
                let next = self.next_alarm(alarm, next_ms);
                state.storage().overlay.set_alarm(name, next);
                state.wrote_confirmed();
                return None;
            }
        };
        let info = AlarmInfo {
            name: name.to_string(),
            scheduled_time: tick_ms as i64,
            retry_count: tries.counted.into(),
            is_retry: tries.has_failed,
            cron: alarm.schedule.as_ref().map(|schedule| schedule.expression.clone()),
        };
        let _ = run.begun.set(Begun { tick_ms, cron });
        Some(info)
    }

    /// The handler of an alarm has returned well: the alarm goes with what its turn wrote, or has its next tick, unless it was set
    /// or deleted meanwhile.
    pub fn finish_alarm(&self, state: &mut State, run: &AlarmRun, output: &Output) {
        let (Output::Alarm { was_called: true }, Some(begun)) = (output, run.begun.get()) else { return };
        let PendingAlarm { name, stamp, .. } = &run.alarm;
        let overlay = &state.storage().overlay;
        let Some(alarm) = overlay.alarm(name).filter(|alarm| alarm.stamp == *stamp) else { return };
        let now_ms = self.host.environment.now_ms();
        let next = next_after(alarm, begun.cron.as_ref(), begun.tick_ms, now_ms);
        let next = next.map(|next_ms| self.next_alarm(alarm, next_ms));
        match next {
            Some(next) => state.storage().overlay.set_alarm(name, next),
            None => state.storage().overlay.delete_alarm(name),
        };
        state.wrote_confirmed();
    }

    fn next_alarm(&self, alarm: &Alarm, scheduled_ms: u64) -> Alarm {
        Alarm { scheduled_ms, stamp: new_stamp(&*self.host.environment), schedule: alarm.schedule.clone() }
    }

    /// The store has the next one in the place of an alarm, or none: the scheduler gave it up.
    pub fn alarm_was_given_up(&self, given_up: GivenUp) {
        let mut state = self.lock();
        match &mut state.storage {
            Some(storage) => given_up.apply(&mut storage.overlay),
            // It may have been read before that.
            None => state.alarms_given_up.push(given_up),
        }
    }
}

/// An alarm that is not tried again.
#[derive(Clone, Debug)]
pub(crate) struct GivenUp {
    pub name: Arc<str>,
    pub stamp: u64,
    pub next: Option<Alarm>,
}

impl GivenUp {
    pub fn apply(&self, overlay: &mut dohost_storage::Overlay) {
        overlay.alarm_was_given_up(&self.name, self.stamp, self.next.as_ref());
    }
}

impl State {
    /// The try of the alarm of this name that runs.
    pub fn running_alarm(&self, name: &str) -> Option<&Arc<AlarmRun>> {
        let mut runs = self.running.iter().filter_map(|(_, event)| event.alarm.as_ref());
        runs.find(|run| *run.alarm.name == *name && run.begun.get().is_some())
    }

    /// When the alarm of this name is due as its guest sees it: one whose handler runs is none, or has its next tick.
    pub fn alarm_time(&self, name: &str, alarm: &Alarm, now_ms: u64) -> Option<u64> {
        let run = self.running_alarm(name).filter(|run| run.alarm.stamp == alarm.stamp);
        match run.and_then(|run| run.begun.get()) {
            None => Some(alarm.scheduled_ms),
            Some(begun) => next_after(alarm, begun.cron.as_ref(), begun.tick_ms, now_ms),
        }
    }
}
