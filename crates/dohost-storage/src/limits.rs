//! Every limit of the store, with its name and its answer.
//!
//! Limits on what a guest hands in (key, value, name, keys per call) are checked by the caller with the functions
//! here, before anything is staged: the store itself trusts its callers. Limits on the store's own queues are kept by
//! the store.

use thiserror::Error;

/// Bytes of a key in UTF-8. The reference's limit. A longer key is refused with [`TooLong`].
pub const KEY_BYTES_MAX: usize = 2_048;

/// Bytes of a value. Larger ones are refused with [`TooLong`]; the guest should split them.
pub const VALUE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Keys of one multi-key get, put or delete. Bounds the work that one import call can cause.
pub const KEYS_PER_CALL_MAX: usize = 128;

/// Bytes of an object's name that are kept with its record. A longer name still makes an id; it is just not kept.
pub const NAME_BYTES_MAX: usize = 1_024;

/// Bytes of the name of an alarm. A longer one is refused with [`TooLong`].
pub const ALARM_NAME_BYTES_MAX: usize = 256;

/// Bytes of a cron expression, and of the name of a time zone. Longer ones are refused with [`TooLong`].
pub const CRON_BYTES_MAX: usize = 256;
/// See [`CRON_BYTES_MAX`].
pub const TIME_ZONE_BYTES_MAX: usize = 64;

/// Changes of pending alarms that are remembered for the one who listens. With more than that, all are forgotten, and the
/// listener is told to read the index anew.
pub const ALARM_NEWS_LEN_MAX: usize = 65_536;

/// Write sets in one transaction. More wait for the next one. Bounds how long the first of them waits for the last.
pub const COMMIT_SETS_MAX: usize = 4_096;

/// Bytes of keys and values in one transaction, without those of large write sets.
pub const COMMIT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of the large write sets in one transaction, exceeded only by a single one that is larger on its own. They gather so
/// that they are written once only, to the file of redb.
pub const COMMIT_LARGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes from which on a write set is large.
pub const LARGE_SET_BYTES_MIN: usize = 512 * 1024;

/// Bytes of a file of the log that a start reads. A longer one was not written by this program.
pub(crate) const LOG_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes that a file of the log grows by at a time, until it has its full size.
pub(crate) const LOG_GROWTH_BYTES: u64 = 1024 * 1024;

/// An object with more bytes of keys and values than this has a row for its size; a smaller one is counted when it is
/// loaded. As much as an executor keeps in memory of an object anyhow.
pub const SIZE_ROW_BYTES_MIN: u64 = 64 * 1024;

/// Rows of forgotten objects that one transaction removes beside what it is for. Takes some milliseconds.
pub const SWEEP_ROWS_MAX: usize = 4_096;

/// Bytes of keys and values that one transaction takes over from another data directory, exceeded by one value.
pub const TRANSFER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of the tag of a migration.
pub const TAG_BYTES_MAX: usize = 64;

/// Bytes of write sets that may be submitted and not yet settled. The store does not refuse more, because a turn that
/// has run cannot be taken back: a caller that finds [`crate::Store::pending_bytes`] above this runs no further turn
/// until it fell.
pub const PENDING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Ranges of failed commit numbers that are remembered one by one. Past it the two oldest become one range that also
/// covers the successes between them: who asks that late may hear of a failure that was none, never the reverse.
pub const FAILED_RANGES_MAX: usize = 4_096;

/// Entries that one read of a list takes from the store. The caller asks again for the rest.
pub const LIST_PAGE_LEN_MAX: usize = 1_024;

/// Bytes of keys and values after which one read of a list stops; the last entry may exceed it.
pub const LIST_PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Something that a guest handed in is longer than its limit. The guest should fix its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the {what} has {len} bytes, the limit is {len_max}")]
pub struct TooLong {
    /// What it is: key, value or name.
    pub what: &'static str,
    /// Its length in bytes.
    pub len: usize,
    /// The limit in bytes.
    pub len_max: usize,
}

/// Checks a key against [`KEY_BYTES_MAX`].
pub fn check_key(key: &str) -> Result<(), TooLong> {
    check("key", key.len(), KEY_BYTES_MAX)
}

/// Checks a value against [`VALUE_BYTES_MAX`].
pub fn check_value(value: &[u8]) -> Result<(), TooLong> {
    check("value", value.len(), VALUE_BYTES_MAX)
}

/// Checks a name against [`NAME_BYTES_MAX`].
pub fn check_name(name: &str) -> Result<(), TooLong> {
    check("name", name.len(), NAME_BYTES_MAX)
}

/// Checks the name of an alarm against [`ALARM_NAME_BYTES_MAX`].
pub fn check_alarm_name(name: &str) -> Result<(), TooLong> {
    check("name of an alarm", name.len(), ALARM_NAME_BYTES_MAX)
}

/// Checks a schedule against [`CRON_BYTES_MAX`] and [`TIME_ZONE_BYTES_MAX`].
pub fn check_schedule(expression: &str, time_zone: Option<&str>) -> Result<(), TooLong> {
    check("cron expression", expression.len(), CRON_BYTES_MAX)?;
    check("name of a time zone", time_zone.map_or(0, str::len), TIME_ZONE_BYTES_MAX)
}

fn check(what: &'static str, len: usize, len_max: usize) -> Result<(), TooLong> {
    if len > len_max { Err(TooLong { what, len, len_max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_allows_its_own_length_and_refuses_one_more() {
        assert_eq!(check_key(&"k".repeat(KEY_BYTES_MAX)), Ok(()));
        assert_eq!(check_value(&vec![0; VALUE_BYTES_MAX]), Ok(()));
        assert_eq!(check_name(&"n".repeat(NAME_BYTES_MAX)), Ok(()));
        let refused = check_key(&"k".repeat(KEY_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(refused.to_string(), "the key has 2049 bytes, the limit is 2048");
        assert!(check_value(&vec![0; VALUE_BYTES_MAX + 1]).is_err());
        assert!(check_name(&"n".repeat(NAME_BYTES_MAX + 1)).is_err());
    }
}
