//! What a client may send, and how long it may take.

use std::time::Duration;

/// Limits of every connection.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Connections at once. Over it, new ones wait in the system's queue until others close.
    pub connections_max: usize,
    /// Bytes of the request line and headers together. Over it: 431.
    pub header_bytes_max: usize,
    /// Headers of one request. Over it: 431. For up to a hundred the HTTP library needs no memory of its own.
    pub headers_max: usize,
    /// Bytes of the bodies of all requests that are being read or handled. Over it: 503.
    pub bodies_bytes_max: usize,
    /// How long a client may take to send the headers of its next request, idle time between requests included. Over it,
    /// the connection is closed.
    pub header_timeout: Duration,
    /// Headers of one response. Over it: 502.
    pub response_headers_max: usize,
    /// Bytes of the headers of one response together. Over it: 502.
    pub response_header_bytes_max: usize,
    /// How long a client may take to send the body. Over it: 408. Of a body that is streamed: to send the next piece of it;
    /// over it, the body ends with an error.
    pub body_timeout: Duration,
    /// How long a client may read nothing of what it is sent. Over it, the connection is closed.
    pub write_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> HttpLimits {
        HttpLimits {
            connections_max: 10_000,
            header_bytes_max: 64 << 10,
            headers_max: 100,
            bodies_bytes_max: 512 << 20,
            response_headers_max: 1_024,
            response_header_bytes_max: 128 << 10,
            header_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
        }
    }
}

impl HttpLimits {
    /// Whether a response may have these headers; the text of the limit if not.
    pub(crate) fn check_response_headers(&self, headers: &http::HeaderMap) -> Result<(), String> {
        if headers.len() > self.response_headers_max {
            return Err(format!("{} headers, the most is {}", headers.len(), self.response_headers_max));
        }
        let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        match bytes > self.response_header_bytes_max {
            true => Err(format!("headers of {bytes} bytes, the most is {}", self.response_header_bytes_max)),
            false => Ok(()),
        }
    }
}
