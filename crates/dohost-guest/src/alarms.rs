//! Alarms: times at which the host wakes the object and calls its [`DurableObject::alarm`](crate::DurableObject::alarm).
//!
//! They are part of the store: what sets one is a write like any other, durable with what is written beside it, and a
//! transaction that fails undoes it.

use std::time::Duration;

use crate::bindings::dohost::object::alarms as host;
use crate::class::this_class;
use crate::{Date, Error, Result};

/// The alarms of the object, by name. The one whose name is empty is that of [`Storage::set_alarm`](crate::Storage::set_alarm).
///
/// To set one, the class has to be a `#[durable_object(alarm)]`. An object has up to 1,000 alarms (a limit of the class), whose
/// names have 256 bytes at most.
#[derive(Clone, Debug)]
pub struct Alarms {
    _private: (),
}

/// When an alarm is due: at a [`Date`], or so long from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledTime(Date);

impl From<Date> for ScheduledTime {
    fn from(date: Date) -> ScheduledTime {
        ScheduledTime(date)
    }
}

impl From<Duration> for ScheduledTime {
    fn from(delay: Duration) -> ScheduledTime {
        ScheduledTime(Date::now() + delay)
    }
}

/// A schedule by which an alarm fires again and again.
///
/// ```
/// # use dohost_guest::{Cron, MissedTicks};
/// let weekdays = Cron::new("30 7 * * MON-FRI").time_zone("Europe/Berlin").missed(MissedTicks::Skip);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    expression: String,
    time_zone: Option<String>,
    missed: MissedTicks,
}

/// What to do about the ticks of a schedule that passed while nothing could fire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    /// One call for all of them, with the time of the last.
    #[default]
    FireOnce,
    /// Go on with the next one that is still to come.
    Skip,
    /// One call after the other for each of them, from the oldest on.
    CatchUp,
}

/// An alarm that is pending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingAlarm {
    /// Its name; empty for the one without.
    pub name: String,
    /// When it is due.
    pub scheduled_time: Date,
    /// Its schedule, if it has one.
    pub schedule: Option<Cron>,
}

/// Why [`DurableObject::alarm`](crate::DurableObject::alarm) is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmInfo {
    /// The name of the alarm; empty for the one without.
    pub name: String,
    /// The time for which it was set, or the tick of its schedule. May be long ago.
    pub scheduled_time: Date,
    /// How many retries there were; 0 the first time. Failures of the host do not count.
    pub retry_count: u32,
    /// Whether a call before this one failed.
    pub is_retry: bool,
    /// The expression of the schedule that this is a tick of, if it is one.
    pub cron: Option<String>,
}

impl Alarms {
    pub(crate) fn new() -> Alarms {
        Alarms { _private: () }
    }

    /// Sets the alarm of this name, in place of the one that was there. A time that has passed means at once.
    pub async fn set(&self, name: &str, time: impl Into<ScheduledTime>) -> Result<()> {
        check_handler()?;
        Ok(host::set(name.to_owned(), millis(time.into())).await?)
    }

    /// Sets the alarm of this name to fire at each tick of a schedule until it is deleted or replaced; gives the first
    /// one. Setting the schedule that is there already changes nothing, so each construction may do it.
    pub async fn set_cron(&self, name: &str, schedule: Cron) -> Result<Date> {
        check_handler()?;
        Ok(date(host::set_cron(name.to_owned(), schedule.into_wire()).await?))
    }

    /// When the alarm of this name is due; none if there is none. While its handler runs there is none, unless one was
    /// set meanwhile.
    pub async fn get(&self, name: &str) -> Result<Option<Date>> {
        Ok(host::get(name.to_owned()).await?.map(date))
    }

    /// All that are pending, in the order of their names.
    pub async fn list(&self) -> Result<Vec<PendingAlarm>> {
        let alarms = host::list().await?.into_iter().map(|host::Alarm { name, scheduled_time, schedule }| {
            PendingAlarm { name, scheduled_time: date(scheduled_time), schedule: schedule.map(Cron::from_wire) }
        });
        Ok(alarms.collect())
    }

    /// Deletes the alarm of this name, its schedule included; true if there was one.
    pub async fn delete(&self, name: &str) -> Result<bool> {
        Ok(host::delete(name.to_owned()).await?)
    }

    /// Like [`Alarms::set`], but nothing that leaves the object waits for it.
    pub async fn set_unconfirmed(&self, name: &str, time: impl Into<ScheduledTime>) -> Result<()> {
        check_handler()?;
        Ok(host::set_unconfirmed(name.to_owned(), millis(time.into())).await?)
    }

    /// Like [`Alarms::delete`], but nothing that leaves the object waits for it.
    pub async fn delete_unconfirmed(&self, name: &str) -> Result<bool> {
        Ok(host::delete_unconfirmed(name.to_owned()).await?)
    }
}

impl Cron {
    /// A schedule in UTC: minute, hour, day of the month, month and day of the week, or with seconds in front.
    pub fn new(expression: impl Into<String>) -> Cron {
        Cron { expression: expression.into(), time_zone: None, missed: MissedTicks::default() }
    }

    /// The same in a time zone, by its IANA name: `Europe/Berlin`.
    pub fn time_zone(self, name: impl Into<String>) -> Cron {
        Cron { time_zone: Some(name.into()), ..self }
    }

    /// The same with another way to treat what was missed.
    pub fn missed(self, missed: MissedTicks) -> Cron {
        Cron { missed, ..self }
    }

    fn into_wire(self) -> host::Cron {
        let Cron { expression, time_zone, missed } = self;
        let missed = match missed {
            MissedTicks::FireOnce => host::MissedTicks::FireOnce,
            MissedTicks::Skip => host::MissedTicks::Skip,
            MissedTicks::CatchUp => host::MissedTicks::CatchUp,
        };
        host::Cron { expression, time_zone, missed }
    }

    fn from_wire(cron: host::Cron) -> Cron {
        let host::Cron { expression, time_zone, missed } = cron;
        let missed = match missed {
            host::MissedTicks::FireOnce => MissedTicks::FireOnce,
            host::MissedTicks::Skip => MissedTicks::Skip,
            host::MissedTicks::CatchUp => MissedTicks::CatchUp,
        };
        Cron { expression, time_zone, missed }
    }
}

/// The host refuses an alarm if the component has no handler at all. Of several classes one may have one and another not.
fn check_handler() -> Result<()> {
    match this_class()?.has_alarm {
        true => Ok(()),
        false => {
            let text =
                "this class has no handler for alarms: write `#[durable_object(alarm)]` above the struct, and `alarm`";
            Err(Error::new(text))
        }
    }
}

fn millis(ScheduledTime(date): ScheduledTime) -> i64 {
    i64::try_from(date.as_millis()).unwrap_or(i64::MAX)
}

/// A time of the host.
pub fn date(millis: i64) -> Date {
    Date::from_millis(u64::try_from(millis).unwrap_or(0))
}
