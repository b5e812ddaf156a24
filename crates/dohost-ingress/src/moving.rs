//! Connections move to the executor that their requests go to, so that those need not cross from thread to thread.
//!
//! A client that keeps a connection mostly uses it for one object, or for one after the other. Once many requests in a row
//! have gone to objects of another executor, the connection goes there, when no request waits for its response, if that executor has time
//! left; and away if it comes to have too little.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Requests in a row that make a connection move. With two executors and objects picked at random that is rare.
const REQUESTS_IN_A_ROW: usize = 16;

/// Requests after which a connection that went away because its executor had too much to do thinks of going back, the first time.
const REQUESTS_AWAY: usize = 4_096;

/// What a connection should think of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Going to the executor of its objects.
    Home(usize),
    /// It is there: going away, if that executor has too much to do.
    Away,
}

/// Where a connection is, and where its requests go.
pub(crate) struct Traffic {
    executor: AtomicUsize,
    /// Where the last request went.
    last: AtomicUsize,
    /// How many in a row went there.
    in_a_row: AtomicUsize,
    is_answering: AtomicBool,
    /// Requests that it stays away for before it thinks of going home again, and how many it will be the next time.
    away: AtomicUsize,
    next_away: AtomicUsize,
}

impl Traffic {
    pub fn new(executor: usize) -> Traffic {
        Traffic {
            executor: AtomicUsize::new(executor),
            last: AtomicUsize::new(executor),
            in_a_row: AtomicUsize::new(0),
            is_answering: AtomicBool::new(false),
            away: AtomicUsize::new(0),
            next_away: AtomicUsize::new(REQUESTS_AWAY),
        }
    }

    /// The executor that the connection is on.
    pub fn executor(&self) -> usize {
        self.executor.load(Ordering::Relaxed)
    }

    /// A request has come.
    pub fn begins(&self) {
        self.is_answering.store(true, Ordering::Relaxed);
    }

    /// Its response is there.
    pub fn ends(&self) {
        self.is_answering.store(false, Ordering::Relaxed);
    }

    /// A request goes to an object of this executor.
    pub fn goes_to(&self, executor: usize) {
        // Only the task of the connection counts.
        let is_same = self.last.swap(executor, Ordering::Relaxed) == executor;
        let in_a_row = if is_same { self.in_a_row.load(Ordering::Relaxed).saturating_add(1) } else { 1 };
        self.in_a_row.store(in_a_row, Ordering::Relaxed);
    }

    /// Where the connection should think of going now, if it should. Between two requests, and not after each.
    pub fn direction(&self) -> Option<Direction> {
        let (last, in_a_row) = (self.last.load(Ordering::Relaxed), self.in_a_row.load(Ordering::Relaxed));
        if in_a_row == 0 || !in_a_row.is_multiple_of(REQUESTS_IN_A_ROW) || self.is_answering.load(Ordering::Relaxed) {
            return None;
        }
        // Not asked again before the next request.
        self.in_a_row.store(in_a_row + 1, Ordering::Relaxed);
        if last == self.executor() {
            return Some(Direction::Away);
        }
        let away = self.away.load(Ordering::Relaxed).saturating_sub(REQUESTS_IN_A_ROW);
        self.away.store(away, Ordering::Relaxed);
        (away == 0).then_some(Direction::Home(last))
    }

    /// The connection goes there.
    pub fn moved_to(&self, executor: usize) {
        if executor != self.last.load(Ordering::Relaxed) {
            // It went because there was too much to do at home, and may be what was too much: longer each time.
            let away = self.next_away.load(Ordering::Relaxed);
            self.away.store(away, Ordering::Relaxed);
            self.next_away.store(away.saturating_mul(2), Ordering::Relaxed);
        }
        self.executor.store(executor, Ordering::Relaxed);
    }
}

/// A stream that can be told to belong to whoever uses it next, as its news come to the runtime that it was made in.
pub(crate) struct MovableStream {
    /// There, but for a moment while it moves.
    stream: Option<TcpStream>,
    moves: Arc<AtomicBool>,
}

/// Tells a stream to move.
#[derive(Clone)]
pub(crate) struct Mover(Arc<AtomicBool>);

impl Mover {
    /// Whoever uses the stream next has it.
    pub fn go(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl MovableStream {
    pub fn new(stream: TcpStream) -> MovableStream {
        MovableStream { stream: Some(stream), moves: Arc::default() }
    }

    pub fn mover(&self) -> Mover {
        Mover(self.moves.clone())
    }

    /// The stream, wherever it belongs.
    pub fn get_ref(&self) -> io::Result<&TcpStream> {
        self.stream.as_ref().ok_or_else(lost)
    }

    /// The stream, which belongs here from now on.
    fn here(&mut self) -> io::Result<&mut TcpStream> {
        if self.moves.load(Ordering::Relaxed) {
            self.move_here()?;
        }
        self.stream.as_mut().ok_or_else(lost)
    }

    #[cold]
    fn move_here(&mut self) -> io::Result<()> {
        self.moves.store(false, Ordering::Relaxed);
        let stream = self.stream.take().ok_or_else(lost)?;
        self.stream = Some(TcpStream::from_std(stream.into_std()?)?);
        Ok(())
    }
}

#[cold]
fn lost() -> io::Error {
    io::Error::other("the connection was lost on its way to another thread")
}

impl AsyncRead for MovableStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().here()?).poll_read(cx, buffer)
    }
}

impl AsyncWrite for MovableStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().here()?).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().here()?).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().here()?).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().here()?).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::runtime::{Builder, Runtime};

    use super::*;

    #[test]
    fn a_connection_thinks_of_moving_after_many_requests_for_the_same_executor_and_between_two() {
        let traffic = Traffic::new(0);
        let requests = |executor, count| (0..count).for_each(|_| traffic.goes_to(executor));
        requests(0, REQUESTS_IN_A_ROW - 1);
        assert_eq!(traffic.direction(), None, "not yet");
        requests(0, 1);
        assert_eq!(traffic.direction(), Some(Direction::Away));
        assert_eq!(traffic.direction(), None, "it has just thought of it");
        requests(1, REQUESTS_IN_A_ROW - 1);
        requests(0, 1);
        requests(1, REQUESTS_IN_A_ROW - 1);
        assert_eq!(traffic.direction(), None, "not enough in a row");
        traffic.begins();
        requests(1, 1);
        assert_eq!(traffic.direction(), None, "a request is being answered");
        traffic.ends();
        assert_eq!(traffic.direction(), Some(Direction::Home(1)));
        traffic.moved_to(1);
        requests(1, REQUESTS_IN_A_ROW - 1);
        assert_eq!(traffic.direction(), Some(Direction::Away), "it is there");
        let requests_away = || {
            traffic.moved_to(0);
            let mut count = 0;
            while traffic.direction().is_none() {
                requests(1, 1);
                count += 1;
            }
            traffic.moved_to(1);
            count
        };
        let (first, second) = (requests_away(), requests_away());
        assert!(first > REQUESTS_AWAY / 2 && second > first + REQUESTS_AWAY / 2, "{first}, {second}");
    }

    #[test]
    fn a_stream_outlives_the_runtime_that_it_came_from() {
        let runtime = || -> Runtime { Builder::new_current_thread().enable_all().build().unwrap() };
        let (first, second) = (runtime(), runtime());
        let (mut stream, mut peer) = first.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let mut stream = MovableStream::new(listener.accept().await.unwrap().0);
            stream.write_all(b"one").await.unwrap();
            (stream, peer.into_std().unwrap())
        });
        stream.mover().go();
        second.block_on(async {
            stream.write_all(b"two").await.unwrap();
            std::thread::spawn(move || drop(first)).join().unwrap();
            let writer = std::thread::spawn(move || {
                use std::io::{Read, Write};
                peer.set_nonblocking(false).unwrap();
                let mut six = [0; 6];
                peer.read_exact(&mut six).unwrap();
                peer.write_all(b"three").unwrap();
                six
            });
            let mut five = [0; 5];
            stream.read_exact(&mut five).await.unwrap();
            assert_eq!((&five, &writer.join().unwrap()), (b"three", b"onetwo"));
        });
    }
}
