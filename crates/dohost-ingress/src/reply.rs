//! The answers that the host makes itself: refusals and errors.
//!
//! A client learns what kind of thing went wrong, whether it helps to try again, and a request id; the log has the same id
//! and the whole story. Texts that come from a guest never leave this way.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use dohost_engine::worker::BodyError;
use dohost_object::EventError;
use dohost_object::event::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};

/// Characters of a guest's text that are logged.
const LOGGED_CHARS_MAX: usize = 4_096;

/// The body of an answer: whole, or streamed by a Worker.
pub(crate) type Answer = Either<Full<Bytes>, dohost_engine::worker::Body>;

/// A request that gets an answer from the host.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: String,
    /// Set if the log says more.
    request_id: Option<String>,
    says_when_to_retry: bool,
    /// The only method that is allowed here.
    allows: Option<&'static str>,
    /// The only version of websockets.
    websocket_version: Option<&'static str>,
}

impl Refusal {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal {
            status,
            text: text.into(),
            request_id: None,
            says_when_to_retry: false,
            allows: None,
            websocket_version: None,
        }
    }

    /// For a method that nothing here answers.
    pub fn method_not_allowed(allowed: &'static str, text: impl Into<String>) -> Refusal {
        Refusal { allows: Some(allowed), ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text) }
    }

    /// For a request for a websocket of another version than there is.
    pub fn other_websocket_version(version: &'static str) -> Refusal {
        let text = format!("the only version of websockets here is {version}");
        Refusal { websocket_version: Some(version), ..Refusal::new(StatusCode::UPGRADE_REQUIRED, text) }
    }

    /// For what may go if the client tries again in a while.
    pub fn retry_later(text: impl Into<String>) -> Refusal {
        Refusal { says_when_to_retry: true, ..Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text) }
    }

    /// For what the client cannot do anything about: gets an id, under which `detail` is logged.
    pub fn logged(status: StatusCode, text: impl Into<String>, detail: &dyn std::fmt::Display) -> Refusal {
        let refusal = Refusal { request_id: Some(new_request_id()), ..Refusal::new(status, text) };
        let request_id = refusal.request_id.as_deref();
        let detail = loggable(&detail.to_string());
        tracing::warn!(request_id, status = status.as_u16(), "{}: {detail}", refusal.text);
        refusal
    }

    /// For an event that brought no response.
    pub fn from_event(error: &EventError, class: &str, name: &str) -> Refusal {
        let (status, text) = match error {
            EventError::InvalidArguments(text) => return Refusal::new(StatusCode::BAD_REQUEST, text),
            EventError::NotOffered(text) => return Refusal::new(StatusCode::NOT_FOUND, text),
            EventError::ResultTooLarge(_) => (StatusCode::BAD_GATEWAY, "the result of the method is too large"),
            EventError::Exception(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the object threw an exception"),
            EventError::Reset(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the object was reset during the request"),
            EventError::CommitFailed(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the object's writes could not be made durable")
            }
            EventError::TimedOut(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "the object took too long and was reset during the request")
            }
            EventError::TooLarge(_) => (StatusCode::BAD_GATEWAY, "the object's response is too large"),
            EventError::Loop(_) => (StatusCode::LOOP_DETECTED, "objects call each other in a circle"),
            EventError::ConstructionFailed(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "the object's construction threw an exception")
            }
            EventError::StartFailed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "the object did not start"),
            EventError::NotStarted(_) => (StatusCode::SERVICE_UNAVAILABLE, "the object was reset before the request"),
            EventError::Overloaded(_) => (StatusCode::SERVICE_UNAVAILABLE, "the object is overloaded"),
            EventError::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "the host is shutting down"),
        };
        let detail = format!("{class}/{name}: {error}");
        let refusal = Refusal::logged(status, text, &detail);
        Refusal { says_when_to_retry: status == StatusCode::SERVICE_UNAVAILABLE, ..refusal }
    }

    pub fn into_response(self) -> Response<Answer> {
        let mut text = format!("{}\n", self.text);
        if let Some(id) = &self.request_id {
            text.push_str(&format!("request id: {id}\n"));
        }
        let mut response = Response::new(whole(text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(id) = self.request_id.and_then(|id| HeaderValue::try_from(id).ok()) {
            headers.insert("x-request-id", id);
        }
        if let Some(allowed) = self.allows {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        if let Some(version) = self.websocket_version {
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(version));
        }
        if self.says_when_to_retry {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
        }
        response
    }
}

/// Text that may come from a guest, made safe for one line of the log.
fn loggable(text: &str) -> String {
    let mut line = String::new();
    for char in text.chars().take(LOGGED_CHARS_MAX) {
        match char {
            // Quotes are what they are.
            '\'' | '"' | '\\' => line.push(char),
            char => line.extend(char.escape_debug()),
        }
    }
    if text.chars().nth(LOGGED_CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

/// A body that is there as a whole.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Answer {
    Either::Left(Full::new(bytes.into()))
}

/// A body that a Worker or an object streams.
pub(crate) fn streamed(body: impl http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static) -> Answer {
    Either::Right(body.boxed_unsync())
}

/// An id that no other request of this process has, and hardly one of another.
fn new_request_id() -> String {
    static START: LazyLock<u64> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:013x}-{:04x}", *START, NEXT.fetch_add(1, Ordering::Relaxed))
}
