//! Time and chance.

use std::ops::Add;
use std::time::Duration;

use crate::bindings::wasi::clocks::{monotonic_clock, system_clock};
use crate::bindings::wasi::random::random;

/// Waits. Other events of the object may run meanwhile.
pub async fn sleep(duration: Duration) {
    monotonic_clock::wait_for(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)).await;
}

/// A point in time, as the clock on the wall has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    millis: u64,
}

impl Date {
    /// Now.
    pub fn now() -> Date {
        let now = system_clock::now();
        Date { millis: u64::try_from(now.seconds).unwrap_or(0) * 1_000 + u64::from(now.nanoseconds / 1_000_000) }
    }

    /// So many milliseconds after 1970 began.
    pub fn from_millis(millis: u64) -> Date {
        Date { millis }
    }

    /// Milliseconds since 1970.
    pub fn as_millis(self) -> u64 {
        self.millis
    }
}

impl Add<Duration> for Date {
    type Output = Date;

    fn add(self, delay: Duration) -> Date {
        Date { millis: self.millis.saturating_add(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)) }
    }
}

/// Random bytes that nobody can guess.
pub fn random_bytes(len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        bytes.extend(random::get_random_bytes((len - bytes.len()) as u64));
    }
    bytes
}
