//! What an object may use: every limit with its default and what happens when it is hit.

use std::time::Duration;

/// Limits of every object.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Objects resident at once, over all executors. Over it, those idle the longest go first; if none is idle, events for
    /// objects that are not resident are refused as overloaded.
    pub residents_max: usize,
    /// How long an object without events stays resident.
    pub idle_timeout: Duration,
    /// Events of one object that run or wait. Over it, new ones are refused as overloaded.
    pub events_max: usize,
    /// Bytes of the requests of those events that wait. Over it, new ones are refused as overloaded.
    pub event_bytes_max: usize,
    /// Calls that one object may have under way, to other objects and to the network. Over it, calls fail as overloaded.
    pub calls_max: usize,
    /// Bytes of the requests of those calls. Over it, calls fail as overloaded.
    pub call_bytes_max: usize,
    /// Content up to this size is held in memory whole while an object is resident, so that its reads never wait.
    pub whole_content_bytes_max: usize,
    /// What the read cache of one object may hold.
    pub cache_bytes_max: usize,
    /// Bytes that one turn may write. Over it, writes are refused.
    pub staged_bytes_max: usize,
    /// Bytes of the entries that one `list` may return: a larger answer is refused.
    pub list_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            residents_max: 10_000,
            idle_timeout: Duration::from_secs(10),
            events_max: 1_024,
            event_bytes_max: 64 << 20,
            calls_max: 1_024,
            call_bytes_max: 64 << 20,
            whole_content_bytes_max: 64 << 10,
            cache_bytes_max: 1 << 20,
            staged_bytes_max: 16 << 20,
            list_bytes_max: 32 << 20,
        }
    }
}
