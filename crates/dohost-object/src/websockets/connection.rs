//! The task of one websocket: what comes becomes events of its object, what the object sends is written.
//!
//! The next message is read when the event of the one before has begun, so a client cannot get ahead of the object; and
//! messages are written when the client takes them, so neither can the object.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dohost_engine::imports::{self, BoxFuture, WebSocketState};
use dohost_engine::{CloseInfo, Input, Output, WebSocketEvent, WebSocketInput};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Sink, Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::Upgraded;
use super::incoming::{Incoming, NoRoom};
use super::socket::{GivenUp, Socket};
use crate::event::{EventError, Reply};
use crate::executor::with_residents;
use crate::host::HostInner;

/// How long the other end may take to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// How long the peer may take to answer a close frame, and how long if the host stops or the object is gone.
const CLOSE_MAX: Duration = Duration::from_secs(10);
const GIVE_UP_MAX: Duration = Duration::from_secs(1);

/// How long an overloaded object is asked again, and how often.
const RETRY_MAX: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// What is read at once. A websocket has that much memory for as long as it is open.
const READ_BYTES: usize = 4 << 10;

/// What is gathered before it is written.
const WRITE_BYTES: usize = 16 << 10;

/// Larger messages are written in pieces, as frames of their own.
const PIECE_BYTES: usize = 64 << 10;

/// Messages handled by one websocket before others get the thread.
const MESSAGES_AT_ONCE_MAX: usize = 32;

/// In the words of Cloudflare's runtime.
const LOST: &str = "WebSocket disconnected without sending Close frame.";

/// Waits for the connection, and lives with it until its last event is over.
pub(crate) async fn run(host: Arc<HostInner>, socket: Arc<Socket>, coming: oneshot::Receiver<Upgraded>) {
    let end = match connected(&host, &socket, coming).await {
        Some(upgraded) => {
            socket.opened();
            let mut connection = Connection::new(&host, &socket, upgraded).await;
            let end = poll_fn(|cx| connection.poll(cx)).await;
            // What came before the end comes before it to the object, too.
            poll_fn(|cx| connection.poll_begun(cx)).await;
            end
        }
        None => match socket.given_up() {
            Some(GivenUp { is_told: false, .. }) => End::Silent,
            _ => End::Lost,
        },
    };
    socket.ends(WebSocketState::Closed);
    let last = match end {
        End::Silent => None,
        End::Closed(info) => Some(WebSocketInput::Close(info)),
        End::Lost => Some(WebSocketInput::Close(CloseInfo { code: 1006, reason: LOST.into(), was_clean: false })),
        End::Failed(text) => Some(WebSocketInput::Error(text)),
    };
    if let Some(what) = last {
        let reply = deliver(&host, &socket, Received::Last(what), None).await;
        log_failure(&socket, &reply);
    }
    socket.is_over();
    let is_resident = with_residents(|residents| residents.report_one(&socket.key).is_some());
    host.websockets.remove(&socket, is_resident);
}

/// The connection, if it comes in time.
async fn connected(host: &HostInner, socket: &Socket, mut coming: oneshot::Receiver<Upgraded>) -> Option<Upgraded> {
    let given_up = poll_fn(|cx| {
        socket.listen(cx);
        if socket.given_up().is_some() { Poll::Ready(()) } else { Poll::Pending }
    });
    let patience = tokio::select! {
        biased;
        upgraded = &mut coming => return upgraded.ok(),
        // Who is about to be connected is told why it ends.
        () = given_up => GIVE_UP_MAX,
        () = tokio::time::sleep(CONNECT_MAX) => Duration::ZERO,
    };
    if let Some(client) = &socket.client {
        // Nobody is, if this is still there.
        host.websockets.forget_client(client);
    }
    tokio::time::timeout(patience, coming).await.ok()?.ok()
}

/// How a connection ended.
enum End {
    /// The object is not to hear of it.
    Silent,
    Closed(CloseInfo),
    /// Without a close frame.
    Lost,
    Failed(String),
}

/// The rest of a message.
struct Sending {
    kind: Data,
    left: Bytes,
    /// Of the whole message.
    len: usize,
}

struct Connection {
    host: Arc<HostInner>,
    socket: Arc<Socket>,
    /// There, but for a moment in [`Connection::forget_buffer`].
    stream: Option<WebSocketStream<Incoming>>,
    buffer_bytes_max: usize,
    /// The rest of a large message on its way out.
    sending: Option<Sending>,
    /// A large message has come: the library keeps its buffer for the next one.
    has_large_buffer: bool,
    role: Role,
    config: WebSocketConfig,
    /// Until the event of the last message has begun.
    beginning: Option<oneshot::Receiver<()>>,
    /// Events that have begun.
    replies: FuturesUnordered<BoxFuture<Reply<Output>>>,
    /// The close frame of the peer.
    closed: Option<CloseInfo>,
    /// What the end is, if it is not for the peer to say.
    end: Option<End>,
    /// When the end is not waited for any longer.
    deadline: Option<Pin<Box<Sleep>>>,
    /// What came was no WebSocket frame: what follows is thrown away, until the peer has read why.
    is_draining: bool,
}

impl Connection {
    async fn new(host: &Arc<HostInner>, socket: &Arc<Socket>, upgraded: Upgraded) -> Connection {
        let limits = &socket.class.code().limits;
        let message_bytes_max = limits.websocket_message_bytes_max;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let Upgraded { io, read_ahead, role } = upgraded;
        let mut io = Incoming::new(io, host.websockets.incoming(), message_bytes_max);
        io.was_read_ahead(&read_ahead);
        let stream = WebSocketStream::from_partially_read(io, read_ahead.into(), role, Some(config)).await;
        Connection {
            host: host.clone(),
            socket: socket.clone(),
            stream: Some(stream),
            buffer_bytes_max: limits.websocket_buffer_bytes_max,
            sending: None,
            has_large_buffer: false,
            role,
            config,
            beginning: None,
            replies: FuturesUnordered::new(),
            closed: None,
            end: None,
            deadline: None,
            is_draining: false,
        }
    }

    fn stream(&mut self) -> &mut WebSocketStream<Incoming> {
        self.stream.as_mut().expect("the stream is there")
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.socket.listen(cx);
        for _ in 0..MESSAGES_AT_ONCE_MAX {
            self.heed_given_up();
            let is_flushed = match self.poll_write(cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(_)) => return Poll::Ready(self.ended()),
                Poll::Pending => false,
            };
            while let Poll::Ready(Some(reply)) = self.replies.poll_next_unpin(cx) {
                self.replied(&reply);
            }
            if let Some(deadline) = &mut self.deadline
                && deadline.as_mut().poll(cx).is_ready()
            {
                return Poll::Ready(self.ended());
            }
            if self.is_draining {
                std::task::ready!(self.poll_drain(cx));
                return Poll::Ready(self.ended());
            }
            if let Some(beginning) = &mut self.beginning {
                // Whether it was sent or dropped: the event has begun, or will never.
                std::task::ready!(Pin::new(beginning).poll(cx)).unwrap_or_default();
                self.beginning = None;
                self.stream().get_mut().handed_over();
            }
            let next = Pin::new(self.stream()).poll_next(cx);
            if next.is_pending() && self.has_large_buffer && is_flushed && self.forget_buffer() {
                continue;
            }
            match std::task::ready!(next) {
                None => return Poll::Ready(self.ended()),
                Some(Ok(message)) => self.received(message),
                Some(Err(error)) => match self.failed(error) {
                    Some(end) => return Poll::Ready(end),
                    None => continue,
                },
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits until the event of the last message has begun, or never will.
    fn poll_begun(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(Some(reply)) = self.replies.poll_next_unpin(cx) {
            log_failure(&self.socket, &reply);
        }
        match &mut self.beginning {
            Some(beginning) => Pin::new(beginning).poll(cx).map(|_| self.beginning = None),
            None => Poll::Ready(()),
        }
    }

    /// Begins anew on the same connection, when nothing is under way that would be lost: an idle websocket is not to keep the
    /// buffer of its last large message.
    fn forget_buffer(&mut self) -> bool {
        let is_open = self.socket.describe().state == WebSocketState::Open && self.end.is_none();
        if !is_open || self.sending.is_some() || !self.stream().get_ref().is_between_messages() {
            return false;
        }
        let stream = self.stream.take().expect("the stream is there");
        let begun = WebSocketStream::from_raw_socket(stream.into_inner(), self.role, Some(self.config));
        self.stream = Some(begun.now_or_never().expect("there is nothing to wait for"));
        self.has_large_buffer = false;
        true
    }

    /// Writes what may leave. An error if the connection is gone.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            std::task::ready!(Pin::new(self.stream()).poll_ready(cx))?;
            let message = match self.sending.take() {
                Some(sending) => self.next_piece(sending),
                None => {
                    let Poll::Ready(message) = self.socket.poll_outgoing(cx, self.buffer_bytes_max) else { break };
                    self.first_piece(message)
                }
            };
            let is_close = message.is_close();
            match Pin::new(self.stream()).start_send(message) {
                Ok(()) => {}
                Err(Error::Protocol(_)) if self.closed.is_some() => {
                    self.sending = None;
                    continue;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
            if is_close {
                self.wait_for_the_end(CLOSE_MAX);
            }
        }
        Pin::new(self.stream()).poll_flush(cx)
    }

    /// What is sent first of a message: all of it, unless it is large. The library buffers what it is given, and keeps that buffer.
    fn first_piece(&mut self, message: Message) -> Message {
        let len = message.len();
        let (kind, bytes) = match message {
            Message::Text(text) if len > PIECE_BYTES => (Data::Text, text.into()),
            Message::Binary(bytes) if len > PIECE_BYTES => (Data::Binary, bytes),
            small => {
                self.socket.taken(len, self.buffer_bytes_max);
                return small;
            }
        };
        self.next_piece(Sending { kind, left: bytes, len })
    }

    fn next_piece(&mut self, Sending { kind, mut left, len }: Sending) -> Message {
        let piece = left.split_to(PIECE_BYTES.min(left.len()));
        let is_last = left.is_empty();
        match is_last {
            true => self.socket.taken(len, self.buffer_bytes_max),
            false => self.sending = Some(Sending { kind: Data::Continue, left, len }),
        }
        Message::Frame(Frame::message(piece, OpCode::Data(kind), is_last))
    }

    /// Says that nothing more will be sent, and reads until the peer does the same: closing while something is unread
    /// would take back what was sent.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let flushed = std::task::ready!(Pin::new(self.stream()).poll_flush(cx));
        let io = self.stream().get_mut();
        if flushed.is_ok() && Pin::new(&mut *io).poll_shutdown(cx).is_pending() {
            return Poll::Pending;
        }
        let mut bytes = [0; READ_BYTES];
        for _ in 0..MESSAGES_AT_ONCE_MAX {
            io.handed_over();
            let mut buffer = ReadBuf::new(&mut bytes);
            match std::task::ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Closes it if the host says so.
    fn heed_given_up(&mut self) {
        if self.end.is_some() {
            return;
        }
        let Some(GivenUp { code, reason, is_told }) = self.socket.given_up() else { return };
        self.end = Some(match is_told {
            true => End::Failed(reason.into()),
            false => End::Silent,
        });
        self.close(code, reason);
        self.wait_for_the_end(GIVE_UP_MAX);
    }

    /// Sends a close frame before everything else that waits.
    fn close(&mut self, code: u16, reason: &str) {
        self.socket.ends(WebSocketState::Closing);
        self.sending = None;
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        // If it cannot be sent, the connection is as good as gone.
        let _ = Pin::new(self.stream()).start_send(Message::Close(Some(frame)));
    }

    fn wait_for_the_end(&mut self, max: Duration) {
        self.deadline = Some(Box::pin(tokio::time::sleep(max)));
    }

    fn received(&mut self, message: Message) {
        match message {
            _ if self.end.is_some() => {}
            Message::Text(text) => match self.auto_response_to(text.as_str()) {
                Some(response) => {
                    self.stream().get_mut().handed_over();
                    let now_ms = self.host.environment.now_ms() as i64;
                    self.socket.auto_respond(Message::text(response), now_ms, self.buffer_bytes_max);
                }
                None => self.dispatch(Received::Text(text.into())),
            },
            Message::Binary(bytes) => self.dispatch(Received::Binary(bytes)),
            // The library answers these.
            Message::Ping(bytes) | Message::Pong(bytes) => self.stream().get_mut().took_control_frame(bytes.len()),
            Message::Frame(_) => {}
            Message::Close(frame) => {
                self.socket.ends(WebSocketState::Closing);
                self.sending = None;
                self.wait_for_the_end(CLOSE_MAX);
                self.closed = Some(match frame {
                    Some(CloseFrame { code, reason }) => {
                        CloseInfo { code: code.into(), reason: reason.as_str().into(), was_clean: true }
                    }
                    None => CloseInfo { code: 1005, reason: String::new(), was_clean: true },
                });
            }
        }
    }

    fn auto_response_to(&self, text: &str) -> Option<String> {
        if !self.socket.hibernates() {
            return None;
        }
        let auto_response = self.host.websockets.settings(&self.socket.key).auto_response?;
        (auto_response.request == text).then(|| auto_response.response.clone())
    }

    fn dispatch(&mut self, received: Received) {
        if let Received::Text(bytes) | Received::Binary(bytes) = &received
            && bytes.len() > PIECE_BYTES
        {
            self.has_large_buffer = true;
        }
        let (begins, begun) = oneshot::channel();
        let (host, socket) = (self.host.clone(), self.socket.clone());
        self.beginning = Some(begun);
        self.replies.push(Box::pin(async move { deliver(&host, &socket, received, Some(begins)).await }));
    }

    fn replied(&mut self, reply: &Reply<Output>) {
        log_failure(&self.socket, reply);
        if let Err(EventError::Overloaded(_)) = reply {
            self.socket.give_up(GivenUp { code: 1013, reason: "the object is overloaded", is_told: true });
        }
    }

    /// Something is wrong with what came. The end, unless the peer is to be told first.
    fn failed(&mut self, error: Error) -> Option<End> {
        let (code, reason) = match &error {
            _ if self.end.is_some() => return Some(self.ended()),
            Error::Utf8(_) => (1007, "the message is not UTF-8"),
            Error::Capacity(CapacityError::MessageTooLong { .. }) => (1009, "the message is too large"),
            Error::Capacity(_) => (1009, "the message is too large"),
            Error::Protocol(error) if !is_loss(error) => (1002, "not a WebSocket frame"),
            Error::Io(error) if error.get_ref().is_some_and(|error| error.is::<NoRoom>()) => {
                (1013, "the host is overloaded")
            }
            _ => return Some(self.ended()),
        };
        self.end = Some(End::Failed(error.to_string()));
        self.close(code, reason);
        self.wait_for_the_end(GIVE_UP_MAX);
        self.is_draining = true;
        None
    }

    /// What the end is when the connection is gone.
    fn ended(&mut self) -> End {
        match (self.end.take(), self.closed.take()) {
            (Some(end), _) => end,
            (None, Some(info)) => End::Closed(info),
            (None, None) => End::Lost,
        }
    }
}

/// Whether the connection was lost rather than misused.
fn is_loss(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    matches!(error, ResetWithoutClosingHandshake)
}

/// What has come, in a form that can be sent again.
enum Received {
    Text(Bytes),
    Binary(Bytes),
    Last(WebSocketInput),
}

impl Received {
    fn input(&self) -> WebSocketInput {
        match self {
            Received::Text(text) => {
                let text = String::from_utf8(text.to_vec()).expect("the library has checked it");
                WebSocketInput::Message(imports::Message::Text(text))
            }
            Received::Binary(bytes) => WebSocketInput::Message(imports::Message::Binary(bytes.to_vec())),
            Received::Last(WebSocketInput::Close(info)) => WebSocketInput::Close(info.clone()),
            Received::Last(WebSocketInput::Error(text)) => WebSocketInput::Error(text.clone()),
            Received::Last(WebSocketInput::Message(_)) => unreachable!("a message is never the last"),
        }
    }
}

/// Sends an event to the object, waking it, and waits until it is over. Tells when it has begun. An object that is overloaded
/// is asked again for a while.
async fn deliver(
    host: &Arc<HostInner>,
    socket: &Socket,
    received: Received,
    begins: Option<oneshot::Sender<()>>,
) -> Reply<Output> {
    let deadline = Instant::now() + RETRY_MAX;
    let mut pause = RETRY_PAUSE;
    let is_reset = || socket.given_up().is_some_and(|given_up| !given_up.is_told);
    loop {
        if is_reset() {
            return Err(EventError::NotStarted("its websocket was closed".into()));
        }
        let (begun, has_begun) = oneshot::channel();
        let event = WebSocketEvent { websocket: socket.id, what: received.input() };
        let mut reply = pin!(host.send_websocket(socket, Input::WebSocket(event), begun));
        if has_begun.await.is_ok() {
            if let Some(begins) = begins {
                let _ = begins.send(());
            }
            drop(received);
            return reply.await;
        }
        match reply.as_mut().await {
            // A host that could not start the object may do so later; code that cannot has closed the websocket by then.
            Err(EventError::Overloaded(_) | EventError::StartFailed(_)) if Instant::now() < deadline => {
                tokio::time::sleep(pause).await;
                pause = (2 * pause).min(RETRY_PAUSE_MAX);
            }
            reply => return reply,
        }
    }
}

fn log_failure(socket: &Socket, reply: &Reply<Output>) {
    let (class, id, websocket) = (socket.class.name(), socket.key.id, socket.id);
    match reply {
        Ok(_) | Err(EventError::ShuttingDown | EventError::NotOffered(_)) => {}
        Err(EventError::Exception(text)) => {
            let text = text.escape_debug();
            match socket.class.dynamic() {
                None => tracing::warn!(class, %id, websocket, "the handler of a websocket threw an exception: {text}"),
                // A program has said so already, with the place in its source.
                Some(_) => {
                    tracing::debug!(class, %id, websocket, "the handler of a websocket threw an exception: {text}")
                }
            }
        }
        Err(error) => tracing::debug!(class, %id, websocket, "an event of a websocket failed: {error}"),
    }
}
