//! What the imports of `dohost:object/alarms` do. All alarms of an object are in its overlay, so none of them ever waits.

use dohost_alarms::{Cron, InvalidSchedule};
use dohost_engine::imports::{self, Step, StorageError, StorageStep};
use dohost_storage::{Alarm, MissedTicks, Schedule, TooLong, check_alarm_name, check_schedule};

use super::run::new_stamp;
use crate::inside::{IsConfirmed, ObjectInside};
use crate::object::State;

/// In the words of Cloudflare's runtime, as far as they fit.
const NO_HANDLER: &str = "the component must export an alarm-handler to set an alarm";
const NO_TIME: &str = "an alarm cannot be set for a time <= 0";

/// What an alarm counts towards the limit on writes of a turn.
const ALARM_BYTES: usize = 512;

impl ObjectInside {
    pub fn set_alarm_at(&self, name: &str, scheduled_time: i64, is_confirmed: IsConfirmed) -> StorageStep<()> {
        let set = || {
            self.check_name(name)?;
            let now_ms = self.now_ms();
            let scheduled_ms = u64::try_from(scheduled_time).ok().filter(|ms| *ms > 0);
            let scheduled_ms = scheduled_ms.ok_or_else(|| StorageError::Invalid(NO_TIME.into()))?.max(now_ms);
            self.stage(&mut self.0.lock(), name, scheduled_ms, None, is_confirmed)
        };
        Step::Ready(set())
    }

    pub fn set_alarm_by_schedule(&self, name: &str, schedule: imports::Cron) -> StorageStep<i64> {
        let set = || {
            self.check_name(name)?;
            let imports::Cron { expression, time_zone, missed } = schedule;
            check_schedule(&expression, time_zone.as_deref()).map_err(too_long)?;
            let missed = match missed {
                imports::MissedTicks::FireOnce => MissedTicks::FireOnce,
                imports::MissedTicks::Skip => MissedTicks::Skip,
                imports::MissedTicks::CatchUp => MissedTicks::CatchUp,
            };
            let schedule = Schedule { expression, time_zone, missed };
            let now_ms = self.now_ms();
            let mut state = self.0.lock();
            let present = state.storage().overlay.alarm(name).cloned();
            if let Some(present) = present.filter(|alarm| alarm.schedule.as_ref() == Some(&schedule))
                && let Some(next_ms) = state.alarm_time(name, &present, now_ms)
            {
                return Ok(next_ms as i64);
            }
            let invalid = |error: InvalidSchedule| StorageError::Invalid(error.to_string());
            let cron = Cron::parse(&schedule).map_err(invalid)?;
            let never = || invalid(InvalidSchedule::Never(schedule.expression.clone()));
            let next_ms = cron.next_after(now_ms).ok_or_else(never)?;
            self.stage(&mut state, name, next_ms, Some(schedule), IsConfirmed(true))?;
            Ok(next_ms as i64)
        };
        Step::Ready(set())
    }

    pub fn alarm_of(&self, name: &str) -> StorageStep<Option<i64>> {
        let now_ms = self.now_ms();
        let mut state = self.0.lock();
        let alarm = state.storage().overlay.alarm(name).cloned();
        Step::Ready(Ok(alarm.and_then(|alarm| state.alarm_time(name, &alarm, now_ms)).map(|ms| ms as i64)))
    }

    pub fn all_alarms(&self) -> StorageStep<Vec<imports::Alarm>> {
        let now_ms = self.now_ms();
        let mut state = self.0.lock();
        let all: Vec<_> = state.storage().overlay.alarms().map(|(name, alarm)| (name.clone(), alarm.clone())).collect();
        let seen = all.into_iter().filter_map(|(name, alarm)| {
            let scheduled_time = state.alarm_time(&name, &alarm, now_ms)? as i64;
            Some(imports::Alarm { name: name.to_string(), scheduled_time, schedule: alarm.schedule.map(cron) })
        });
        Step::Ready(Ok(seen.collect()))
    }

    pub fn delete_alarm_of(&self, name: &str, is_confirmed: IsConfirmed) -> StorageStep<bool> {
        let now_ms = self.now_ms();
        let mut state = self.0.lock();
        let Some(alarm) = state.storage().overlay.alarm(name).cloned() else { return Step::Ready(Ok(false)) };
        let was_there = state.alarm_time(name, &alarm, now_ms).is_some();
        state.storage().overlay.delete_alarm(name);
        state.wrote(is_confirmed);
        Step::Ready(Ok(was_there))
    }

    fn stage(
        &self,
        state: &mut State,
        name: &str,
        scheduled_ms: u64,
        schedule: Option<Schedule>,
        is_confirmed: IsConfirmed,
    ) -> Result<(), StorageError> {
        self.0.check_turn(state, ALARM_BYTES)?;
        let max = self.0.limits().alarms_max;
        let overlay = &mut state.storage().overlay;
        if overlay.alarm(name).is_none() && overlay.alarms().len() >= max {
            return Err(StorageError::TooLarge(format!("the object has {max} alarms, the limit alarms")));
        }
        let stamp = new_stamp(&*self.0.host.environment);
        overlay.set_alarm(name, Alarm { scheduled_ms, stamp, schedule });
        state.wrote(is_confirmed);
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), StorageError> {
        check_alarm_name(name).map_err(too_long)?;
        match self.0.code.component.has_alarm_handler() {
            true => Ok(()),
            false => Err(StorageError::NotAllowed(NO_HANDLER.into())),
        }
    }

    fn now_ms(&self) -> u64 {
        self.0.host.environment.now_ms()
    }
}

fn too_long(error: TooLong) -> StorageError {
    StorageError::TooLarge(error.to_string())
}

fn cron(schedule: Schedule) -> imports::Cron {
    let Schedule { expression, time_zone, missed } = schedule;
    let missed = match missed {
        MissedTicks::FireOnce => imports::MissedTicks::FireOnce,
        MissedTicks::Skip => imports::MissedTicks::Skip,
        MissedTicks::CatchUp => imports::MissedTicks::CatchUp,
    };
    imports::Cron { expression, time_zone, missed }
}
