//! What may be asked of the API, and how long that may take.

use std::time::Duration;

/// Objects that one answer lists, unless the request says how many.
pub const OBJECTS_DEFAULT: usize = 1_000;
/// The least and the most objects that a request may ask for.
pub const OBJECTS_RANGE: (usize, usize) = (10, 10_000);
/// The most keys that one answer lists.
pub const KEYS_MAX: u64 = 1_000;
/// Characters that a token needs.
pub const TOKEN_CHARS_MIN: usize = 16;

/// Limits of every connection.
#[derive(Clone, Debug)]
pub struct ManagementLimits {
    /// Connections at once. Over it, new ones wait in the system's queue until others close.
    pub connections_max: usize,
    /// Bytes of the request line and headers together. Over it: 431.
    pub header_bytes_max: usize,
    /// Headers of one request. Over it: 431.
    pub headers_max: usize,
    /// Bytes of the body of a request. Over it: 413.
    pub body_bytes_max: usize,
    /// How long a client may take to send the headers of its next request, idle time between requests included. Over it,
    /// the connection is closed.
    pub header_timeout: Duration,
    /// How long a client may take to send the body. Over it: 408.
    pub body_timeout: Duration,
}

impl Default for ManagementLimits {
    fn default() -> ManagementLimits {
        ManagementLimits {
            connections_max: 32,
            header_bytes_max: 32 << 10,
            headers_max: 64,
            body_bytes_max: 2 << 20,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// Past runs of alarms in one answer, unless it says otherwise.
pub(crate) const ALARM_RUNS_DEFAULT: u64 = 20;

/// Past runs of alarms in one answer, at most.
pub(crate) const ALARM_RUNS_MAX: u64 = 1_000;
