//! What a client may send, and how long it may take.

use std::time::Duration;

/// Limits of every connection.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Connections at once. Over it, new ones wait in the system's queue until others close.
    pub connections_max: usize,
    /// Bytes of the request line and headers together. Over it: 431.
    pub header_bytes_max: usize,
    /// Headers of one request. Over it: 431.
    pub headers_max: usize,
    /// Bytes of the bodies of all requests that are being read or handled. Over it: 503.
    pub bodies_bytes_max: usize,
    /// How long a client may take to send the headers of its next request, idle time between requests included. Over it,
    /// the connection is closed.
    pub header_timeout: Duration,
    /// How long a client may take to send the body. Over it: 408.
    pub body_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits {
            connections_max: 10_000,
            header_bytes_max: 64 << 10,
            headers_max: 128,
            bodies_bytes_max: 512 << 20,
            header_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
        }
    }
}
