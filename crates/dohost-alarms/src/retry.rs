//! When an alarm whose handler failed is tried again.
//!
//! The numbers and the rule are those of Cloudflare's runtime, but for one: there a failure of the host ends an alarm that has
//! used up its retries, here only a failure of the handler does.

use dohost_storage::Tries;

/// Failures that are tried again; the one after them ends the alarm.
pub const RETRIES_MAX: u8 = 6;

/// The first delay, in milliseconds. Each one after it is twice as long.
pub const RETRY_START_MS: u64 = 2_000;

/// How often the delay doubles, at most.
pub const RETRY_BACKOFF_MAX: u8 = 9;

/// One over the part of the delay that chance may add.
const JITTER_DIVISOR: u64 = 4;

/// Why there was no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The handler failed: that counts.
    Handler,
    /// The host failed: tried again for as long as it takes.
    Host,
    /// The object wants no retry.
    Abandoned,
}

/// After how many milliseconds an alarm is tried again, and the tries before that; none if it is given up. `chance` is any
/// number.
pub fn after_failure(tries: Tries, failure: Failure, chance: u64) -> Option<(u64, Tries)> {
    let is_counted = failure == Failure::Handler;
    if failure == Failure::Abandoned || (is_counted && tries.counted >= RETRIES_MAX) {
        return None;
    }
    // A handler that fails after the host did fails for another reason, and should not wait as long.
    let backoff = match is_counted && !tries.last_counted {
        true => 0,
        false => tries.backoff.min(RETRY_BACKOFF_MAX),
    };
    let delay_ms = RETRY_START_MS << backoff;
    let jitter_ms = chance % (delay_ms / JITTER_DIVISOR + 1);
    let counted = tries.counted + u8::from(is_counted);
    Some((delay_ms + jitter_ms, Tries { counted, backoff: backoff + 1, has_failed: true, last_counted: is_counted }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The delays after these failures, without jitter, until there is none.
    fn delays(failures: impl IntoIterator<Item = Failure>) -> Vec<u64> {
        let mut tries = Tries::default();
        let mut delays = Vec::new();
        for failure in failures {
            let Some((delay_ms, after)) = after_failure(tries, failure, 0) else { break };
            tries = after;
            delays.push(delay_ms / 1_000);
        }
        delays
    }

    #[test]
    fn a_handler_that_fails_is_tried_six_times_more_and_then_given_up() {
        assert_eq!(delays([Failure::Handler; 20]), [2, 4, 8, 16, 32, 64]);
    }

    #[test]
    fn failures_of_the_host_are_tried_again_for_ever_and_not_slower_than_that() {
        let delays = delays([Failure::Host; 100]);
        assert_eq!(delays[..10], [2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]);
        assert_eq!((delays.len(), delays[99]), (100, 1_024));
    }

    #[test]
    fn a_handler_that_fails_after_the_host_waits_as_for_the_first_time() {
        let (host, handler) = (Failure::Host, Failure::Handler);
        assert_eq!(delays([host, host, host, handler, handler, host, handler]), [2, 4, 8, 2, 4, 8, 2]);
        let many = [[host, handler]; 20];
        assert_eq!(delays(many.into_iter().flatten()).len(), 13, "six that count, and those of the host between them");
    }

    #[test]
    fn an_alarm_that_is_abandoned_is_not_tried_again() {
        assert_eq!(delays([Failure::Handler, Failure::Abandoned]), [2]);
    }

    proptest! {
        #[test]
        fn chance_adds_a_quarter_at_most(backoff in 0..9u8, chance: u64) {
            let tries = Tries { backoff, has_failed: true, ..Tries::default() };
            let (delay_ms, _) = after_failure(tries, Failure::Host, chance).unwrap();
            let least = RETRY_START_MS << backoff;
            prop_assert!((least..=least + least / 4).contains(&delay_ms));
        }
    }
}
