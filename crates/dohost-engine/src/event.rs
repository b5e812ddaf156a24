//! What goes into a guest, and what comes out: an event is one of several kinds, and each kind has its own reply.

use crate::bindings::types::{Request, Response};

/// What an event brings to the guest.
#[derive(Debug)]
pub enum Input {
    /// For `fetch` of `dohost:object/handler`.
    Fetch(Request),
}

/// What the guest replied.
#[derive(Debug)]
pub enum Output {
    /// To [`Input::Fetch`].
    Response(Response),
}

impl Output {
    /// The reply to [`Input::Fetch`].
    ///
    /// # Panics
    ///
    /// If the event was of another kind.
    pub fn into_response(self) -> Response {
        match self {
            Output::Response(response) => response,
        }
    }
}
