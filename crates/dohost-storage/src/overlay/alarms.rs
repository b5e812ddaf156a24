//! The alarms of a resident object. There are few, so all of them are in memory, and nobody has to ask the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Overlay;
use crate::alarm::Alarm;
use crate::numbers::WriteNumber;

/// What an alarm costs in memory beside its name, in bytes, with room for a schedule.
const ALARM_OVERHEAD_BYTES: usize = 128;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    pub(super) all: BTreeMap<Arc<str>, Alarm>,
    /// Names of those that were set or deleted and not taken yet.
    pub(super) staged: BTreeSet<Arc<str>>,
}

impl Alarms {
    pub(super) fn bytes(&self) -> usize {
        self.all.keys().chain(&self.staged).map(|name| name.len() + ALARM_OVERHEAD_BYTES).sum()
    }

    /// What is staged; the last of each name.
    pub(super) fn take_staged(&mut self) -> Vec<(Arc<str>, Option<Alarm>)> {
        let staged = std::mem::take(&mut self.staged);
        staged.into_iter().map(|name| (name.clone(), self.all.get(&name).cloned())).collect()
    }
}

impl Overlay {
    /// With the alarms that [`crate::Store::load`] gave.
    pub fn with_alarms(mut self, alarms: Vec<(Arc<str>, Alarm)>) -> Overlay {
        self.alarms.all = alarms.into_iter().collect();
        self
    }

    /// The alarm of this name.
    pub fn alarm(&self, name: &str) -> Option<&Alarm> {
        self.alarms.all.get(name)
    }

    /// All alarms, by name.
    pub fn alarms(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Alarm)> {
        self.alarms.all.iter()
    }

    /// Stages an alarm.
    pub fn set_alarm(&mut self, name: &str, alarm: Alarm) -> WriteNumber {
        let name = self.stage_alarm(name);
        self.alarms.all.insert(name, alarm);
        self.last_write
    }

    /// Stages the deletion of an alarm; one that is not there stages nothing.
    pub fn delete_alarm(&mut self, name: &str) -> WriteNumber {
        if self.alarms.all.contains_key(name) {
            let name = self.stage_alarm(name);
            self.alarms.all.remove(&name);
        }
        self.last_write
    }

    /// Takes note that the store has the next one in the place of this alarm, or none, if it still is this one. Stages nothing.
    pub fn alarm_was_given_up(&mut self, name: &Arc<str>, stamp: u64, next: Option<&Alarm>) {
        let saved = self.savepoints.iter_mut().filter_map(|savepoint| savepoint.alarms.as_mut());
        for alarms in saved.chain([&mut self.alarms]) {
            if alarms.all.get(name).is_some_and(|alarm| alarm.stamp == stamp) {
                match next {
                    Some(next) => alarms.all.insert(name.clone(), next.clone()),
                    None => alarms.all.remove(name),
                };
            }
        }
    }

    fn stage_alarm(&mut self, name: &str) -> Arc<str> {
        self.last_write.0 += 1;
        if let Some(savepoint) = self.savepoints.last_mut() {
            savepoint.save_alarms(&self.alarms);
        }
        let known = self.alarms.all.get_key_value(name).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| name.into());
        if self.alarms.staged.insert(name.clone()) {
            self.staged_bytes += name.len() + ALARM_OVERHEAD_BYTES;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::CommitNumber;
    use crate::read::Content;

    fn alarm(stamp: u64) -> Alarm {
        Alarm { scheduled_ms: stamp * 100, stamp, schedule: None }
    }

    fn overlay() -> Overlay {
        Overlay::new(Content::Whole(Vec::new())).with_alarms(vec![("old".into(), alarm(1))])
    }

    fn take(overlay: &mut Overlay) -> Vec<(Arc<str>, Option<Alarm>)> {
        let staged = overlay.take_staged().expect("something is staged");
        overlay.submitted(CommitNumber(1));
        staged.alarms
    }

    #[test]
    fn the_last_write_of_each_name_is_taken_once() {
        let mut overlay = overlay();
        overlay.set_alarm("new", alarm(2));
        overlay.set_alarm("new", alarm(3));
        overlay.delete_alarm("old");
        overlay.delete_alarm("never there");
        assert_eq!(overlay.alarm("old"), None);
        assert!(overlay.has_staged());
        assert_eq!(take(&mut overlay), [("new".into(), Some(alarm(3))), ("old".into(), None)]);
        assert!(!overlay.has_staged());
        assert_eq!(overlay.staged_bytes(), 0);
        assert_eq!(overlay.alarm("new"), Some(&alarm(3)), "what was taken is still known");
    }

    #[test]
    fn an_undo_brings_the_alarms_back() {
        let mut overlay = overlay();
        overlay.set_alarm("staged", alarm(2));
        let bytes = overlay.staged_bytes();
        overlay.begin();
        overlay.begin();
        overlay.set_alarm("staged", alarm(3));
        overlay.set_alarm("new", alarm(4));
        overlay.delete_alarm("old");
        overlay.keep();
        assert_eq!(overlay.alarms().count(), 2);
        overlay.undo();
        assert_eq!(
            (overlay.alarm("old"), overlay.alarm("staged"), overlay.alarm("new")),
            (Some(&alarm(1)), Some(&alarm(2)), None)
        );
        assert_eq!(overlay.staged_bytes(), bytes);
        assert_eq!(take(&mut overlay), [("staged".into(), Some(alarm(2)))]);
    }

    #[test]
    fn deleting_everything_deletes_the_alarms() {
        let mut overlay = overlay();
        overlay.set_alarm("staged", alarm(2));
        overlay.delete_all();
        overlay.set_alarm("after", alarm(3));
        assert_eq!(overlay.alarms().map(|(name, _)| &**name).collect::<Vec<_>>(), ["after"]);
        assert_eq!(take(&mut overlay), [("after".into(), Some(alarm(3)))]);
    }

    #[test]
    fn an_alarm_that_was_given_up_goes_unless_it_was_set_anew() {
        let mut overlay = overlay();
        overlay.begin();
        overlay.set_alarm("other", alarm(5));
        overlay.alarm_was_given_up(&"old".into(), 1, Some(&alarm(9)));
        overlay.undo();
        assert_eq!(overlay.alarm("old"), Some(&alarm(9)), "an undo does not bring it back");
        overlay.alarm_was_given_up(&"old".into(), 1, None);
        assert_eq!(overlay.alarm("old"), Some(&alarm(9)));
        overlay.alarm_was_given_up(&"old".into(), 9, None);
        assert_eq!((overlay.alarm("old"), overlay.has_staged()), (None, false));
    }
}
