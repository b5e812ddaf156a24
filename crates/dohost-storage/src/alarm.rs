//! Alarms as they are stored.
//!
//! An object's alarms are rows of its own ([`crate::Key::Alarm`]), written in the commit of what its turn writes beside
//! them. For each there is a row of the index ([`crate::Key::AlarmTime`]), by class and time, which the committer keeps in
//! step: whoever sets an alarm need not know when the one before was due.
//!
//! An alarm says when it is *scheduled* for and never changes until its object sets it anew; when it is *due* is later than
//! that once a try of it has failed. How far the tries have come is the scheduler's: it changes that without the object,
//! under the condition that the alarm is still the one that it tried ([`AlarmWrite::Retry`]).

use std::sync::Arc;

use crate::key::Key;
use crate::numbers::{ClassNumber, ObjectNumber};
use crate::record::InvalidRecord;

/// An alarm of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The time it was set for, or the tick of its schedule, in milliseconds since 1970.
    pub scheduled_ms: u64,
    /// Tells this setting of it from every other one. Chosen at random by whoever sets it.
    pub stamp: u64,
    /// What it goes on with, if it does.
    pub schedule: Option<Schedule>,
}

/// When an alarm fires again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// A cron expression.
    pub expression: String,
    /// The IANA name of a time zone; UTC if there is none.
    pub time_zone: Option<String>,
    /// What to do about missed ticks.
    pub missed: MissedTicks,
}

/// What to do about the ticks of a schedule that passed while nothing could fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissedTicks {
    /// One call for all of them.
    FireOnce,
    /// None.
    Skip,
    /// One call for each.
    CatchUp,
}

/// How far the tries of an alarm have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Failures that count.
    pub counted: u8,
    /// The exponent of the next delay.
    pub backoff: u8,
    /// There was a try that failed, counted or not.
    pub has_failed: bool,
    /// The last failure counted.
    pub last_counted: bool,
}

/// All that is stored of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmRow {
    /// The class of its object.
    pub class: ClassNumber,
    /// The alarm.
    pub alarm: Alarm,
    /// When it is to be tried next, in milliseconds since 1970.
    pub due_ms: u64,
    /// The tries before that.
    pub tries: Tries,
}

/// An alarm as the index has it: all that is needed to fire it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingAlarm {
    /// The class of its object.
    pub class: ClassNumber,
    /// When it is to be tried next, in milliseconds since 1970.
    pub due_ms: u64,
    /// The number of its object.
    pub object: ObjectNumber,
    /// Its name.
    pub name: Arc<str>,
    /// The id of its object.
    pub id: [u8; 32],
    /// Of the alarm.
    pub stamp: u64,
    /// The tries before this one.
    pub tries: Tries,
}

/// What a write set does to an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmWrite {
    /// Sets it, in place of whatever there was.
    Set(Alarm),
    /// Deletes it.
    Delete,
    /// Tries it again later, if it still has this stamp.
    Retry {
        /// Of the alarm that failed.
        stamp: u64,
        /// When.
        due_ms: u64,
        /// The tries before that.
        tries: Tries,
    },
    /// Puts the next one in its place, or none, if it still has this stamp.
    GiveUp {
        /// Of the alarm that is given up.
        stamp: u64,
        /// The next tick of its schedule.
        next: Option<Alarm>,
    },
}

/// The alarms that a write set changes, and whose they are.
#[derive(Clone, Debug)]
pub struct AlarmWrites {
    /// The class of the object.
    pub class: ClassNumber,
    /// Its id.
    pub id: [u8; 32],
    /// By name, applied in order.
    pub writes: Vec<(Arc<str>, AlarmWrite)>,
}

/// A change of the index that has become durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmChange {
    /// This one is pending now.
    Added(PendingAlarm),
    /// This one is no longer, or is another one now.
    Removed(PendingAlarm),
}

/// Where an alarm is in the index: in the order of time within each class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmPlace {
    /// The class of its object.
    pub class: ClassNumber,
    /// When it is due.
    pub due_ms: u64,
    /// The number of its object.
    pub object: ObjectNumber,
    /// Its name.
    pub name: Arc<str>,
}

impl PendingAlarm {
    /// Where it is in the index.
    pub fn place(&self) -> AlarmPlace {
        AlarmPlace { class: self.class, due_ms: self.due_ms, object: self.object, name: self.name.clone() }
    }

    /// The value of its row in the index: `id, 32 bytes | stamp u64 | tries`.
    pub(crate) fn encode(&self) -> Vec<u8> {
        [&self.id[..], &self.stamp.to_be_bytes(), &self.tries.encode()].concat()
    }

    /// The reverse, with what the key says.
    pub(crate) fn decode(place: AlarmPlace, value: &[u8]) -> Result<PendingAlarm, InvalidRecord> {
        let invalid = InvalidRecord { what: "pending alarm" };
        let (id, rest) = value.split_first_chunk::<32>().ok_or(invalid)?;
        let (stamp, tries) = rest.split_first_chunk::<8>().ok_or(invalid)?;
        let tries = Tries::decode(tries.try_into().map_err(|_| invalid)?).ok_or(invalid)?;
        let AlarmPlace { class, due_ms, object, name } = place;
        Ok(PendingAlarm { class, due_ms, object, name, id: *id, stamp: u64::from_be_bytes(*stamp), tries })
    }
}

impl AlarmPlace {
    pub(crate) fn key(&self) -> Key {
        let AlarmPlace { class, due_ms, object, name } = self;
        Key::AlarmTime { class: *class, due_ms: *due_ms, object: *object, name: name.to_string() }
    }
}

impl Tries {
    const HAS_FAILED: u8 = 1;
    const LAST_COUNTED: u8 = 2;

    fn encode(self) -> [u8; 3] {
        let has_failed = if self.has_failed { Tries::HAS_FAILED } else { 0 };
        let last_counted = if self.last_counted { Tries::LAST_COUNTED } else { 0 };
        [self.counted, self.backoff, has_failed | last_counted]
    }

    fn decode([counted, backoff, flags]: [u8; 3]) -> Option<Tries> {
        let is_known = flags & !(Tries::HAS_FAILED | Tries::LAST_COUNTED) == 0;
        let has = |flag| flags & flag != 0;
        is_known.then_some(Tries {
            counted,
            backoff,
            has_failed: has(Tries::HAS_FAILED),
            last_counted: has(Tries::LAST_COUNTED),
        })
    }
}

impl AlarmRow {
    /// One that was just set.
    pub fn new(class: ClassNumber, alarm: Alarm) -> AlarmRow {
        AlarmRow { class, due_ms: alarm.scheduled_ms, alarm, tries: Tries::default() }
    }

    /// `class u32 | due_ms u64 | scheduled_ms u64 | stamp u64 | tries, 3 bytes | kind u8`, and for a kind other than 0, which
    /// is the policy for missed ticks, `length of the time zone u8 | time zone | expression`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend_from_slice(&self.class.0.to_be_bytes());
        bytes.extend_from_slice(&self.due_ms.to_be_bytes());
        bytes.extend_from_slice(&self.alarm.scheduled_ms.to_be_bytes());
        bytes.extend_from_slice(&self.alarm.stamp.to_be_bytes());
        bytes.extend_from_slice(&self.tries.encode());
        let Some(Schedule { expression, time_zone, missed }) = &self.alarm.schedule else {
            bytes.push(0);
            return bytes;
        };
        bytes.push(match missed {
            MissedTicks::FireOnce => 1,
            MissedTicks::Skip => 2,
            MissedTicks::CatchUp => 3,
        });
        let time_zone = time_zone.as_deref().unwrap_or_default();
        bytes.push(u8::try_from(time_zone.len()).expect("the name of a time zone is within its limit"));
        bytes.extend_from_slice(time_zone.as_bytes());
        bytes.extend_from_slice(expression.as_bytes());
        bytes
    }

    /// The reverse of [`AlarmRow::encode`].
    pub fn decode(bytes: &[u8]) -> Result<AlarmRow, InvalidRecord> {
        decode(bytes).ok_or(InvalidRecord { what: "alarm" })
    }

    /// Its row in the index.
    pub(crate) fn pending(&self, object: ObjectNumber, id: [u8; 32], name: &Arc<str>) -> PendingAlarm {
        let (class, due_ms, stamp, tries) = (self.class, self.due_ms, self.alarm.stamp, self.tries);
        PendingAlarm { class, due_ms, object, name: name.clone(), id, stamp, tries }
    }
}

fn decode(bytes: &[u8]) -> Option<AlarmRow> {
    let (class, rest) = bytes.split_first_chunk::<4>()?;
    let (due_ms, rest) = rest.split_first_chunk::<8>()?;
    let (scheduled_ms, rest) = rest.split_first_chunk::<8>()?;
    let (stamp, rest) = rest.split_first_chunk::<8>()?;
    let (tries, rest) = rest.split_first_chunk::<3>()?;
    let (kind, rest) = rest.split_first()?;
    let missed = match kind {
        0 if rest.is_empty() => None,
        1 => Some(MissedTicks::FireOnce),
        2 => Some(MissedTicks::Skip),
        3 => Some(MissedTicks::CatchUp),
        _ => return None,
    };
    let schedule = match missed {
        None => None,
        Some(missed) => {
            let (len, rest) = rest.split_first()?;
            let (time_zone, expression) = rest.split_at_checked(usize::from(*len))?;
            let time_zone = std::str::from_utf8(time_zone).ok()?;
            let time_zone = Some(time_zone.to_owned()).filter(|zone| !zone.is_empty());
            Some(Schedule { expression: std::str::from_utf8(expression).ok()?.to_owned(), time_zone, missed })
        }
    };
    Some(AlarmRow {
        class: ClassNumber(u32::from_be_bytes(*class)),
        due_ms: u64::from_be_bytes(*due_ms),
        alarm: Alarm { scheduled_ms: u64::from_be_bytes(*scheduled_ms), stamp: u64::from_be_bytes(*stamp), schedule },
        tries: Tries::decode(*tries)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> AlarmRow {
        let schedule = Schedule {
            expression: "@daily".into(),
            time_zone: Some("Europe/Berlin".into()),
            missed: MissedTicks::Skip,
        };
        let alarm = Alarm { scheduled_ms: 7, stamp: 8, schedule: Some(schedule) };
        let tries = Tries { counted: 2, backoff: 3, has_failed: true, last_counted: true };
        AlarmRow { class: ClassNumber(5), alarm, due_ms: 6, tries }
    }

    #[test]
    fn rows_have_these_bytes_for_ever() {
        let head = [0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 2, 3, 3];
        let encoded = row().encode();
        assert_eq!(encoded[..31], head);
        assert_eq!(encoded[31..], *b"\x02\x0dEurope/Berlin@daily");
        let once = AlarmRow { alarm: Alarm { schedule: None, ..row().alarm }, ..row() };
        assert_eq!(once.encode(), [&head[..], &[0]].concat());
        let pending = row().pending(ObjectNumber(1), [9; 32], &"n".into());
        assert_eq!(pending.encode(), [&[9; 32][..], &[0, 0, 0, 0, 0, 0, 0, 8, 2, 3, 3]].concat());
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let without_zone = Schedule { time_zone: None, missed: MissedTicks::CatchUp, ..row().alarm.schedule.unwrap() };
        let once = Schedule { missed: MissedTicks::FireOnce, ..without_zone.clone() };
        for schedule in [None, Some(without_zone), Some(once), row().alarm.schedule] {
            let row = AlarmRow { alarm: Alarm { schedule, ..row().alarm }, ..row() };
            assert_eq!(AlarmRow::decode(&row.encode()), Ok(row));
        }
        let pending = row().pending(ObjectNumber(1), [9; 32], &"n".into());
        assert_eq!(PendingAlarm::decode(pending.place(), &pending.encode()), Ok(pending));
    }

    #[test]
    fn what_was_never_written_is_refused() {
        let whole = row().encode();
        for bad in [&whole[..30], &whole[..32], &[&whole[..31], &[4, 0]].concat(), &[&whole[..31], &[0, 0]].concat()] {
            assert!(AlarmRow::decode(bad).is_err(), "{bad:02x?}");
        }
    }
}
