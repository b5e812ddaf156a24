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

/// The head of any frame, with a mask.
const FRAME_HEAD_BYTES_MAX: usize = 14;

/// The head of a control frame with its mask.
const FRAME_HEAD_BYTES: usize = 6;

/// See the module.
pub(super) struct Incoming {
    io: Box<dyn WebSocketIo>,
    frames: Frames,
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
            frames: Frames::default(),
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

    /// What was read ahead came before all that is read here.
    pub fn was_read_ahead(&mut self, bytes: &[u8]) {
        self.frames.saw(bytes);
    }

    /// Whether what was read ends with a message, or with a frame between messages.
    pub fn is_between_messages(&self) -> bool {
        self.frames.is_between_messages()
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

/// Where in a frame (RFC 6455, 5.2) the bytes that were read end.
#[derive(Default)]
struct Frames {
    /// What there is of the head of the next frame.
    head: [u8; FRAME_HEAD_BYTES_MAX],
    head_len: usize,
    /// Bytes of the current frame that are still to come.
    left: u64,
    /// A message has begun, and its last frame has not.
    is_in_message: bool,
}

impl Frames {
    fn saw(&mut self, mut bytes: &[u8]) {
        while let Some(first) = bytes.first() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len() as u64);
                self.left -= skipped;
                bytes = &bytes[skipped as usize..];
                continue;
            }
            self.head[self.head_len] = *first;
            self.head_len += 1;
            bytes = &bytes[1..];
            self.end_head();
        }
    }

    /// Begins the frame if its head is complete.
    fn end_head(&mut self) {
        let [first, second, ..] = self.head;
        let mask_len = if second & 0x80 == 0 { 0 } else { 4 };
        let (extended_len, len) = match second & 0x7f {
            126 => (2, u64::from(u16::from_be_bytes([self.head[2], self.head[3]]))),
            127 => (8, u64::from_be_bytes(self.head[2..10].try_into().expect("8 bytes"))),
            len => (0, len.into()),
        };
        if self.head_len < 2 || self.head_len < 2 + extended_len + mask_len {
            return;
        }
        let (is_last, is_control) = (first & 0x80 != 0, first & 0x08 != 0);
        if !is_control {
            self.is_in_message = !is_last;
        }
        (self.head_len, self.left) = (0, len);
    }

    fn is_between_messages(&self) -> bool {
        self.head_len == 0 && self.left == 0 && !self.is_in_message
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
        this.frames.saw(&buffer.filled()[before..]);
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

    #[test]
    fn the_end_of_a_message_is_known_however_the_bytes_come() {
        let frame = |first: u8, len: usize| {
            let mut frame = vec![first];
            match len {
                0..126 => frame.push(0x80 | len as u8),
                126..65_536 => frame.extend([&[0x80 | 126][..], &(len as u16).to_be_bytes()].concat()),
                _ => frame.extend([&[0x80 | 127][..], &(len as u64).to_be_bytes()].concat()),
            }
            frame.extend(std::iter::repeat_n(0xff, 4 + len));
            frame
        };
        // A message of one frame, of two with a ping between them, and pings alone; true where a message may be over.
        let all = [(0x81, 0), (0x82, 125), (0x89, 3), (0x81, 126), (0x01, 70_000), (0x89, 0), (0x80, 5), (0x8a, 1)];
        let over = [true, true, true, true, false, false, true, true];
        for piece in [1, 2, 3, 7, 4_096, usize::MAX] {
            let mut frames = Frames::default();
            for ((first, len), over) in all.into_iter().zip(over) {
                let bytes = frame(first, len);
                for (number, bytes) in bytes.chunks(piece.min(bytes.len())).enumerate() {
                    assert!(number == 0 || !frames.is_between_messages(), "in the middle of a frame of {len}");
                    frames.saw(bytes);
                }
                assert_eq!(frames.is_between_messages(), over, "after a frame of {len}, {piece} bytes at a time");
            }
        }
    }
}
