use dohost_storage::{ObjectNumber, Tries};
use proptest::prelude::*;

use super::*;

const CLASS: ClassNumber = ClassNumber(1);

fn alarm(object: u8, name: &str, due_ms: u64, stamp: u64) -> PendingAlarm {
    let (number, tries) = (ObjectNumber(object.into()), Tries::default());
    PendingAlarm { class: CLASS, due_ms, object: number, name: name.into(), id: [object; 32], stamp, tries }
}

/// An agenda that has read everything, which is these.
fn agenda(under_way_max: usize, alarms: &[PendingAlarm]) -> Agenda {
    let mut agenda = Agenda::new(under_way_max);
    agenda.serve(CLASS);
    let request = agenda.wants_page().unwrap();
    agenda.page(&request, alarms.to_vec());
    assert_eq!(agenda.wants_page(), None);
    agenda
}

#[test]
fn alarms_fire_in_the_order_of_time_and_not_before() {
    let [first, second] = [alarm(2, "", 10, 1), alarm(1, "", 20, 1)];
    let mut agenda = agenda(10, &[first.clone(), second.clone()]);
    assert_eq!(agenda.next(9), Next::Wait(Some(10)));
    assert_eq!(agenda.next(19), Next::Fire(first));
    assert_eq!(agenda.next(19), Next::Wait(Some(20)));
    assert_eq!(agenda.next(20), Next::Fire(second));
    assert_eq!(agenda.next(20), Next::Wait(None));
}

#[test]
fn one_that_has_gone_is_over_and_one_that_has_not_fires_again_after_a_while() {
    let one = alarm(1, "", 10, 1);
    let mut agenda = agenda(10, std::slice::from_ref(&one));
    assert_eq!(agenda.next(10), Next::Fire(one.clone()));
    agenda.ended(&one, 50, None);
    assert_eq!(agenda.next(50), Next::Wait(Some(50 + AGAIN_AFTER_MS)));
    assert_eq!(agenda.next(50 + AGAIN_AFTER_MS), Next::Fire(one.clone()));
    agenda.hear(vec![AlarmChange::Removed(one.clone())]);
    agenda.ended(&one, 2_000, None);
    assert_eq!((agenda.next(1 << 40), agenda.under_way()), (Next::Wait(None), 0));
}

#[test]
fn one_that_goes_while_it_waits_to_fire_again_is_over() {
    let one = alarm(1, "", 10, 1);
    let mut agenda = agenda(10, std::slice::from_ref(&one));
    agenda.next(10);
    agenda.ended(&one, 10, Some(5_000));
    agenda.hear(vec![AlarmChange::Removed(one)]);
    assert_eq!((agenda.next(10_000), agenda.under_way()), (Next::Wait(None), 0));
}

#[test]
fn the_newest_one_waits_behind_the_one_that_runs() {
    let [one, other] = [alarm(1, "", 10, 1), alarm(1, "other", 10, 1)];
    let mut agenda = agenda(10, &[one.clone(), other.clone()]);
    assert_eq!([agenda.next(10), agenda.next(10)], [Next::Fire(one.clone()), Next::Fire(other)]);
    let [second, third] = [alarm(1, "", 11, 2), alarm(1, "", 12, 3)];
    agenda.hear(vec![AlarmChange::Removed(one.clone()), AlarmChange::Added(second.clone())]);
    agenda.hear(vec![AlarmChange::Removed(second), AlarmChange::Added(third.clone())]);
    assert_eq!(agenda.next(100), Next::Wait(None), "of one name one runs at a time");
    agenda.ended(&one, 100, None);
    assert_eq!(agenda.next(100), Next::Fire(third));
}

#[test]
fn the_next_one_beats_one_that_waits_to_fire_again() {
    let one = alarm(1, "", 10, 1);
    let mut agenda = agenda(10, std::slice::from_ref(&one));
    agenda.next(10);
    agenda.ended(&one, 10, Some(1_000_000));
    let next = alarm(1, "", 20, 2);
    agenda.hear(vec![AlarmChange::Removed(one), AlarmChange::Added(next.clone())]);
    assert_eq!(agenda.next(20), Next::Fire(next));
}

#[test]
fn no_more_are_under_way_than_may_be() {
    let alarms: Vec<_> = (1..=5).map(|object| alarm(object, "", object.into(), 1)).collect();
    let mut agenda = agenda(2, &alarms);
    assert_eq!([agenda.next(9), agenda.next(9)], [Next::Fire(alarms[0].clone()), Next::Fire(alarms[1].clone())]);
    assert_eq!(agenda.next(9), Next::Wait(None));
    agenda.hear(vec![AlarmChange::Removed(alarms[1].clone())]);
    agenda.ended(&alarms[1], 9, None);
    assert_eq!(agenda.next(9), Next::Fire(alarms[2].clone()));
}

#[test]
fn a_change_that_a_page_does_not_have_is_not_lost() {
    let [one, two, three] = [alarm(1, "", 10, 1), alarm(2, "", 20, 1), alarm(3, "", 30, 1)];
    let mut agenda = Agenda::new(10);
    agenda.serve(CLASS);
    let request = agenda.wants_page().unwrap();
    assert_eq!(agenda.wants_page(), None, "it is on its way");
    agenda.hear(vec![AlarmChange::Added(three.clone()), AlarmChange::Removed(one.clone())]);
    agenda.page(&request, vec![one, two.clone()]);
    assert_eq!([agenda.next(99), agenda.next(99)], [Next::Fire(two), Next::Fire(three)]);
    assert_eq!(agenda.next(99), Next::Wait(None));
}

#[test]
fn after_changes_were_lost_everything_is_read_anew() {
    let [runs, gone, new] = [alarm(1, "", 10, 1), alarm(2, "", 20, 1), alarm(3, "", 30, 1)];
    let mut agenda = agenda(10, &[runs.clone(), gone]);
    assert_eq!(agenda.next(10), Next::Fire(runs.clone()));
    agenda.forget();
    let request = agenda.wants_page().unwrap();
    agenda.page(&request, vec![runs.clone(), new.clone()]);
    assert_eq!(agenda.next(100), Next::Fire(new));
    agenda.ended(&runs, 100, None);
    assert_eq!(agenda.next(100 + AGAIN_AFTER_MS), Next::Fire(runs), "it is still there");
}

#[test]
fn a_million_alarms_to_come_take_the_memory_of_few() {
    let mut agenda = agenda(10, &[]);
    for number in (0..100_000).rev() {
        agenda.hear(vec![AlarmChange::Added(alarm(1, &format!("{number:06}"), number, 1))]);
    }
    let near = &agenda.classes[&CLASS];
    assert_eq!(near.pending.len(), NEAR_LEN_MAX);
    assert!(matches!(&near.reach, Reach::UpTo(last) if last.due_ms == NEAR_LEN_MAX as u64 - 1));
}

/// What happens to a store and to the agenda beside it.
#[derive(Clone, Debug)]
enum Deed {
    /// An alarm is set.
    Set {
        object: u8,
        name: u8,
        in_ms: u64,
    },
    /// An alarm is deleted, if it is there.
    Delete {
        at: usize,
    },
    /// The oldest one under way ends, and its row goes or stays.
    End {
        goes: bool,
    },
    /// A page is asked for; it is read at this moment, and arrives with the next of these.
    Read,
    /// Changes are lost.
    Lose,
    Pass {
        ms: u64,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (1..6u8, 0..60u8, 0..50u64).prop_map(|(object, name, in_ms)| Deed::Set { object, name, in_ms }),
        2 => any::<usize>().prop_map(|at| Deed::Delete { at }),
        4 => any::<bool>().prop_map(|goes| Deed::End { goes }),
        3 => Just(Deed::Read),
        1 => Just(Deed::Lose),
        2 => (0..20u64).prop_map(|ms| Deed::Pass { ms }),
    ]
}

#[derive(Default)]
struct World {
    now_ms: u64,
    stamp: u64,
    store: BTreeMap<AlarmPlace, PendingAlarm>,
    running: Vec<PendingAlarm>,
    reading: Option<(PageRequest, Vec<PendingAlarm>)>,
}

impl World {
    fn remove(&mut self, agenda: &mut Agenda, place: &AlarmPlace) {
        let removed = self.store.remove(place).unwrap();
        agenda.hear(vec![AlarmChange::Removed(removed)]);
    }

    fn act(&mut self, agenda: &mut Agenda, deed: Deed) {
        match deed {
            Deed::Set { object, name, in_ms } => {
                let name = format!("n{name}");
                self.stamp += 1;
                let new = alarm(object, &name, self.now_ms + in_ms, self.stamp);
                if let Some(old) = self.store.keys().find(|old| old.object == new.object && old.name == new.name) {
                    self.remove(agenda, &old.clone());
                }
                self.store.insert(new.place(), new.clone());
                agenda.hear(vec![AlarmChange::Added(new)]);
            }
            Deed::Delete { at } => {
                if let Some(place) = self.store.keys().nth(at % self.store.len().max(1)).cloned() {
                    self.remove(agenda, &place);
                }
            }
            Deed::End { goes } => {
                if self.running.is_empty() {
                    return;
                }
                let ended = self.running.remove(0);
                if goes && self.store.get(&ended.place()) == Some(&ended) {
                    self.remove(agenda, &ended.place());
                }
                agenda.ended(&ended, self.now_ms, None);
            }
            Deed::Read => {
                if let Some((request, page)) = self.reading.take() {
                    agenda.page(&request, page);
                }
                if let Some(request) = agenda.wants_page() {
                    let behind = |place: &AlarmPlace| request.after.as_ref().is_none_or(|after| place > after);
                    let rows = self.store.iter().filter(|(place, _)| behind(place));
                    let page = rows.map(|(_, alarm)| alarm.clone()).take(PAGE_LEN).collect();
                    self.reading = Some((request, page));
                }
            }
            Deed::Lose => agenda.forget(),
            Deed::Pass { ms } => self.now_ms += ms,
        }
    }

    fn fire(&mut self, agenda: &mut Agenda) {
        while let Next::Fire(fired) = agenda.next(self.now_ms) {
            assert!(fired.due_ms <= self.now_ms, "it fires before its time");
            assert_eq!(self.store.get(&fired.place()), Some(&fired), "it is not in the store");
            let twice = self.running.iter().any(|other| Key::of(other) == Key::of(&fired));
            assert!(!twice, "two of one name at a time");
            self.running.push(fired);
            assert!(self.running.len() <= 3, "too many are under way");
        }
    }
}

proptest! {
    #[test]
    fn every_alarm_fires_in_its_time_until_it_has_gone(deeds in proptest::collection::vec(deed(), 0..300)) {
        let mut agenda = Agenda::new(3);
        agenda.serve(CLASS);
        let mut world = World::default();
        for deed in deeds {
            // After a loss what is here is older than the store until it is read: that is what the page is for.
            world.act(&mut agenda, deed);
            world.fire(&mut agenda);
        }
        for _ in 0..2_000 {
            world.act(&mut agenda, Deed::Read);
            world.act(&mut agenda, Deed::Pass { ms: 5 });
            world.fire(&mut agenda);
            world.act(&mut agenda, Deed::End { goes: true });
        }
        prop_assert!(world.store.is_empty(), "some never fired: {:?}", world.store);
        prop_assert_eq!(agenda.under_way(), 0);
    }
}
