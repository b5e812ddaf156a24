//! The object itself, as its code sees it.

use std::time::Duration;

use crate::bindings::dohost::object::state;
use crate::{ObjectId, Request, Response, Result, Storage, WebSocket, WebSocketOptions, sections, websocket};

/// The object itself: who it is, and its store.
#[derive(Clone, Debug)]
pub struct State {
    _private: (),
}

impl State {
    pub(crate) fn new() -> State {
        State { _private: () }
    }

    /// The object's id, with the name that it was made from if that is known.
    pub fn id(&self) -> ObjectId {
        ObjectId::own(state::id(), state::name())
    }

    /// The class, as this component knows it.
    pub fn class(&self) -> String {
        state::class()
    }

    /// The object's store.
    pub fn storage(&self) -> Storage {
        Storage::new()
    }

    /// Runs `work` with nothing else of the object in between, whatever it waits for. If it fails, the object is reset, and
    /// so it is if that takes longer than 30 seconds (a limit of the class).
    ///
    /// Seldom needed: between two calls of the storage nothing interferes anyhow.
    pub async fn block_concurrency_while<T>(&self, work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
        sections::critical(work).await
    }

    /// Accepts the websocket that a request asks for: with the header `upgrade: websocket`. The response, to which headers may be
    /// added, is what [`DurableObject::fetch`](crate::DurableObject::fetch) gives.
    ///
    /// The class has to be a `#[durable_object(websocket)]`.
    pub fn accept_websocket(&self, options: WebSocketOptions) -> Result<(WebSocket, Response)> {
        websocket::accept(options)
    }

    /// Opens a websocket to a server, whose URL has the scheme `ws`, `wss`, `http` or `https`.
    pub async fn connect_websocket(
        &self,
        request: Request,
        options: WebSocketOptions,
    ) -> Result<(WebSocket, Response)> {
        websocket::connect(request, options).await
    }

    /// The websockets with this tag, or all, in the order in which they were made. Those that have ended are not there.
    pub fn websockets(&self, tag: Option<&str>) -> Vec<WebSocket> {
        websocket::all(tag)
    }

    /// Sets a text that the host answers with another on all websockets, without waking the object; none clears it.
    pub fn set_websocket_auto_response(&self, request_and_response: Option<(&str, &str)>) -> Result<()> {
        websocket::set_auto_response(request_and_response)
    }

    /// Sets how long an event of a websocket may take: over it the object is reset.
    pub fn set_websocket_event_timeout(&self, timeout: Option<Duration>) -> Result<()> {
        websocket::set_event_timeout(timeout)
    }

    /// Goes on with `work` when the reply has left. The object stays in memory meanwhile.
    pub fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        wit_bindgen::spawn_local(work);
    }

    /// Ends this life of the object at once: what was not committed is dropped, callers get the reason, and the next event
    /// starts a new instance from what is durable.
    pub fn abort(&self, reason: Option<&str>) -> ! {
        state::abort(reason);
        unreachable!("abort does not return")
    }
}
