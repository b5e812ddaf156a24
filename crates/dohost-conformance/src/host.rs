//! What a host can be asked to do, to be tried.

use std::fmt;
use std::time::Duration;

/// A request to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The name of the object. Its class is the guest that the host was started with.
    pub object: String,
    /// `GET`, `POST`…
    pub method: String,
    /// What the object sees as its path and query.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
}

/// What the object answered, or the host in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What comes on a websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The end: the code and the reason of the close frame, 1006 without one.
    Closed(u16, String),
}

/// What some hosts can do and some cannot. A case that needs what a host cannot do does not apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// [`Host::evict`].
    Evict,
    /// [`Host::restart`].
    Restart,
    /// [`Host::crash`].
    Crash,
    /// [`Host::advance_clock`].
    AdvanceClock,
    /// [`Host::fail_next_commit`].
    FailCommits,
    /// [`Host::hold_commits`].
    HoldCommits,
    /// [`Host::begin`].
    Begin,
    /// [`Host::call`].
    CallMethods,
    /// [`Host::open_stream`].
    StreamBodies,
    /// [`Host::open_websocket`].
    WebSockets,
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ability::Evict => "evict an object",
            Ability::Restart => "be restarted",
            Ability::Crash => "crash",
            Ability::AdvanceClock => "advance its clock",
            Ability::FailCommits => "fail a commit",
            Ability::HoldCommits => "hold commits",
            Ability::Begin => "begin a request without waiting for its answer",
            Ability::CallMethods => "call methods",
            Ability::StreamBodies => "stream bodies",
            Ability::WebSockets => "open a websocket",
        })
    }
}

/// Something that a host should have done went wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);

/// A host with data of its own, which serves one guest. Dropping it ends it.
///
/// Only requests are a must. What else is there [`Host::abilities`] says, and nothing else is called.
pub trait Host {
    /// What it can do beyond requests.
    fn abilities(&self) -> &[Ability];

    /// Sends requests, all at once, and waits for the replies, which are in the order of the requests.
    fn requests(&mut self, requests: &[Request]) -> Result<Vec<Reply>, HostError>;

    /// Waits until it is worth asking again.
    fn wait(&mut self, pause: Duration) {
        std::thread::sleep(pause);
    }

    /// Lets an object leave memory; its next request starts it from what it stored.
    fn evict(&mut self, _object: &str) -> Result<(), HostError> {
        unsupported(Ability::Evict)
    }

    /// Stops in good order and starts again on the same data.
    fn restart(&mut self) -> Result<(), HostError> {
        unsupported(Ability::Restart)
    }

    /// Ends at once, as in a loss of power, and starts again on the same data.
    fn crash(&mut self) -> Result<(), HostError> {
        unsupported(Ability::Crash)
    }

    /// Lets time pass for objects.
    fn advance_clock(&mut self, _by: Duration) -> Result<(), HostError> {
        unsupported(Ability::AdvanceClock)
    }

    /// Makes the next commit fail, and none after it.
    fn fail_next_commit(&mut self) -> Result<(), HostError> {
        unsupported(Ability::FailCommits)
    }

    /// Lets no commit become durable from now on, or lets all of them.
    fn hold_commits(&mut self, _is_held: bool) -> Result<(), HostError> {
        unsupported(Ability::HoldCommits)
    }

    /// Sends a request and returns when it has gone as far as it gets without anything else.
    fn begin(&mut self, _request: &Request) -> Result<Box<dyn Begun>, HostError> {
        unsupported(Ability::Begin)
    }

    /// Calls a method with named arguments in JSON. The reply has status 200 and the result in JSON, 422 with
    /// `{"error": …}` if that is the error of a `result`, 400 if the arguments are not what the method takes, 404 if there is no such
    /// method, 500 if it fails.
    fn call(&mut self, _object: &str, _method: &str, _arguments: &str) -> Result<Reply, HostError> {
        unsupported(Ability::CallMethods)
    }

    /// Sends the head of a request whose body comes bit by bit.
    fn open_stream(&mut self, _request: &Request) -> Result<Box<dyn Stream>, HostError> {
        unsupported(Ability::StreamBodies)
    }

    /// Asks an object for a websocket. The reply has status 101 if there is one.
    fn open_websocket(&mut self, _request: &Request) -> Result<(Reply, Option<Box<dyn WebSocket>>), HostError> {
        unsupported(Ability::WebSockets)
    }
}

fn unsupported<T>(ability: Ability) -> Result<T, HostError> {
    Err(HostError(format!("this host says that it can {ability}, and cannot")))
}

/// A request that is under way.
pub trait Begun {
    /// Whether it has been answered.
    fn is_answered(&mut self) -> Result<bool, HostError>;

    /// Waits for the reply.
    fn reply(self: Box<Self>) -> Result<Reply, HostError>;
}

/// A request and its reply, both bit by bit. Dropping it breaks it off.
pub trait Stream {
    /// Sends a part of the body.
    fn write(&mut self, bytes: &[u8]) -> Result<(), HostError>;

    /// Ends the body.
    fn end(&mut self) -> Result<(), HostError>;

    /// Waits for the status and, if there is a `len`, so many bytes of the reply's body; without one, for all that is left of it. The
    /// reply has fewer if the body has ended, and status 0 if it was broken off before that.
    fn read(&mut self, len: Option<usize>) -> Result<Reply, HostError>;
}

/// A websocket, seen from the client. Dropping it breaks it off.
pub trait WebSocket {
    /// Sends a text.
    fn send(&mut self, text: &str) -> Result<(), HostError>;

    /// Sends a close frame.
    fn close(&mut self, code: u16, reason: &str) -> Result<(), HostError>;

    /// Waits for what comes next. After the end it is the end again.
    fn receive(&mut self) -> Result<Message, HostError>;

    /// Whether something has come that was not received.
    fn has_more(&mut self) -> Result<bool, HostError>;
}
