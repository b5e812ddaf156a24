//! The ticks of a schedule.
//!
//! Expressions are read by croner, time zones by jiff. Where clocks are put forward or back, a schedule of fixed times fires
//! once for each of them: right after the gap, if its time is left out, and the first time, if it comes twice. One of which a
//! field is a wildcard, a step or a list goes by real time: it fires through the hour that comes twice, and not in the gap.

use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use dohost_storage::Schedule;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use thiserror::Error;

/// A schedule that was understood.
#[derive(Clone, Debug)]
pub struct Cron {
    cron: croner::Cron,
    time_zone: TimeZone,
}

/// A schedule that was not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidSchedule {
    /// The expression makes no sense.
    #[error("the cron expression {expression:?} is not understood: {reason}")]
    Expression {
        /// It.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody knows that time zone.
    #[error("there is no time zone {0:?}; give the IANA name of one, such as Europe/Berlin")]
    TimeZone(String),
    /// It never ticks.
    #[error("the cron expression {0:?} never comes to pass")]
    Never(String),
}

impl Cron {
    /// Reads a schedule.
    pub fn parse(schedule: &Schedule) -> Result<Cron, InvalidSchedule> {
        let Schedule { expression, time_zone, .. } = schedule;
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser
            .parse(expression)
            .map_err(|error| InvalidSchedule::Expression { expression: expression.clone(), reason: reason(&error) })?;
        let time_zone = match time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| InvalidSchedule::TimeZone(name.clone()))?,
        };
        Ok(Cron { cron, time_zone })
    }

    /// The first tick after this moment; both in milliseconds since 1970.
    pub fn next_after(&self, after_ms: u64) -> Option<u64> {
        milliseconds(&self.cron.find_next_occurrence(&self.zoned(after_ms)?, false).ok()?)
    }

    /// The last tick at or before this moment.
    pub fn last_until(&self, until_ms: u64) -> Option<u64> {
        milliseconds(&self.cron.find_previous_occurrence(&self.zoned(until_ms)?, true).ok()?)
    }

    /// The last tick before this moment, which is one itself.
    pub fn previous(&self, tick_ms: u64) -> Option<u64> {
        milliseconds(&self.cron.find_previous_occurrence(&self.zoned(tick_ms)?, false).ok()?)
    }

    /// Ticks are at whole seconds.
    fn zoned(&self, ms: u64) -> Option<Zoned> {
        let timestamp = Timestamp::from_second(i64::try_from(ms / 1_000).ok()?).ok()?;
        Some(timestamp.to_zoned(self.time_zone.clone()))
    }
}

fn milliseconds(tick: &Zoned) -> Option<u64> {
    u64::try_from(tick.timestamp().as_millisecond()).ok()
}

fn reason(error: &CronError) -> String {
    match error {
        CronError::InvalidPattern(text) | CronError::IllegalCharacters(text) | CronError::ComponentError(text) => {
            text.clone()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use dohost_storage::MissedTicks;

    use super::*;

    fn schedule(expression: &str, time_zone: Option<&str>) -> Schedule {
        let time_zone = time_zone.map(str::to_owned);
        Schedule { expression: expression.into(), time_zone, missed: MissedTicks::FireOnce }
    }

    fn cron(expression: &str, time_zone: &str) -> Cron {
        Cron::parse(&schedule(expression, Some(time_zone))).unwrap()
    }

    fn ms(text: &str) -> u64 {
        text.parse::<Timestamp>().unwrap().as_millisecond() as u64
    }

    /// So many ticks after a moment, as they are in UTC.
    fn ticks(cron: &Cron, after: &str, count: usize) -> Vec<String> {
        let mut ms = ms(after);
        let mut ticks = Vec::new();
        for _ in 0..count {
            ms = cron.next_after(ms).unwrap();
            ticks.push(Timestamp::from_millisecond(ms as i64).unwrap().to_string());
        }
        ticks
    }

    #[test]
    fn expressions_are_read_as_everywhere() {
        let first = |expression: &str| ticks(&cron(expression, "UTC"), "2026-11-22T13:45:30.5Z", 1).remove(0);
        for (expression, expected) in [
            ("* * * * *", "2026-11-22T13:46:00Z"),
            ("*/20 * * * * *", "2026-11-22T13:45:40Z"),
            ("30 4 * * MON-FRI", "2026-11-23T04:30:00Z"),
            ("0 0 1 JAN *", "2027-01-01T00:00:00Z"),
            ("0 12 L * *", "2026-11-30T12:00:00Z"),
            ("0 0 * * 5#L", "2026-11-27T00:00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
            ("0 0 1 * 2", "2026-11-24T00:00:00Z"),
            ("0 0 * * 7", "2026-11-29T00:00:00Z"),
            ("@hourly", "2026-11-22T14:00:00Z"),
            ("@daily", "2026-11-23T00:00:00Z"),
            ("@weekly", "2026-11-29T00:00:00Z"),
            ("@monthly", "2026-12-01T00:00:00Z"),
            ("@yearly", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(first(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_so() {
        for expression in ["", "*", "* * * *", "61 * * * *", "* * * * * * *", "@never", "a b c d e", "*/0 * * * *"] {
            let refused = Cron::parse(&schedule(expression, None)).unwrap_err();
            assert!(matches!(refused, InvalidSchedule::Expression { .. }), "{expression:?}: {refused}");
        }
        let refused = Cron::parse(&schedule("* * * * *", Some("Europe/Atlantis"))).unwrap_err();
        assert!(refused.to_string().contains("Europe/Atlantis"), "{refused}");
        assert_eq!(cron("0 0 30 2 *", "UTC").next_after(0), None);
    }

    #[test]
    fn a_time_that_is_left_out_when_clocks_go_forward_comes_right_after_the_gap() {
        // Berlin goes from 2:00 to 3:00 on 2026-03-29, at 1:00 UTC.
        let daily = cron("30 2 * * *", "Europe/Berlin");
        let expected = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
        assert_eq!(ticks(&daily, "2026-03-27T12:00:00Z", 3), expected);
        let every_half_hour = cron("*/30 * * * *", "Europe/Berlin");
        let expected = ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"];
        assert_eq!(ticks(&every_half_hour, "2026-03-29T00:00:00Z", 3), expected);
    }

    #[test]
    fn a_time_that_comes_twice_when_clocks_go_back_comes_the_first_time_only() {
        // Berlin goes from 3:00 to 2:00 on 2026-10-25, at 1:00 UTC.
        let daily = cron("30 2 * * *", "Europe/Berlin");
        let expected = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        assert_eq!(ticks(&daily, "2026-10-23T12:00:00Z", 3), expected);
        let hourly = cron("30 * * * *", "Europe/Berlin");
        let expected = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"];
        assert_eq!(ticks(&hourly, "2026-10-25T00:00:00Z", 3), expected, "each real hour");
    }

    #[test]
    fn a_zone_half_an_hour_off_that_moves_by_half_an_hour() {
        // Lord Howe goes from 2:00 to 2:30 on 2026-10-04, at 15:30 UTC of the day before.
        let daily = cron("15 2 * * *", "Australia/Lord_Howe");
        let expected = ["2026-10-02T15:45:00Z", "2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"];
        assert_eq!(ticks(&daily, "2026-10-02T00:00:00Z", 3), expected);
    }

    #[test]
    fn the_last_tick_is_the_one_before_the_next() {
        for (expression, zone) in
            [("*/7 * * * *", "UTC"), ("30 2 * * *", "Europe/Berlin"), ("15 */5 * * *", "Asia/Tokyo")]
        {
            let cron = cron(expression, zone);
            let mut tick = cron.next_after(ms("2026-03-01T00:00:00Z")).unwrap();
            for _ in 0..2_000 {
                let next = cron.next_after(tick).unwrap();
                assert_eq!(cron.last_until(next - 1), Some(tick), "{expression}");
                assert_eq!(cron.last_until(next), Some(next), "{expression}");
                assert_eq!(cron.previous(next), Some(tick), "{expression}");
                tick = next;
            }
        }
    }
}
