//! What becomes of the ticks of a schedule, and above all of those that were missed.
//!
//! A tick is missed when it passed while nothing could fire: the host was down, or the handler was busy with the one before.

use dohost_storage::{Alarm, MissedTicks};

use crate::cron::Cron;

/// With [`MissedTicks::Skip`] a tick that is later than this is missed, in milliseconds.
pub const SKIP_AFTER_MS: u64 = 60_000;

/// What to do with an alarm whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Fire it, as scheduled for this time.
    Fire(u64),
    /// Do not fire, but go on with the tick at this time.
    SkipTo(u64),
}

/// What to do at `now_ms` with an alarm that is due. `catch_up_max` bounds the ticks that are made up for, one by one.
pub fn due(alarm: &Alarm, cron: Option<&Cron>, now_ms: u64, catch_up_max: usize) -> Due {
    let (Some(cron), Some(schedule)) = (cron, &alarm.schedule) else { return Due::Fire(alarm.scheduled_ms) };
    let scheduled_ms = alarm.scheduled_ms;
    match schedule.missed {
        MissedTicks::FireOnce => Due::Fire(cron.last_until(now_ms).map_or(scheduled_ms, |last| last.max(scheduled_ms))),
        MissedTicks::Skip if now_ms.saturating_sub(scheduled_ms) > SKIP_AFTER_MS => {
            // A tick that is not that late yet is none that was missed.
            let from_ms = now_ms - SKIP_AFTER_MS - 1;
            match cron.next_after(from_ms.max(scheduled_ms)) {
                Some(next) if next <= now_ms => Due::Fire(next),
                Some(next) => Due::SkipTo(next),
                None => Due::Fire(scheduled_ms),
            }
        }
        MissedTicks::Skip => Due::Fire(scheduled_ms),
        MissedTicks::CatchUp => Due::Fire(oldest(cron, scheduled_ms, now_ms, catch_up_max)),
    }
}

/// The tick that follows the one that fired; none if there is no more, or no schedule. It may have passed already: then it is
/// due at once, and [`due`] says what becomes of it.
pub fn next_after(alarm: &Alarm, cron: Option<&Cron>, tick_ms: u64, now_ms: u64) -> Option<u64> {
    let (cron, schedule) = (cron?, alarm.schedule.as_ref()?);
    let next = cron.next_after(tick_ms)?;
    match schedule.missed {
        // All that passed meanwhile are one.
        MissedTicks::FireOnce | MissedTicks::CatchUp => Some(next),
        MissedTicks::Skip if now_ms.saturating_sub(next) > SKIP_AFTER_MS => {
            cron.next_after((now_ms - SKIP_AFTER_MS - 1).max(tick_ms))
        }
        MissedTicks::Skip => Some(next),
    }
}

/// The oldest of the last `max` ticks that have passed, from `scheduled_ms` on.
fn oldest(cron: &Cron, scheduled_ms: u64, now_ms: u64, max: usize) -> u64 {
    let mut ticks = 0;
    let mut tick_ms = scheduled_ms;
    while let Some(next) = cron.next_after(tick_ms).filter(|next| *next <= now_ms) {
        tick_ms = next;
        ticks += 1;
        if ticks >= max {
            // More than may be made up for: count from the end instead.
            return from_the_end(cron, scheduled_ms, now_ms, max);
        }
    }
    scheduled_ms
}

fn from_the_end(cron: &Cron, scheduled_ms: u64, now_ms: u64, max: usize) -> u64 {
    let Some(mut tick_ms) = cron.last_until(now_ms) else { return scheduled_ms };
    for _ in 1..max {
        match cron.previous(tick_ms) {
            Some(before) if before >= scheduled_ms => tick_ms = before,
            _ => break,
        }
    }
    tick_ms
}

#[cfg(test)]
mod tests {
    use dohost_storage::Schedule;

    use super::*;

    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    /// The first of January 2026.
    const START: u64 = 1_767_225_600_000;

    fn hourly(missed: MissedTicks) -> (Alarm, Cron) {
        let schedule = Schedule { expression: "0 * * * *".into(), time_zone: None, missed };
        let cron = Cron::parse(&schedule).unwrap();
        (Alarm { scheduled_ms: START, stamp: 1, schedule: Some(schedule) }, cron)
    }

    /// All calls of the handler until nothing is due any more, each at `now` and taking no time; and when the next tick is.
    fn calls(missed: MissedTicks, now_ms: u64, catch_up_max: usize) -> (Vec<u64>, u64) {
        let (mut alarm, cron) = hourly(missed);
        let mut calls = Vec::new();
        while alarm.scheduled_ms <= now_ms {
            alarm.scheduled_ms = match due(&alarm, Some(&cron), now_ms, catch_up_max) {
                Due::SkipTo(next) => next,
                Due::Fire(tick) => {
                    calls.push((tick - START) / HOUR);
                    next_after(&alarm, Some(&cron), tick, now_ms).unwrap()
                }
            };
        }
        (calls, (alarm.scheduled_ms - START) / HOUR)
    }

    #[test]
    fn an_alarm_without_a_schedule_fires_for_its_time_and_has_no_next() {
        let alarm = Alarm { scheduled_ms: START, stamp: 1, schedule: None };
        assert_eq!(due(&alarm, None, START + HOUR, 10), Due::Fire(START));
        assert_eq!(next_after(&alarm, None, START, START + HOUR), None);
    }

    #[test]
    fn a_tick_in_time_fires_whatever_the_policy() {
        for missed in [MissedTicks::FireOnce, MissedTicks::Skip, MissedTicks::CatchUp] {
            assert_eq!(calls(missed, START, 10), (vec![0], 1));
            assert_eq!(calls(missed, START + MINUTE, 10), (vec![0], 1), "a minute late is in time");
        }
    }

    #[test]
    fn all_missed_ticks_fire_once_as_the_last_of_them() {
        assert_eq!(calls(MissedTicks::FireOnce, START + 7 * HOUR + 5 * MINUTE, 10), (vec![7], 8));
    }

    #[test]
    fn missed_ticks_are_skipped_unless_one_has_just_passed() {
        assert_eq!(calls(MissedTicks::Skip, START + 7 * HOUR + 5 * MINUTE, 10), (vec![], 8));
        assert_eq!(calls(MissedTicks::Skip, START + 7 * HOUR + MINUTE / 2, 10), (vec![7], 8));
        assert_eq!(calls(MissedTicks::Skip, START + MINUTE + 1, 10), (vec![], 1));
    }

    #[test]
    fn missed_ticks_are_made_up_for_one_by_one_as_far_as_the_limit_goes() {
        assert_eq!(calls(MissedTicks::CatchUp, START + 3 * HOUR + MINUTE, 10), (vec![0, 1, 2, 3], 4));
        let (made_up, next) = calls(MissedTicks::CatchUp, START + 100 * HOUR, 10);
        assert_eq!((made_up, next), ((91..=100).collect(), 101));
        assert_eq!(calls(MissedTicks::CatchUp, START + 9 * HOUR, 10).0.len(), 10);
    }

    #[test]
    fn a_handler_that_takes_longer_than_a_tick_meets_the_policy_too() {
        let later = START + 2 * HOUR + 10 * MINUTE;
        for (missed, next) in [(MissedTicks::FireOnce, 1), (MissedTicks::Skip, 3), (MissedTicks::CatchUp, 1)] {
            let (alarm, cron) = hourly(missed);
            assert_eq!(next_after(&alarm, Some(&cron), START, later), Some(START + next * HOUR), "{missed:?}");
        }
    }
}
