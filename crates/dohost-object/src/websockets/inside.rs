//! What the imports of `dohost:object/websockets` do.

use std::sync::Arc;

use dohost_engine::imports::{
    Accepted, AutoResponse, BoxFuture, Caller, ConnectError, Connected, Description, Fatal, Message, Request, Step,
    WebSocketError, WebSocketOptions, WebSockets,
};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::client::WebSocketClient;
use super::connection;
use super::socket::{Awake, How, Outgoing, Pushed, Socket};
use crate::inside::ObjectInside;
use crate::residents::ObjectKey;

const TAGS_MAX: usize = 10;
const TAG_CHARS_MAX: usize = 256;
const ATTACHMENT_BYTES_MAX: usize = 16 << 10;
const AUTO_RESPONSE_BYTES_MAX: usize = 2_048;
/// That of a frame with a code in it.
const REASON_BYTES_MAX: usize = 123;
const EVENT_TIMEOUT_MS_MAX: u32 = 7 * 24 * 60 * 60 * 1_000;

const NO_HANDLER: &str = "the component must export a websocket-handler to have websockets";
const AFTER_CLOSE: &str = "a message after close";

type Refusable<T> = Result<T, WebSocketError>;

impl WebSockets for ObjectInside {
    fn accept(&self, options: WebSocketOptions) -> Refusable<Accepted> {
        self.check(&options)?;
        let name: String = self.0.host.environment.random_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let (socket, client) = self.make(options, Some(name.clone()))?;
        self.0.host.websockets.add_client(name.clone(), client);
        Ok(Accepted { websocket: socket.id, client: name })
    }

    fn connect(
        &self,
        caller: Caller,
        request: Request,
        options: WebSocketOptions,
    ) -> BoxFuture<Result<Result<Connected, ConnectError>, Fatal>> {
        self.connect_to_server(caller, request, options)
    }

    fn connect_client(&self, client: &str, options: WebSocketOptions) -> Refusable<u64> {
        self.connect_to_client(client, options)
    }

    fn set_options(&self, websocket: u64, options: WebSocketOptions) -> Refusable<()> {
        let tags = distinct_tags(&options)?;
        self.socket(websocket)?.set_how(self.how(tags, options.hibernates));
        Ok(())
    }

    fn send(&self, caller: Caller, websocket: u64, message: Message) -> Step<Refusable<()>> {
        let socket = match self.socket(websocket) {
            Ok(socket) => socket,
            Err(error) => return Step::Ready(Err(error)),
        };
        let message = match message {
            Message::Text(text) => tungstenite::Message::text(text),
            Message::Binary(bytes) => tungstenite::Message::binary(bytes),
        };
        let limits = self.0.limits();
        if message.len() > limits.websocket_message_bytes_max {
            let max = limits.websocket_message_bytes_max;
            let text = format!("a message of more than {max} bytes, the limit websocket-message");
            return Step::Ready(Err(WebSocketError::TooLarge(text)));
        }
        match socket.send(self.outgoing(message), limits.websocket_buffer_bytes_max) {
            Pushed::Taken | Pushed::Nowhere => Step::Ready(Ok(())),
            Pushed::AfterClose => Step::Ready(Err(WebSocketError::NotAllowed(AFTER_CLOSE.into()))),
            Pushed::Full(has_room) => {
                let entered = self.0.enter(caller);
                Step::Wait(Box::pin(async move {
                    // An error says that the connection has ended, which makes room as well.
                    let _ = has_room.await;
                    entered.await;
                    Ok(Ok(()))
                }))
            }
        }
    }

    fn close(&self, websocket: u64, code: Option<u16>, reason: String) -> Refusable<()> {
        let invalid = |text: String| Err(WebSocketError::Invalid(text));
        if let Some(code) = code.filter(|code| !may_be_sent(*code)) {
            return invalid(format!(
                "{code} is no code to close with: it is 1000 to 1003, 1007 to 1014, or 3000 to 4999"
            ));
        }
        if code.is_none() && !reason.is_empty() {
            return invalid("a reason to close needs a code".into());
        }
        if reason.len() > REASON_BYTES_MAX {
            return invalid(format!("the reason has more than {REASON_BYTES_MAX} bytes"));
        }
        let frame = code.map(|code| CloseFrame { code: CloseCode::from(code), reason: reason.into() });
        self.socket(websocket)?.close(self.outgoing(tungstenite::Message::Close(frame)));
        Ok(())
    }

    fn sockets(&self, tag: Option<&str>) -> Vec<u64> {
        let all = self.0.host.websockets.all_of(&self.key());
        all.into_iter().filter(|socket| socket.is_open_with(tag)).map(|socket| socket.id).collect()
    }

    fn describe(&self, websocket: u64) -> Refusable<Description> {
        Ok(self.socket(websocket)?.describe())
    }

    fn attachment(&self, websocket: u64) -> Refusable<Option<Vec<u8>>> {
        Ok(self.socket(websocket)?.attachment().map(|bytes| bytes.to_vec()))
    }

    fn set_attachment(&self, websocket: u64, attachment: Option<Vec<u8>>) -> Refusable<()> {
        let bytes = attachment.as_ref().map_or(0, Vec::len);
        if bytes > ATTACHMENT_BYTES_MAX {
            let text = format!("an attachment of {bytes} bytes, the most is {ATTACHMENT_BYTES_MAX}");
            return Err(WebSocketError::TooLarge(text));
        }
        self.socket(websocket)?.set_attachment(attachment.map(Into::into));
        Ok(())
    }

    fn set_auto_response(&self, auto_response: Option<AutoResponse>) -> Refusable<()> {
        for text in auto_response.iter().flat_map(|pair| [&pair.request, &pair.response]) {
            if text.len() > AUTO_RESPONSE_BYTES_MAX {
                let text = format!("a text of {} bytes, the most is {AUTO_RESPONSE_BYTES_MAX}", text.len());
                return Err(WebSocketError::TooLarge(text));
            }
        }
        self.0.host.websockets.set(self.key(), |settings| settings.auto_response = auto_response.map(Arc::new));
        Ok(())
    }

    fn auto_response(&self) -> Option<AutoResponse> {
        self.0.host.websockets.settings(&self.key()).auto_response.map(|pair| (*pair).clone())
    }

    fn set_event_timeout(&self, milliseconds: Option<u32>) -> Refusable<()> {
        let milliseconds = milliseconds.filter(|ms| *ms > 0);
        if milliseconds.is_some_and(|ms| ms > EVENT_TIMEOUT_MS_MAX) {
            return Err(WebSocketError::Invalid("an event timeout has at most 7 days".into()));
        }
        self.0.host.websockets.set(self.key(), |settings| settings.event_timeout_ms = milliseconds);
        Ok(())
    }

    fn event_timeout(&self) -> Option<u32> {
        self.0.host.websockets.settings(&self.key()).event_timeout_ms
    }
}

impl ObjectInside {
    /// Makes a websocket of which the other end is to be connected.
    pub(super) fn make(
        &self,
        options: WebSocketOptions,
        client: Option<String>,
    ) -> Refusable<(Arc<Socket>, WebSocketClient)> {
        let object = &self.0;
        let tags = distinct_tags(&options)?;
        let how = self.how(tags, options.hibernates);
        let id = object.host.websockets.new_id();
        let (class, name) = (object.class.clone(), object.name());
        let socket =
            Arc::new(Socket::new(id, self.key(), class, name, client, object.host.websockets.outgoing().clone(), how));
        object.host.websockets.add(socket.clone());
        let (connects, coming) = oneshot::channel();
        tokio::spawn(connection::run(object.host.clone(), socket.clone(), coming));
        Ok((socket, WebSocketClient(connects)))
    }

    /// Whether the object may have one more like this.
    pub(super) fn check(&self, options: &WebSocketOptions) -> Refusable<()> {
        distinct_tags(options)?;
        let object = &self.0;
        if !object.code.component.has_websocket_handler() {
            return Err(WebSocketError::NotAllowed(NO_HANDLER.into()));
        }
        let too_many = |max: usize, whose: &str, limit: &str| {
            Err(WebSocketError::TooLarge(format!("{whose} has {max} websockets, the limit {limit}")))
        };
        let max = object.limits().websockets_max;
        if object.host.websockets.len_of(&self.key()) >= max {
            return too_many(max, "the object", "websockets");
        }
        let max = object.host.limits.websockets_max;
        if object.host.websockets.len() >= max {
            return too_many(max, "the host", "websockets of the host");
        }
        Ok(())
    }

    fn how(&self, tags: Vec<String>, hibernates: bool) -> How {
        How { tags, awake: (!hibernates).then(|| Awake::new(&self.0)) }
    }

    fn key(&self) -> ObjectKey {
        ObjectKey { class: self.0.class.0.number, id: self.0.id }
    }

    fn socket(&self, websocket: u64) -> Refusable<Arc<Socket>> {
        let socket = self.0.host.websockets.get(&self.key(), websocket);
        socket.ok_or_else(|| WebSocketError::Gone(format!("the object has no websocket {websocket}")))
    }

    /// What leaves when all that was written before it is durable.
    fn outgoing(&self, message: tungstenite::Message) -> Outgoing {
        let object = &self.0;
        let gate = object.output_gate();
        let gate = (!object.is_open(&gate)).then(|| {
            let object = object.clone();
            let leaves: BoxFuture<Result<(), Fatal>> = Box::pin(async move { object.leave(gate).await });
            leaves
        });
        Outgoing { message, gate }
    }
}

/// Whether a close frame may have this code (RFC 6455, 7.4). Others say how a connection ended and are never sent, or mean
/// nothing yet: who gets one takes the frame for a wrong one.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// The tags, each once.
fn distinct_tags(options: &WebSocketOptions) -> Refusable<Vec<String>> {
    let mut tags: Vec<String> = Vec::new();
    for tag in &options.tags {
        if tag.chars().count() > TAG_CHARS_MAX {
            return Err(WebSocketError::TooLarge(format!("a tag has more than {TAG_CHARS_MAX} characters")));
        }
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
        if tags.len() > TAGS_MAX {
            return Err(WebSocketError::TooLarge(format!("a websocket has more than {TAGS_MAX} tags")));
        }
    }
    Ok(tags)
}
