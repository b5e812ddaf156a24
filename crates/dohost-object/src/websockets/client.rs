//! The other end of a websocket, before it is connected to a client.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::protocol::Role;

/// What a websocket runs on.
pub trait WebSocketIo: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> WebSocketIo for T {}

/// A connection whose handshake is over.
pub(crate) struct Upgraded {
    pub io: Box<dyn WebSocketIo>,
    /// What was read of it beyond the handshake.
    pub read_ahead: bytes::Bytes,
    pub role: Role,
}

/// The other end of a websocket. If it is dropped, the websocket is lost.
pub struct WebSocketClient(pub(super) oneshot::Sender<Upgraded>);

impl WebSocketClient {
    /// Connects it, once the response with status 101 has been sent. `read_ahead` is what was read beyond the request.
    pub fn connect(self, io: impl WebSocketIo, read_ahead: bytes::Bytes) {
        self.hand_over(Upgraded { io: Box::new(io), read_ahead, role: Role::Server });
    }

    pub(super) fn hand_over(self, upgraded: Upgraded) {
        // It may have been given up meanwhile: then the connection is closed.
        drop(self.0.send(upgraded));
    }
}
