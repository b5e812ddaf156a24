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
use tokio::time::Sleep;

use super::client::WebSocketIo;

/// What may be read of a message without asking.
const FREE_BYTES: usize = 64 << 10;

/// How long room is waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// How long a message may take that has such room.
const MESSAGE_MAX: Duration = Duration::from_secs(60);

/// How long a peer may read nothing.
const WRITE_MAX: Duration = Duration::from_secs(60);

/// The head of a control frame with its mask.
const FRAME_HEAD_BYTES: usize = 6;

/// See the module.
pub(super) struct Incoming {
    io: Box<dyn WebSocketIo>,
    room: Arc<Semaphore>,
    /// Bytes of the message that is being read.
    read: usize,
    /// Bytes of it that there is room for.
    granted: usize,
    permit: Option<OwnedSemaphorePermit>,
    /// Until when the message must be there, once it has room that others could have.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Bytes of a message beyond which there is none that is taken.
    read_max: usize,
    /// Runs while nothing can be written.
    blocked: Option<Pin<Box<Sleep>>>,
    asking: Option<BoxFuture<Option<OwnedSemaphorePermit>>>,
}

impl Incoming {
    pub fn new(io: Box<dyn WebSocketIo>, room: &Arc<Semaphore>, message_bytes_max: usize) -> Incoming {
        Incoming {
            io,
            room: room.clone(),
            read: 0,
            granted: FREE_BYTES,
            permit: None,
            deadline: None,
            // Frames have heads, and there may be many of them.
            read_max: message_bytes_max + message_bytes_max / 4 + (1 << 20),
            blocked: None,
            asking: None,
        }
    }

    /// A frame that is no part of a message was taken.
    pub fn took_control_frame(&mut self, len: usize) {
        self.read = self.read.saturating_sub(len + FRAME_HEAD_BYTES);
    }

    /// What a write came to, or an error once writes have come to nothing for too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.blocked = None;
            return written;
        }
        let blocked = self.blocked.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_MAX)));
        std::task::ready!(blocked.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing")))
    }

    /// What was read has been handed over.
    pub fn handed_over(&mut self) {
        self.read = 0;
        self.granted = FREE_BYTES;
        self.permit = None;
        self.deadline = None;
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
        self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(MESSAGE_MAX)));
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
        if this.read > this.read_max {
            return Poll::Ready(Err(NoRoom.into()));
        }
        if let Some(deadline) = &mut this.deadline
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(NoRoom.into()));
        }
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
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.in_time(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        this.in_time(cx, flushed)
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
            (client, Incoming::new(Box::new(io), room, 64 << 20))
        };
        (0..count).map(connection).collect()
    }

    /// Reads so many bytes, a few at a time as the library does.
    async fn read(incoming: &mut Incoming, bytes: usize) -> io::Result<()> {
        for _ in 0..bytes / 4_096 {
            incoming.read_exact(&mut [0; 4_096]).await?;
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_are_read_as_far_as_there_is_room_and_the_next_when_one_is_handed_over() {
        let room = Arc::new(Semaphore::new(ROOM));
        let mut all = connections(&room, 3);
        for (client, incoming) in &mut all {
            client.write_all(&vec![0; 8 * FREE_BYTES]).await.unwrap();
            read(incoming, 2 * FREE_BYTES).await.unwrap();
        }
        assert_eq!(room.available_permits(), FREE_BYTES);
        all[0].1.handed_over();
        read(&mut all[1].1, 2 * FREE_BYTES).await.unwrap();
        assert_eq!(room.available_permits(), 0);
        let error = read(&mut all[2].1, 2 * FREE_BYTES).await.unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        all[1].1.handed_over();
        all[2].1.handed_over();
        assert_eq!(room.available_permits(), ROOM);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_room_must_come_in_time_and_control_frames_give_none_back() {
        let room = Arc::new(Semaphore::new(ROOM));
        let mut all = connections(&room, 1);
        let (client, incoming) = &mut all[0];
        client.write_all(&vec![0; 3 * FREE_BYTES]).await.unwrap();
        read(incoming, 2 * FREE_BYTES).await.unwrap();
        incoming.took_control_frame(0);
        assert_eq!(room.available_permits(), ROOM - FREE_BYTES);
        tokio::time::sleep(MESSAGE_MAX).await;
        assert!(read(incoming, FREE_BYTES).await.is_err());
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
