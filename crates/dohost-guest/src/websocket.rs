//! WebSockets, which the host holds: the object may sleep while they are open.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::dohost::object::websockets as host;
use crate::class::this_class;
use crate::{Error, Request, Response, Result};

/// A websocket of the object. Stays valid while the object sleeps; what is done with one that has ended fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WebSocket(u64);

/// A message on a websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebSocketMessage {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

/// How a websocket ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketClose {
    /// The code of the close frame; 1005 if it was empty, 1006 if there was none.
    pub code: u16,
    /// The reason in it.
    pub reason: String,
    /// Whether there was a close frame.
    pub was_clean: bool,
}

/// How a websocket is held.
///
/// ```
/// # use dohost_guest::WebSocketOptions;
/// let options = WebSocketOptions::new().tag("members").tag("ada");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketOptions {
    tags: Vec<String>,
    hibernates: bool,
}

impl Default for WebSocketOptions {
    fn default() -> WebSocketOptions {
        WebSocketOptions { tags: Vec::new(), hibernates: true }
    }
}

impl WebSocketOptions {
    /// Without a tag; the object may sleep.
    pub fn new() -> WebSocketOptions {
        WebSocketOptions::default()
    }

    /// With one more tag, by which [`State::websockets`](crate::State::websockets) finds it. There may be 10 of 256 characters.
    pub fn tag(mut self, tag: impl Into<String>) -> WebSocketOptions {
        self.tags.push(tag.into());
        self
    }

    /// The object stays awake while it is open.
    pub fn awake(self) -> WebSocketOptions {
        WebSocketOptions { hibernates: false, ..self }
    }

    fn into_wire(self) -> host::Options {
        let WebSocketOptions { tags, hibernates } = self;
        host::Options { tags, hibernates }
    }
}

impl WebSocket {
    /// Sends a message, after what was sent before, when all that the object has written is durable. Waits if the client
    /// reads slowly.
    pub async fn send(&self, message: impl Into<WebSocketMessage>) -> Result<()> {
        let message = match message.into() {
            WebSocketMessage::Text(text) => host::Message::Text(text),
            WebSocketMessage::Binary(bytes) => host::Message::Binary(bytes),
        };
        Ok(host::send(self.0, message).await?)
    }

    /// The same with a value as JSON.
    pub async fn send_json(&self, value: &impl Serialize) -> Result<()> {
        self.send(serde_json::to_string(value)?).await
    }

    /// Closes it, after what was sent before. A code is 1000, or between 3000 and 4999; a reason has 123 bytes at most.
    pub fn close(&self, code: u16, reason: &str) -> Result<()> {
        Ok(host::close(self.0, Some(code), reason)?)
    }

    /// Leaves a value with it, as JSON of up to 16 KiB, for as long as it is open: to know after waking whose it is.
    pub fn set_attachment(&self, value: &impl Serialize) -> Result<()> {
        Ok(host::set_attachment(self.0, Some(&serde_json::to_vec(value)?))?)
    }

    /// What [`WebSocket::set_attachment`] left, if it was called.
    pub fn attachment<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let attachment = host::attachment(self.0)?;
        Ok(attachment.map(|bytes| serde_json::from_slice(&bytes)).transpose()?)
    }

    /// Its tags.
    pub fn tags(&self) -> Result<Vec<String>> {
        Ok(host::describe(self.0)?.tags)
    }

    /// Holds it in another way from now on.
    pub fn set_options(&self, options: WebSocketOptions) -> Result<()> {
        Ok(host::set_options(self.0, &options.into_wire())?)
    }
}

impl From<String> for WebSocketMessage {
    fn from(text: String) -> WebSocketMessage {
        WebSocketMessage::Text(text)
    }
}

impl From<&str> for WebSocketMessage {
    fn from(text: &str) -> WebSocketMessage {
        WebSocketMessage::Text(text.into())
    }
}

impl From<Vec<u8>> for WebSocketMessage {
    fn from(bytes: Vec<u8>) -> WebSocketMessage {
        WebSocketMessage::Binary(bytes)
    }
}

/// Accepts the websocket that a request asks for. The response is what the handler gives.
pub(crate) fn accept(options: WebSocketOptions) -> Result<(WebSocket, Response)> {
    check_handler()?;
    let host::Accepted { websocket, client } = host::accept(&options.into_wire())?;
    Ok((WebSocket(websocket), Response::empty(101).with_header("dohost-websocket", &client)))
}

/// Opens a websocket to a server, and gives what it answered.
pub(crate) async fn connect(request: Request, options: WebSocketOptions) -> Result<(WebSocket, Response)> {
    check_handler()?;
    match host::connect(request.into_wire(), options.into_wire()).await {
        Ok(host::Connected { websocket, response }) => Ok((WebSocket(websocket), response.into())),
        Err(host::ConnectError::Refused(error)) => Err(error.into()),
        Err(host::ConnectError::Failed(error)) => Err(error.into()),
        Err(host::ConnectError::Answered(response)) => {
            Err(format!("the server answered with status {}", response.status).into())
        }
    }
}

pub(crate) fn all(tag: Option<&str>) -> Vec<WebSocket> {
    host::sockets(tag).into_iter().map(WebSocket).collect()
}

pub(crate) fn set_auto_response(pair: Option<(&str, &str)>) -> Result<()> {
    let pair =
        pair.map(|(request, response)| host::AutoResponse { request: request.into(), response: response.into() });
    Ok(host::set_auto_response(pair.as_ref())?)
}

pub(crate) fn set_event_timeout(timeout: Option<Duration>) -> Result<()> {
    let millis = timeout.map(|timeout| u32::try_from(timeout.as_millis())).transpose();
    Ok(host::set_event_timeout(millis.map_err(|_| Error::new("an event timeout has at most 7 days"))?)?)
}

/// The handle of a websocket that the host names.
pub fn websocket(id: u64) -> WebSocket {
    WebSocket(id)
}

/// Of several classes one may have a handler and another not.
fn check_handler() -> Result<()> {
    match this_class()?.has_websocket {
        true => Ok(()),
        false => {
            let text = "this class has no handler for websockets: write `#[durable_object(websocket)]` above the struct, \
                        and `websocket_message`";
            Err(Error::new(text))
        }
    }
}
