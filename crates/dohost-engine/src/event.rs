//! What goes into a guest, and what comes out: an event is one of several kinds, and each kind has its own reply.

use std::sync::Arc;

use dohost_rpc::{Method, Value};

use crate::bindings::types::{Request, Response};

/// What an event brings to the guest.
#[derive(Debug)]
pub enum Input {
    /// For `fetch` of `dohost:object/handler`.
    Fetch(Request),
    /// For a method.
    Method(MethodCall),
}

/// A call of a method.
#[derive(Debug)]
pub struct MethodCall {
    /// The method as the caller knows it. The code of the object may be another one by now, so it is compared.
    pub method: Arc<Method>,
    /// As many values as it has parameters, of their types.
    pub arguments: Vec<Value>,
}

/// What the guest replied.
#[derive(Debug)]
pub enum Output {
    /// To [`Input::Fetch`].
    Response(Response),
    /// To [`Input::Method`]: its result, if it has one.
    Value(Option<Value>),
    /// The component has nothing to handle such an event with; the text says what it lacks.
    NotOffered(String),
    /// The result of a method has more values than it may.
    TooLarge(String),
}

impl Output {
    /// The reply to [`Input::Fetch`].
    ///
    /// # Panics
    ///
    /// If the event was of another kind, or there was no reply.
    pub fn into_response(self) -> Response {
        match self {
            Output::Response(response) => response,
            other => panic!("a fetch is answered with a response, not {other:?}"),
        }
    }

    /// The reply to [`Input::Method`].
    ///
    /// # Panics
    ///
    /// If the event was of another kind, or there was no reply.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Output::Value(value) => value,
            other => panic!("a method is answered with a value, not {other:?}"),
        }
    }
}
