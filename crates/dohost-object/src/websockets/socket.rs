//! One websocket, as its object and its connection share it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dohost_engine::imports::{BoxFuture, Description, Fatal, WebSocketState};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

use super::registry::Budget;
use crate::class::Class;
use crate::object::Object;
use crate::residents::ObjectKey;

/// See the module.
pub(crate) struct Socket {
    pub id: u64,
    pub key: ObjectKey,
    pub class: Class,
    /// The name of its object.
    pub name: Option<Arc<str>>,
    /// What its other end is called in the registry, if it is to be connected from outside.
    pub client: Option<String>,
    budget: Arc<Budget>,
    state: Mutex<State>,
}

struct State {
    how: How,
    stage: WebSocketState,
    attachment: Option<Bytes>,
    protocol: String,
    url: String,
    auto_response_ms: Option<i64>,
    queue: VecDeque<Outgoing>,
    queue_bytes: usize,
    /// Who waits for room in the queue.
    waiting: Vec<oneshot::Sender<()>>,
    /// The guest has closed it.
    is_closed_by_guest: bool,
    given_up: Option<GivenUp>,
    /// Of the connection.
    waker: Option<Waker>,
}

/// How a socket is held.
pub(crate) struct How {
    pub tags: Vec<String>,
    /// The life that must go on while this is open; none if it hibernates.
    pub awake: Option<Awake>,
}

/// Keeps an object resident for a socket that does not hibernate.
pub(crate) struct Awake(Arc<Object>);

impl Awake {
    pub fn new(object: &Arc<Object>) -> Awake {
        object.lock().awake_websockets += 1;
        Awake(object.clone())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        self.0.websocket_ended();
    }
}

/// Why the host closes a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenUp {
    pub code: u16,
    pub reason: &'static str,
    /// Whether its object is told.
    pub is_told: bool,
}

/// A message on its way out.
pub(crate) struct Outgoing {
    pub message: Message,
    /// Waits for the commit that it depends on.
    pub gate: Option<BoxFuture<Result<(), Fatal>>>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.budget.give_back(self.state.get_mut().queue_bytes);
    }
}

/// What became of a message that was to be sent.
pub(crate) enum Pushed {
    /// It is on its way, and there is room for more.
    Taken,
    /// It is on its way; there is room for more when this is done.
    Full(oneshot::Receiver<()>),
    /// It goes nowhere, as the connection has ended.
    Nowhere,
    /// The guest has closed the socket.
    AfterClose,
}

impl Socket {
    pub fn new(
        id: u64,
        key: ObjectKey,
        class: Class,
        name: Option<Arc<str>>,
        client: Option<String>,
        budget: Arc<Budget>,
        how: How,
    ) -> Socket {
        let state = State {
            how,
            stage: WebSocketState::Connecting,
            attachment: None,
            protocol: String::new(),
            url: String::new(),
            auto_response_ms: None,
            queue: VecDeque::new(),
            queue_bytes: 0,
            waiting: Vec::new(),
            is_closed_by_guest: false,
            given_up: None,
            waker: None,
        };
        Socket { id, key, class, name, client, budget, state: Mutex::new(state) }
    }

    pub fn describe(&self) -> Description {
        let state = self.state.lock();
        Description {
            state: state.stage,
            tags: state.how.tags.clone(),
            protocol: state.protocol.clone(),
            url: state.url.clone(),
            hibernates: state.how.awake.is_none(),
            buffered: state.queue_bytes as u64,
            auto_response_time: state.auto_response_ms,
        }
    }

    /// Whether it has not ended, and has this tag if one is asked for.
    pub fn is_open_with(&self, tag: Option<&str>) -> bool {
        let state = self.state.lock();
        let is_open = state.stage != WebSocketState::Closed && state.given_up.is_none();
        is_open && tag.is_none_or(|tag| state.how.tags.iter().any(|has| has == tag))
    }

    pub fn hibernates(&self) -> bool {
        self.state.lock().how.awake.is_none()
    }

    /// Holds it in another way from now on.
    pub fn set_how(&self, how: How) {
        // What is dropped locks the object.
        let _before = std::mem::replace(&mut self.state.lock().how, how);
    }

    pub fn attachment(&self) -> Option<Bytes> {
        self.state.lock().attachment.clone()
    }

    pub fn set_attachment(&self, attachment: Option<Bytes>) {
        self.state.lock().attachment = attachment;
    }

    /// For one that was opened towards a server.
    pub fn set_server(&self, url: String, protocol: String) {
        let mut state = self.state.lock();
        (state.url, state.protocol) = (url, protocol);
    }

    /// An auto-response is sent now. It waits for nothing but what was sent before.
    pub fn auto_respond(&self, response: Message, now_ms: i64, bytes_max: usize) {
        let mut state = self.state.lock();
        if state.is_closed_by_guest || state.is_ending() {
            return;
        }
        state.auto_response_ms = Some(now_ms);
        if !state.has_room(cost(&response), bytes_max, &self.budget) {
            return state.give_up(TOO_SLOW);
        }
        state.push(Outgoing { message: response, gate: None }, &self.budget);
    }

    /// Puts a message into the queue, which may have up to `bytes_max`; over it, or a part of it, see [`Pushed`].
    pub fn send(&self, outgoing: Outgoing, bytes_max: usize) -> Pushed {
        let mut state = self.state.lock();
        if state.is_closed_by_guest {
            return Pushed::AfterClose;
        }
        if state.is_ending() {
            return Pushed::Nowhere;
        }
        if !state.has_room(cost(&outgoing.message), bytes_max, &self.budget) {
            state.give_up(TOO_SLOW);
            return Pushed::Nowhere;
        }
        state.push(outgoing, &self.budget);
        if state.queue_bytes <= bytes_max / WAITING_SHARE {
            return Pushed::Taken;
        }
        let (room, has_room) = oneshot::channel();
        state.waiting.push(room);
        Pushed::Full(has_room)
    }

    /// The guest closes it, after what it has sent.
    pub fn close(&self, close: Outgoing) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.is_closed_by_guest, true) && !state.is_ending() {
            state.stage = WebSocketState::Closing;
            state.push(close, &self.budget);
        }
    }

    /// The host closes it.
    pub fn give_up(&self, given_up: GivenUp) {
        self.state.lock().give_up(given_up);
    }

    pub fn given_up(&self) -> Option<GivenUp> {
        self.state.lock().given_up
    }

    /// The connection looks for what there is to do; it is woken when there is more.
    pub fn listen(&self, cx: &mut Context<'_>) {
        let mut state = self.state.lock();
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
    }

    /// The next message that may leave, once there is one.
    pub fn poll_outgoing(&self, cx: &mut Context<'_>, bytes_max: usize) -> Poll<Message> {
        let mut state = self.state.lock();
        while let Some(first) = state.queue.front_mut() {
            let may_leave = match &mut first.gate {
                None => Ok(()),
                // Whoever wakes this takes no lock of a socket.
                Some(gate) => std::task::ready!(gate.as_mut().poll(cx)),
            };
            let Outgoing { message, gate } = state.queue.pop_front().expect("it was there just now");
            if may_leave.is_ok() {
                return Poll::Ready(message);
            }
            state.left(cost(&message), &self.budget, bytes_max);
            drop(gate);
        }
        Poll::Pending
    }

    /// The connection has taken a message of so many bytes.
    pub fn taken(&self, len: usize, bytes_max: usize) {
        let mut state = self.state.lock();
        // Nothing waits any more if it has ended meanwhile.
        let bytes = (len + MESSAGE_OVERHEAD_BYTES).min(state.queue_bytes);
        state.left(bytes, &self.budget, bytes_max);
    }

    /// The connection is there.
    pub fn opened(&self) {
        let mut state = self.state.lock();
        if state.stage == WebSocketState::Connecting {
            state.stage = WebSocketState::Open;
        }
    }

    /// Nothing more can be sent.
    pub fn ends(&self, stage: WebSocketState) {
        let mut state = self.state.lock();
        state.stage = stage;
        let left = std::mem::take(&mut state.queue);
        self.budget.give_back(std::mem::take(&mut state.queue_bytes));
        state.waiting.clear();
        drop(state);
        drop(left);
    }

    /// The connection has ended: the object need not stay for it.
    pub fn is_over(&self) {
        let awake = self.state.lock().how.awake.take();
        drop(awake);
    }
}

/// What a message takes while it waits: without more than its length, millions of empty ones could.
fn cost(message: &Message) -> usize {
    message.len() + MESSAGE_OVERHEAD_BYTES
}

/// A message up to this size may wait whatever others do.
const FREE_BYTES: usize = 64 << 10;

const MESSAGE_OVERHEAD_BYTES: usize = 64;

const TOO_SLOW: GivenUp = GivenUp { code: 1013, reason: "the client reads too slowly", is_told: true };

/// The part of the limit of a queue beyond which a sender waits.
const WAITING_SHARE: usize = 16;

impl State {
    /// Whether one more message may wait. One alone always may, unless it is large and all objects together have too many.
    fn has_room(&self, bytes: usize, bytes_max: usize, budget: &Budget) -> bool {
        match self.queue_bytes {
            0 => bytes <= FREE_BYTES || budget.has_room(bytes),
            waiting => waiting + bytes <= bytes_max && budget.has_room(bytes),
        }
    }

    fn push(&mut self, outgoing: Outgoing, budget: &Budget) {
        self.queue_bytes += cost(&outgoing.message);
        budget.add(cost(&outgoing.message));
        self.queue.push_back(outgoing);
        self.wake();
    }

    /// So many bytes wait no more.
    fn left(&mut self, bytes: usize, budget: &Budget, bytes_max: usize) {
        self.queue_bytes -= bytes;
        budget.give_back(bytes);
        if self.queue_bytes <= bytes_max / WAITING_SHARE {
            for room in self.waiting.drain(..) {
                // The guest may have gone.
                let _ = room.send(());
            }
        }
    }

    fn give_up(&mut self, given_up: GivenUp) {
        self.given_up.get_or_insert(given_up);
        self.wake();
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn is_ending(&self) -> bool {
        matches!(self.stage, WebSocketState::Closing | WebSocketState::Closed) || self.given_up.is_some()
    }
}
