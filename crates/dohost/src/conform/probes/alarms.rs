//! Alarm twice: alarms are delivered at least once, so one may come again after its handler has done all it does.
//!
//! That takes a host that dies between the last effect of a handler and the commit that deletes the alarm, which cannot be hit
//! from outside. So the alarm is put back into the store of a host that has stopped. What the handler stores then is compared;
//! if it differs that is no failure, but a second delivery shows, and its author may want to know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use bytes::Bytes;
use dohost_storage::{
    Alarm, AlarmWrite, AlarmWrites, ClassNumber, Content, PendingAlarm, Store, StoreOptions, WriteSet,
};

use super::{Finding, Probes, Session, Stage};

/// How long handlers may take.
const RUN_MAX: Duration = Duration::from_secs(15);
/// How often it is looked whether they are done.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Alarms that are delivered twice.
const ALARMS_MAX: usize = 100;
/// Objects whose content is compared.
const OBJECTS_MAX: usize = 1_000;
/// Bytes of an object that is compared.
const CONTENT_BYTES_MAX: usize = 16 << 20;
/// Keys that are shown.
const SHOWN_MAX: usize = 10;

/// Values by class, id and key.
type Stored = BTreeMap<(u64, [u8; 32], Arc<str>), Bytes>;

impl Probes<'_> {
    pub(super) fn alarm_twice(&self) -> anyhow::Result<Finding> {
        let stage = Stage::AlarmTwice;
        if !self.subject.has_alarms {
            return Ok(Finding::not_applicable(stage, "it has no handler for alarms"));
        }
        let mut session = self.undisturbed()?;
        session.ask_all(&self.requests);
        session.stop()?;
        let pending = self.in_store(&session, |store, classes| {
            let mut pending = Vec::new();
            for class in classes {
                pending.extend(store.pending_alarms(*class, None, ALARMS_MAX)?);
            }
            pending.truncate(ALARMS_MAX);
            Ok(pending)
        })?;
        if pending.is_empty() {
            let text = "no alarm was set when the requests were done";
            let help = "give requests that set one: --script FILE";
            return Ok(Finding::could_not_tell(stage, text).help(help));
        }
        let Some(once) = self.deliver(&mut session, &pending)? else { return Ok(not_done(&session)) };
        let Some(twice) = self.deliver(&mut session, &pending)? else { return Ok(not_done(&session)) };
        let count = pending.len();
        let differing: Vec<&Arc<str>> = keys_that_differ(&once, &twice);
        if differing.is_empty() {
            return Ok(Finding::ok(stage, format!("{count} alarms, delivered twice, leave what one delivery leaves")));
        }
        let shown: Vec<&str> = differing.iter().take(SHOWN_MAX).map(|key| &***key).collect();
        let text = format!("a second delivery of an alarm changes what is stored: {}", shown.join(", "));
        let help = "alarms are delivered at least once; a handler that can tell what it did already does it once";
        Ok(Finding::advice(stage, text).help(help))
    }

    /// Puts these alarms into the store, due now, and runs a host until they were handled; what is stored then. None if they
    /// were not.
    fn deliver(&self, session: &mut Session<'_>, alarms: &[PendingAlarm]) -> anyhow::Result<Option<Stored>> {
        self.in_store(session, |store, _| alarms.iter().try_for_each(|alarm| set_due(store, alarm)))?;
        session.restart()?;
        let deadline = Instant::now() + RUN_MAX;
        loop {
            let figures = session.figures()?;
            if figures["alarmsSucceeded"].as_u64().unwrap_or_default() >= alarms.len() as u64 {
                break;
            }
            if figures["alarmsFailed"] != 0 || Instant::now() > deadline {
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
        }
        session.stop()?;
        self.in_store(session, stored).map(Some)
    }

    /// Does something with the store of a host that has stopped, and the classes that it serves.
    fn in_store<T>(
        &self,
        session: &Session<'_>,
        work: impl FnOnce(&Store, &[ClassNumber]) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let store = Store::open(&session.data_dir(), StoreOptions::default())
            .map_err(|error| anyhow::anyhow!("failed to {error}"))?;
        let classes = self.subject.classes.iter().map(|class| Ok(store.class(&class.name)?.number));
        let classes: Vec<ClassNumber> = classes.collect::<anyhow::Result<_>>()?;
        let done = work(&store, &classes);
        store.close();
        done
    }
}

fn not_done(session: &Session<'_>) -> Finding {
    let text = "the handler for alarms failed, or was not done in time";
    Finding::could_not_tell(Stage::AlarmTwice, text).details(session.warned())
}

fn set_due(store: &Store, pending: &PendingAlarm) -> anyhow::Result<()> {
    let loaded = store.load(pending.class, &pending.id, 0)?;
    let record = loaded.record.context("an object with an alarm has a record")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let alarm = Alarm { scheduled_ms: now.as_millis() as u64, stamp: pending.stamp, schedule: None };
    let mut set = WriteSet::new(loaded.number, store.new_life());
    set.record = Some((pending.class, pending.id, record));
    set.size = Some(loaded.size);
    let writes = vec![(pending.name.clone(), AlarmWrite::Set(alarm))];
    set.alarms = Some(Box::new(AlarmWrites { class: pending.class, id: pending.id, writes }));
    Ok(store.commit(set)?)
}

fn stored(store: &Store, classes: &[ClassNumber]) -> anyhow::Result<Stored> {
    let mut stored = Stored::new();
    for class in classes {
        for (id, _) in store.objects(*class, None, OBJECTS_MAX)? {
            let content = store.load(*class, &id, CONTENT_BYTES_MAX)?.content;
            ensure!(content != Content::Partial, "an object has stored too much to compare it");
            if let Content::Whole(entries) = content {
                let number = u64::from(class.0);
                stored.extend(entries.into_iter().map(|(key, value)| ((number, id, key), value)));
            }
        }
    }
    Ok(stored)
}

fn keys_that_differ<'a>(one: &'a Stored, other: &'a Stored) -> Vec<&'a Arc<str>> {
    let gone_or_changed = one.iter().filter(|(place, value)| other.get(*place) != Some(value));
    let new = other.iter().filter(|(place, _)| !one.contains_key(*place));
    gone_or_changed.chain(new).map(|((_, _, key), _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_new_gone_or_changed_differ() {
        let stored = |entries: &[(&str, &'static str)]| -> Stored {
            entries.iter().map(|(key, value)| ((1, [0; 32], (*key).into()), Bytes::from(*value))).collect()
        };
        let (one, other) =
            (stored(&[("a", "1"), ("b", "1"), ("c", "1")]), stored(&[("a", "1"), ("b", "2"), ("d", "1")]));
        let keys: Vec<&str> = keys_that_differ(&one, &other).into_iter().map(|key| &**key).collect();
        assert_eq!(keys, ["b", "c", "d"]);
        assert!(keys_that_differ(&one, &one).is_empty());
    }
}
