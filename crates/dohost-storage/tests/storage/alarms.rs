//! Alarms: rows of objects, and the index by time in step with them, whatever happens.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use dohost_storage::{
    Alarm, AlarmChange, AlarmWrite, AlarmWrites, CommitError, LifeId, ObjectNumber, PendingAlarm, Store, Tries,
    WriteSet,
};
use proptest::prelude::*;

use crate::{CLASS, WHOLE, commit, faulty_store, id, object, open, puts};

fn alarm(scheduled_ms: u64, stamp: u64) -> Alarm {
    Alarm { scheduled_ms, stamp, schedule: None }
}

fn set(object: ObjectNumber, life: LifeId, number: u8, writes: &[(&str, AlarmWrite)]) -> WriteSet {
    let writes = writes.iter().map(|(name, write)| (Arc::from(*name), write.clone())).collect();
    let mut set = WriteSet::new(object, life);
    set.alarms = Some(Box::new(AlarmWrites { class: CLASS, id: id(number), writes }));
    set
}

fn pending(store: &Store) -> Vec<PendingAlarm> {
    store.pending_alarms(CLASS, None, usize::MAX).unwrap()
}

fn times(store: &Store) -> Vec<(u64, String)> {
    pending(store).into_iter().map(|pending| (pending.due_ms, pending.name.to_string())).collect()
}

#[test]
fn pending_alarms_come_in_the_order_of_time_page_by_page() {
    let (disk, store) = faulty_store();
    for number in 1..=3 {
        let (object, life) = object(&store, number);
        let at = |ms: u64| AlarmWrite::Set(alarm(ms * 10 + u64::from(number), 1));
        commit(&store, set(object, life, number, &[("a", at(3)), ("b", at(1)), ("c", at(1 << 40))])).unwrap();
    }
    store.close();
    let store = open(&disk);
    let all = pending(&store);
    assert_eq!(all.len(), 9);
    assert!(all.is_sorted_by_key(|pending| pending.due_ms));
    assert_eq!((&*all[0].name, all[0].id, all[0].due_ms), ("b", id(1), 11));
    let mut after = None;
    let mut paged = Vec::new();
    loop {
        let page = store.pending_alarms(CLASS, after.as_ref(), 2).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.place());
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let loaded = store.load(CLASS, &id(2), WHOLE).unwrap();
    let names: Vec<&str> = loaded.alarms.iter().map(|(name, _)| &**name).collect();
    assert_eq!((names, &loaded.alarms[1].1), (vec!["a", "b", "c"], &alarm(12, 1)));
}

#[test]
fn what_the_scheduler_does_to_an_alarm_is_done_only_if_it_is_still_the_same() {
    let (_, store) = faulty_store();
    let (object, life) = object(&store, 1);
    commit(&store, set(object, life, 1, &[("a", AlarmWrite::Set(alarm(10, 1)))])).unwrap();
    let tries = Tries { counted: 1, backoff: 1, has_failed: true, last_counted: true };
    let retry = |stamp| AlarmWrite::Retry { stamp, due_ms: 2_010, tries };
    commit(&store, set(object, life, 1, &[("a", retry(2)), ("none", retry(1))])).unwrap();
    assert_eq!(times(&store), [(10, "a".into())], "another stamp");
    commit(&store, set(object, life, 1, &[("a", retry(1))])).unwrap();
    assert_eq!(pending(&store)[0].tries, tries);
    assert_eq!(times(&store), [(2_010, "a".into())]);
    let row = store.alarms(object).unwrap().remove(0).1;
    assert_eq!((row.alarm, row.due_ms), (alarm(10, 1), 2_010), "what it was set for stays");
    commit(&store, set(object, life, 1, &[("a", AlarmWrite::Set(alarm(30, 3)))])).unwrap();
    assert_eq!((pending(&store)[0].tries, times(&store)), (Tries::default(), vec![(30, "a".into())]));
    let give_up = |stamp, next| AlarmWrite::GiveUp { stamp, next };
    commit(&store, set(object, life, 1, &[("a", give_up(1, None))])).unwrap();
    assert_eq!(times(&store), [(30, "a".into())]);
    commit(&store, set(object, life, 1, &[("a", give_up(3, Some(alarm(40, 4))))])).unwrap();
    assert_eq!(times(&store), [(40, "a".into())]);
    commit(&store, set(object, life, 1, &[("a", give_up(4, None))])).unwrap();
    assert_eq!((times(&store), store.alarms(object).unwrap()), (vec![], vec![]));
}

#[test]
fn an_object_that_deletes_everything_has_no_alarms_left() {
    let (_, store) = faulty_store();
    for (number, is_large) in [(1, false), (2, true)] {
        let (object, life) = object(&store, number);
        commit(&store, set(object, life, number, &[("a", AlarmWrite::Set(alarm(10, 1)))])).unwrap();
        let loaded = store.load(CLASS, &id(number), WHOLE).unwrap();
        let value = "x".repeat(if is_large { 100_000 } else { 1 });
        let mut large = puts(object, life, &[("k", &value)]);
        large.size = Some(loaded.size.clone());
        commit(&store, large).unwrap();
        let mut clear = WriteSet::new(object, life);
        (clear.clear, clear.forget, clear.size) = (true, Some((CLASS, id(number))), Some(loaded.size));
        commit(&store, clear).unwrap();
        assert_eq!((times(&store), store.alarms(object).unwrap()), (vec![], vec![]));
    }
    let (object, life) = object(&store, 3);
    let mut anew = set(object, life, 3, &[("b", AlarmWrite::Set(alarm(20, 2)))]);
    commit(&store, set(object, life, 3, &[("a", AlarmWrite::Set(alarm(10, 1)))])).unwrap();
    anew.clear = true;
    commit(&store, anew).unwrap();
    assert_eq!(times(&store), [(20, "b".into())], "what is set after that stays");
}

#[test]
fn changes_are_told_before_their_commit_is() {
    let (disk, store) = faulty_store();
    let (object, life) = object(&store, 1);
    commit(&store, set(object, life, 1, &[("unheard", AlarmWrite::Set(alarm(1, 1)))])).unwrap();
    store.listen_to_alarms();
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(store.poll_alarm_news(&mut cx), Poll::Pending);
    commit(&store, set(object, life, 1, &[("a", AlarmWrite::Set(alarm(10, 1)))])).unwrap();
    let added = pending(&store).remove(1);
    assert_eq!(store.poll_alarm_news(&mut cx), Poll::Ready(()));
    assert_eq!(store.alarm_news().changes, [AlarmChange::Added(added.clone())]);
    commit(&store, set(object, life, 1, &[("a", AlarmWrite::Set(alarm(20, 2)))])).unwrap();
    let moved = pending(&store).remove(1);
    let changes = [AlarmChange::Removed(added.clone()), AlarmChange::Added(moved.clone())];
    assert_eq!(store.alarm_news().changes, changes);
    disk.set_full(true);
    let failed = commit(&store, set(object, life, 1, &[("a", AlarmWrite::Delete)]));
    assert!(matches!(failed, Err(CommitError::NoSpace { .. })), "{failed:?}");
    assert_eq!(store.poll_alarm_news(&mut cx), Poll::Pending, "nothing became of it");
    disk.set_full(false);
    let life = store.new_life();
    commit(&store, set(object, life, 1, &[("a", AlarmWrite::Delete)])).unwrap();
    assert_eq!(store.alarm_news().changes, [AlarmChange::Removed(moved)]);
}

/// One thing that is done to one of a few alarms of one of a few objects.
fn write() -> impl Strategy<Value = (u8, u8, AlarmWrite)> {
    let tries = Tries { counted: 1, backoff: 1, has_failed: true, last_counted: true };
    let write = prop_oneof![
        (0..50u64, 0..4u64).prop_map(|(ms, stamp)| AlarmWrite::Set(alarm(ms, stamp))),
        Just(AlarmWrite::Delete),
        (0..4u64, 0..50u64).prop_map(move |(stamp, due_ms)| AlarmWrite::Retry { stamp, due_ms, tries }),
        (0..4u64, proptest::option::of(0..50u64))
            .prop_map(|(stamp, next)| AlarmWrite::GiveUp { stamp, next: next.map(|ms| alarm(ms, stamp)) }),
    ];
    (1..3u8, 0..3u8, write)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_index_has_what_the_objects_have_and_whoever_listens_knows_it(
        sets in proptest::collection::vec(proptest::collection::vec(write(), 1..4), 1..20),
    ) {
        let (disk, store) = faulty_store();
        let objects: Vec<_> = (1..3).map(|number| object(&store, number)).collect();
        store.listen_to_alarms();
        for writes in sets {
            let mut last = None;
            for (number, name, write) in writes {
                let (object, life) = objects[usize::from(number) - 1];
                last = Some(store.submit(set(object, life, number, &[(&format!("n{name}"), write)])));
            }
            crate::outcome(&store.progress(), last.unwrap()).unwrap();
        }
        let mut heard = Vec::new();
        for change in store.alarm_news().changes {
            match change {
                AlarmChange::Added(added) => heard.push(added),
                AlarmChange::Removed(removed) => heard.retain(|pending| *pending != removed),
            }
        }
        heard.sort_by_key(PendingAlarm::place);
        store.close();
        let store = open(&disk);
        let mut stored = Vec::new();
        for (number, (object, _)) in (1..3).zip(&objects) {
            for (name, row) in store.alarms(*object).unwrap() {
                let (class, due_ms, stamp, tries) = (row.class, row.due_ms, row.alarm.stamp, row.tries);
                stored.push(PendingAlarm { class, due_ms, object: *object, name, id: id(number), stamp, tries });
            }
        }
        stored.sort_by_key(PendingAlarm::place);
        prop_assert_eq!(&pending(&store), &stored);
        prop_assert_eq!(&heard, &stored);
    }
}
