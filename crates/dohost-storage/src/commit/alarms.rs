//! Alarms in a transaction: rows of the objects, and the index by time in step with them.
//!
//! Invariant: the index has exactly one row for each row of an alarm, at the time when that is due.

use std::sync::Arc;

use crate::alarm::{AlarmChange, AlarmPlace, AlarmRow, AlarmWrite, AlarmWrites, PendingAlarm};
use crate::key::{Key, alarm_rows};
use crate::numbers::ObjectNumber;
use crate::rows::{Batch, ReadRows};

/// Applies what a write set does to the alarms of its object.
pub(super) fn write(
    rows: &mut Batch,
    object: ObjectNumber,
    writes: &AlarmWrites,
    changes: &mut Vec<AlarmChange>,
) -> Result<(), redb::Error> {
    for (name, write) in &writes.writes {
        let key = Key::Alarm { object, name: name.to_string() }.encode();
        let old = rows.get(&key[..])?.map(|row| decode(row.value())).transpose()?;
        let has_stamp = |stamp: u64| old.as_ref().filter(|old| old.alarm.stamp == stamp);
        let new = match write {
            AlarmWrite::Set(alarm) => Some(AlarmRow::new(writes.class, alarm.clone())),
            AlarmWrite::Delete => None,
            AlarmWrite::Retry { stamp, due_ms, tries } => match has_stamp(*stamp) {
                Some(old) => Some(AlarmRow { due_ms: *due_ms, tries: *tries, ..old.clone() }),
                None => continue,
            },
            AlarmWrite::GiveUp { stamp, next } => match has_stamp(*stamp) {
                Some(_) => next.clone().map(|next| AlarmRow::new(writes.class, next)),
                None => continue,
            },
        };
        if let Some(old) = old {
            let place = old.pending(object, writes.id, name).place();
            remove_place(rows, place, changes)?;
        }
        match new {
            None => drop(rows.remove(&key[..])?),
            Some(new) => {
                rows.insert(&key, new.encode());
                let pending = new.pending(object, writes.id, name);
                rows.insert(&pending.place().key().encode(), pending.encode());
                changes.push(AlarmChange::Added(pending));
            }
        }
    }
    Ok(())
}

/// Removes all alarms of an object; how many there were.
pub(crate) fn clear(
    rows: &mut Batch,
    object: ObjectNumber,
    changes: &mut Vec<AlarmChange>,
) -> Result<usize, redb::Error> {
    let mut found = Vec::new();
    let range = alarm_rows(object);
    for row in rows.range(&range.start[..]..&range.end[..])? {
        let (key, value) = row?;
        found.push((key.value().to_vec(), decode(value.value())?));
    }
    let count = found.len();
    for (key, row) in found {
        rows.remove(&key[..])?;
        let Ok(Key::Alarm { name, .. }) = Key::decode(&key) else {
            return Err(redb::Error::Corrupted("the key of an alarm is of no known shape".into()));
        };
        let place = AlarmPlace { class: row.class, due_ms: row.due_ms, object, name: Arc::from(name) };
        remove_place(rows, place, changes)?;
    }
    Ok(count)
}

fn remove_place(rows: &mut Batch, place: AlarmPlace, changes: &mut Vec<AlarmChange>) -> Result<(), redb::Error> {
    let missing = || redb::Error::Corrupted("an alarm has no row in the index".into());
    let row = rows.remove(&place.key().encode()[..])?.ok_or_else(missing)?;
    let pending = PendingAlarm::decode(place, row.value());
    changes.push(AlarmChange::Removed(pending.map_err(|error| redb::Error::Corrupted(error.to_string()))?));
    Ok(())
}

fn decode(value: &[u8]) -> Result<AlarmRow, redb::Error> {
    AlarmRow::decode(value).map_err(|error| redb::Error::Corrupted(error.to_string()))
}
