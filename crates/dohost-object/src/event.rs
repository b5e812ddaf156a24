//! Events, and what comes back.

use std::sync::Arc;
use std::time::Duration;

use dohost_engine::imports::Message;
use dohost_engine::{Body, DynamicCall, Input, Output, Request, Response, WebSocketInput};
use dohost_rpc::Value;
use dohost_storage::{CommitError, CommitNumber};
use http_body::Body as _;
use tokio::sync::oneshot;

use crate::alarms::run::AlarmRun;
use crate::call_graph::CallChain;

/// How long a caller should wait before it calls an overloaded object again.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a header costs beside its name and value.
const HEADER_OVERHEAD_BYTES: usize = 64;

/// What the event of an alarm takes in the memory of the host, about.
const ALARM_BYTES: usize = 256;

/// What the event of a websocket takes beside its message.
const WEBSOCKET_EVENT_BYTES: usize = 256;

/// What a streamed body may have in memory on its way: a few chunks.
const STREAM_BYTES: usize = 256 << 10;

/// What an object answered: to a request, if nothing else is said.
pub type Reply<T = Response> = Result<T, EventError>;

/// Why an event brought no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The handler returned an exception. The object lives on.
    #[error("{0}")]
    Exception(String),
    /// The object went down while the event was running: nobody knows how far it came, but nothing that it wrote after the
    /// last reply is kept.
    #[error("the object was reset: {0}")]
    Reset(String),
    /// The object went down before the event reached it.
    #[error("the object was reset before it saw the event: {0}")]
    NotStarted(String),
    /// The object went down because something took too long. Nothing that it wrote after the last reply is kept.
    #[error("the object was reset: {0}")]
    TimedOut(String),
    /// The object could not be started.
    #[error("the object did not start: {0}")]
    StartFailed(String),
    /// The construction of the object returned an exception.
    #[error("{0}")]
    ConstructionFailed(String),
    /// The commit that the reply depends on failed; the object was reset.
    #[error("the object was reset: failed to {0}")]
    CommitFailed(String),
    /// A limit on waiting events or resident objects was hit.
    #[error("{0}")]
    Overloaded(String),
    /// A body that had to be collected has more bytes than it may.
    #[error("{0}")]
    TooLarge(String),
    /// The call would wait for itself, or too many objects call each other in a row.
    #[error("{0}")]
    Loop(String),
    /// The component of the object has nothing to handle such an event with: no such method, or no handler.
    #[error("{0}")]
    NotOffered(String),
    /// The method was not called, as its arguments are not what it takes.
    #[error("{0}")]
    InvalidArguments(String),
    /// The result of a method is larger than it may be. What the method did stays.
    #[error("{0}")]
    ResultTooLarge(String),
    /// The host is shutting down.
    #[error("the host is shutting down")]
    ShuttingDown,
}

impl EventError {
    /// What became of a reply whose commit failed.
    pub(crate) fn of_commit(error: &CommitError) -> EventError {
        match error {
            CommitError::Stalled => EventError::TimedOut(format!("failed to {error}")),
            _ => EventError::CommitFailed(error.to_string()),
        }
    }

    /// Thrown by the guest's own code.
    pub fn is_remote(&self) -> bool {
        matches!(self, EventError::Exception(_) | EventError::ConstructionFailed(_))
    }

    /// Whether the same event may succeed if it is sent again.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            EventError::NotStarted(_) | EventError::ShuttingDown | EventError::Reset(_) | EventError::CommitFailed(_)
        )
    }

    /// Whether sending it again at once makes things worse.
    pub fn is_overloaded(&self) -> bool {
        matches!(self, EventError::Overloaded(_) | EventError::TimedOut(_))
    }
}

/// An event on its way to an object.
pub(crate) struct Event {
    pub input: Input,
    pub reply: ReplySlot,
    /// The calls that led to it, if it is one.
    pub chain: Option<Arc<CallChain>>,
    /// The try of an alarm, if it is one.
    pub alarm: Option<Arc<AlarmRun>>,
    /// To be told when it begins; dropped if it never does.
    pub begins: Option<oneshot::Sender<()>>,
}

impl Event {
    pub fn bytes(&self) -> usize {
        match &self.input {
            Input::Fetch(request) => request_bytes(request),
            Input::Http(request) => streamed_bytes(request),
            Input::Method(call) => arguments_bytes(&call.arguments),
            Input::Dynamic(call) => dynamic_bytes(call),
            Input::Alarm(_) => ALARM_BYTES,
            Input::WebSocket(event) => WEBSOCKET_EVENT_BYTES + websocket_bytes(&event.what),
        }
    }
}

/// What the arguments of a method take in the memory of the host, about.
pub(crate) fn arguments_bytes(arguments: &[Value]) -> usize {
    arguments.iter().map(Value::bytes).sum()
}

/// The same of a call of a method that only the guest knows.
pub(crate) fn dynamic_bytes(call: &DynamicCall) -> usize {
    HEADER_OVERHEAD_BYTES + call.method.len() + call.arguments.bytes()
}

fn websocket_bytes(come: &WebSocketInput) -> usize {
    match come {
        WebSocketInput::Message(Message::Text(text)) | WebSocketInput::Error(text) => text.len(),
        WebSocketInput::Message(Message::Binary(bytes)) => bytes.len(),
        WebSocketInput::Close(info) => info.reason.len(),
    }
}

/// What a request takes in the memory of the host, about.
pub(crate) fn request_bytes(request: &Request) -> usize {
    let headers = request.headers.iter().map(|header| header.name.len() + header.value.len() + HEADER_OVERHEAD_BYTES);
    let texts = request.method.len() + request.scheme.len() + request.authority.len() + request.path.len();
    texts + request.query.as_ref().map_or(0, String::len) + headers.sum::<usize>() + request.body.len()
}

/// The same for a request with a streamed body.
pub(crate) fn streamed_bytes(request: &http::Request<Body>) -> usize {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + HEADER_OVERHEAD_BYTES);
    let body = if request.body().is_end_stream() { 0 } else { STREAM_BYTES };
    HEADER_OVERHEAD_BYTES + request.uri().path().len() + headers.sum::<usize>() + body
}

/// A reply that may leave once the commit it depends on is durable.
pub(crate) struct Gated {
    pub reply: Reply<Output>,
    pub after: Option<CommitNumber>,
}

/// Where the reply of one event goes.
pub(crate) struct ReplySlot {
    sender: oneshot::Sender<Gated>,
    /// The executor on which the receiver waits, so that it is woken there and not across threads one by one.
    home: Option<crate::executor::ExecutorIndex>,
}

impl ReplySlot {
    pub fn new(home: Option<crate::executor::ExecutorIndex>) -> (ReplySlot, oneshot::Receiver<Gated>) {
        let (sender, receiver) = oneshot::channel();
        (ReplySlot { sender, home }, receiver)
    }

    /// Hands several replies over that depend on the same commit, with one wake for each executor.
    pub fn send_all(replies: Vec<(ReplySlot, Reply<Output>)>, after: Option<CommitNumber>) {
        let mut rest = replies;
        while let Some((slot, _)) = rest.first() {
            let home = slot.home;
            // Mostly there are none.
            let others = rest.extract_if(.., |(slot, _)| slot.home != home).collect();
            let mine = std::mem::replace(&mut rest, others);
            crate::executor::run_at_home(home, move || {
                for (slot, reply) in mine {
                    drop(slot.sender.send(Gated { reply, after }));
                }
            });
        }
    }

    /// Hands the reply over. A caller that has gone away does not matter.
    pub fn send(self, reply: Reply<Output>, after: Option<CommitNumber>) {
        let gated = Gated { reply, after };
        let ReplySlot { sender, home } = self;
        crate::executor::run_at_home(home, move || drop(sender.send(gated)));
    }
}
