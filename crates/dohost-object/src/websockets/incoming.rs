//! What a connection has read and not yet handed over: of a large message only as much as the host has room for.
//!
//! A message is put together in memory, up to its limit, and a client may take its time. So beyond the first bytes a connection asks for
//! room before it reads on, which all connections share.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use dohost_engine::imports::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::WebSocketIo;

/// What may be read of a message without asking.
const FREE_BYTES: usize = 64 << 10;

/// How long room is waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// See the module.
pub(super) struct Incoming {
    io: Box<dyn WebSocketIo>,
    room: Arc<Semaphore>,
    /// Bytes of the message that is being read.
    read: usize,
    /// Bytes of it that there is room for.
    granted: usize,
    permit: Option<OwnedSemaphorePermit>,
    asking: Option<BoxFuture<Option<OwnedSemaphorePermit>>>,
}

impl Incoming {
    pub fn new(io: Box<dyn WebSocketIo>, room: &Arc<Semaphore>) -> Incoming {
        Incoming { io, room: room.clone(), read: 0, granted: FREE_BYTES, permit: None, asking: None }
    }

    /// What was read has been handed over.
    pub fn handed_over(&mut self) {
        self.read = 0;
        self.granted = FREE_BYTES;
        self.permit = None;
        self.asking = None;
    }

    /// Waits until there is room for more of the message: twice of what there was.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let more = self.granted;
        let room = self.room.clone();
        let asking = self.asking.get_or_insert_with(|| {
            Box::pin(async move {
                let asked = room.acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX));
                tokio::time::timeout(WAIT_MAX, asked).await.ok()?.ok()
            })
        });
        let permit = std::task::ready!(asking.as_mut().poll(cx));
        self.asking = None;
        let Some(permit) = permit else { return Poll::Ready(Err(NoRoom.into())) };
        match &mut self.permit {
            Some(held) => held.merge(permit),
            None => self.permit = Some(permit),
        }
        self.granted += more;
        Poll::Ready(Ok(()))
    }
}

/// There was no room for a message in time.
#[derive(Debug, thiserror::Error)]
#[error("the host has no room for the message")]
pub(super) struct NoRoom;

impl From<NoRoom> for io::Error {
    fn from(error: NoRoom) -> io::Error {
        io::Error::other(error)
    }
}

impl AsyncRead for Incoming {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.read >= this.granted {
            std::task::ready!(this.poll_room(cx))?;
        }
        let before = buffer.filled().len();
        std::task::ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        this.read += buffer.filled().len() - before;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const ROOM: usize = 4 * FREE_BYTES;

    fn connections(room: &Arc<Semaphore>, count: usize) -> Vec<(DuplexStream, Incoming)> {
        let connection = |_| {
            let (client, io) = duplex(64 << 20);
            (client, Incoming::new(Box::new(io), room))
        };
        (0..count).map(connection).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_are_read_as_far_as_there_is_room_and_the_next_when_one_is_handed_over() {
        let room = Arc::new(Semaphore::new(ROOM));
        let mut all = connections(&room, 3);
        let mut bytes = vec![0; 4 * FREE_BYTES];
        for (client, incoming) in &mut all[..2] {
            client.write_all(&bytes).await.unwrap();
            incoming.read_exact(&mut bytes[..2 * FREE_BYTES]).await.unwrap();
        }
        let (client, third) = &mut all[2];
        client.write_all(&vec![0; 4 * FREE_BYTES]).await.unwrap();
        third.read_exact(&mut bytes[..FREE_BYTES]).await.unwrap();
        third.read_exact(&mut bytes[..FREE_BYTES]).await.unwrap();
        assert_eq!(room.available_permits(), FREE_BYTES);
        all[0].1.handed_over();
        all[1].1.read_exact(&mut bytes[..2 * FREE_BYTES]).await.unwrap();
        let error = all[2].1.read_exact(&mut bytes[..2 * FREE_BYTES]).await.unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        all[2].1.handed_over();
        all[1].1.handed_over();
        assert_eq!(room.available_permits(), ROOM);
    }

    #[tokio::test]
    async fn small_messages_ask_nobody() {
        let room = Arc::new(Semaphore::new(0));
        let mut all = connections(&room, 1);
        let (client, incoming) = &mut all[0];
        for _ in 0..100 {
            client.write_all(&[0; FREE_BYTES]).await.unwrap();
            incoming.read_exact(&mut [0; FREE_BYTES]).await.unwrap();
            incoming.handed_over();
        }
    }
}
