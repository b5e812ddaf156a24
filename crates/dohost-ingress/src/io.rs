//! A connection that is closed when its peer reads nothing for too long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

/// See the module.
pub(crate) struct TimedIo<S> {
    stream: TokioIo<S>,
    write_timeout: Duration,
    /// Runs while nothing can be written.
    blocked: Option<Pin<Box<Sleep>>>,
}

impl<S> TimedIo<S> {
    pub fn new(stream: S, write_timeout: Duration) -> TimedIo<S> {
        TimedIo { stream: TokioIo::new(stream), write_timeout, blocked: None }
    }

    /// The connection itself.
    pub fn get_ref(&self) -> &S {
        self.stream.inner()
    }

    /// What a write came to, or an error once writes have come to nothing for too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.blocked = None;
            return written;
        }
        let max = self.write_timeout;
        let blocked = self.blocked.get_or_insert_with(|| Box::pin(tokio::time::sleep(max)));
        ready!(blocked.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, format!("the client has read nothing for {max:?}"))))
    }
}

impl<S: AsyncRead + Unpin> Read for TimedIo<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for TimedIo<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.in_time(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.in_time(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt;
    use tokio::time::{Instant, sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_given_up_and_one_that_reads_slowly_is_not() {
        const MAX: Duration = Duration::from_secs(60);
        const BUFFER: usize = 64;
        let (mut peer, stream) = tokio::io::duplex(BUFFER);
        let mut io = TimedIo::new(stream, MAX);
        let mut write = async || poll_fn(|cx| Pin::new(&mut io).poll_write(cx, &[0; BUFFER])).await;
        assert_eq!(write().await.unwrap(), BUFFER);
        // A little is read now and then, which is enough.
        for _ in 0..6 {
            assert!(timeout(MAX / 4, write()).await.is_err(), "there is no room");
            sleep(MAX / 2).await;
            peer.read_exact(&mut [0; BUFFER / 2]).await.unwrap();
            assert_eq!(write().await.unwrap(), BUFFER / 2);
        }
        let since = Instant::now();
        assert_eq!(write().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(since.elapsed().as_secs(), MAX.as_secs());
    }
}
