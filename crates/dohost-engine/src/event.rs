//! What goes into a guest, and what comes out: an event is one of several kinds, and each kind has its own reply.

use std::sync::Arc;

use dohost_rpc::{Method, Value};
use wasmtime::component::{ComponentType, Lower};

use crate::bindings::types::{Request, Response};
use crate::bindings::websockets::Message;
pub use wasmtime_wasi_http::{Error as BodyError, WasiBody as Body};

/// What an event brings to the guest.
#[derive(Debug)]
pub enum Input {
    /// A request as a record, its body whole. A component with the handler of `wasi:http` gets it as it would a stream.
    Fetch(Request),
    /// A request with a streamed body, for a component with the handler of `wasi:http` or with the one for both kinds of
    /// bodies, and for no other.
    Http(http::Request<Body>),
    /// For a method.
    Method(MethodCall),
    /// For a method that only the guest knows.
    Dynamic(DynamicCall),
    /// For the alarm handler; nothing if it turned out that there is nothing to do.
    Alarm(Option<AlarmInfo>),
    /// For the handler of websockets.
    WebSocket(WebSocketEvent),
}

/// What has come on a websocket.
#[derive(Debug)]
pub struct WebSocketEvent {
    /// The websocket.
    pub websocket: u64,
    /// What has come.
    pub what: WebSocketInput,
}

/// What comes on a websocket: each is a function of `dohost:object/websocket-handler`.
#[derive(Debug)]
pub enum WebSocketInput {
    /// A message.
    Message(Message),
    /// The end.
    Close(CloseInfo),
    /// The end by a failure.
    Error(String),
}

/// How a websocket ended: `close-info` of `dohost:object/websocket-handler`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct CloseInfo {
    /// The code of the close frame; 1005 if it had none, 1006 if there was no close frame.
    pub code: u16,
    /// The reason in it.
    pub reason: String,
    /// Whether there was a close frame.
    #[component(name = "was-clean")]
    pub was_clean: bool,
}

/// Why the alarm handler is called: `alarm-info` of `dohost:object/alarm-handler`.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
pub struct AlarmInfo {
    /// The name of the alarm.
    pub name: String,
    /// The time for which it was set, in milliseconds since 1970.
    #[component(name = "scheduled-time")]
    pub scheduled_time: i64,
    /// How many retries there were that counted.
    #[component(name = "retry-count")]
    pub retry_count: u32,
    /// Whether this is a retry.
    #[component(name = "is-retry")]
    pub is_retry: bool,
    /// The expression of the schedule that this is a tick of.
    pub cron: Option<String>,
}

/// A call of a method.
#[derive(Debug)]
pub struct MethodCall {
    /// The method as the caller knows it. The code of the object may be another one by now, so it is compared.
    pub method: Arc<Method>,
    /// As many values as it has parameters, of their types.
    pub arguments: Vec<Value>,
}

/// A call of a method that only the guest knows.
#[derive(Debug)]
pub struct DynamicCall {
    /// Its name.
    pub method: String,
    /// An array.
    pub arguments: DynamicValues,
}

/// Values for such a method, or its result. The host does not look into them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DynamicValues {
    /// JSON.
    Json(String),
    /// A structured clone.
    Cloned(Vec<u8>),
}

impl DynamicValues {
    /// What they take in memory.
    pub fn bytes(&self) -> usize {
        match self {
            DynamicValues::Json(text) => text.len(),
            DynamicValues::Cloned(bytes) => bytes.len(),
        }
    }
}

/// What the guest replied.
#[derive(Debug)]
pub enum Output {
    /// Of `fetch` of `dohost:object/handler`, or a whole one of `dohost:object/mixed-handler`.
    Response(Response),
    /// Of `handle` of `wasi:http`, or a streamed one of `dohost:object/mixed-handler`: the head; the body comes as the guest makes it.
    Http(http::Response<Body>),
    /// To [`Input::Method`]: its result, if it has one.
    Value(Option<Value>),
    /// To [`Input::Dynamic`]: its result, in the form of the arguments.
    Dynamic(DynamicValues),
    /// To [`Input::Dynamic`]: the method was not called, as the text says.
    InvalidArguments(String),
    /// To [`Input::Alarm`]: the handler returned, or was not called as there was nothing to do.
    Alarm {
        /// It was called.
        was_called: bool,
    },
    /// To [`Input::WebSocket`]: the handler returned.
    WebSocket,
    /// The component has nothing to handle such an event with; the text says what it lacks.
    NotOffered(String),
    /// The result of a method has more values than it may.
    TooLarge(String),
}

impl Output {
    /// The reply to [`Input::Dynamic`].
    ///
    /// # Panics
    ///
    /// If the event was of another kind, or there was no reply.
    pub fn into_dynamic(self) -> DynamicValues {
        match self {
            Output::Dynamic(values) => values,
            other => panic!("a dynamic method is answered with values, not {other:?}"),
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
