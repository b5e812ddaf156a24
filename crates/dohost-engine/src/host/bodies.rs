//! Bodies of `wasi:http@0.3` as they pass between a guest and the host, chunk by chunk.
//!
//! A body that a guest *makes* ends in a [`Consumer`] on this side. Each chunk that the guest hands over samples the output
//! gate of the object at that moment, and leaves when the commit that it then depends on is durable. Between guest and
//! reader there is room for one chunk; a guest that writes faster than its reader reads waits, and that wait is over when
//! the input gate lets it be.
//!
//! A body that a guest *reads* begins in a [`Producer`]: each chunk is the completion of an import, and passes the input
//! gate like any other. One that a guest hands on unread never enters it, and passes no gate but that of the head.
//!
//! A body ends well only if the guest said so, by way of its trailers. So one that is cut off by a reset never looks whole.

use std::any::{Any, TypeId};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::StreamExt;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Destination, FutureConsumer, FutureReader, Resource, Source, StreamConsumer, StreamProducer, StreamReader,
    StreamResult,
};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{FieldMap, WasiHttpView};

use super::http_errors::error_code;
use crate::event::{Body, BodyError};
use crate::guest::GuestState;
use crate::imports::{BoxFuture, Caller, Fatal, Gates};

/// Bytes of a guest's body that leave as one chunk.
pub(crate) const CHUNK_BYTES_MAX: usize = 64 << 10;

/// What follows a body: how it ended.
pub(super) type Trailers = Result<Option<Resource<FieldMap>>, ErrorCode>;
/// Whether a body was received whole, for whoever made it.
pub(super) type Received = Result<(), ErrorCode>;

/// Waits until what was sampled may leave; none if it may at once.
type Leave = Option<BoxFuture<Result<(), Fatal>>>;
type BodyFrame = Result<Frame<Bytes>, BodyError>;

/// The object's gates, if the guest is one, and the task of it that made or took a body.
#[derive(Clone)]
pub(super) struct Passage {
    pub gates: Option<Arc<dyn Gates>>,
    pub caller: Caller,
}

impl Passage {
    fn leave(&self) -> Leave {
        self.gates.as_ref().and_then(|gates| gates.leave())
    }

    fn enter(&self) -> Option<BoxFuture<()>> {
        self.gates.as_ref().map(|gates| gates.enter(self.caller))
    }
}

/// Takes over a body that a guest makes. The future tells the guest whether it was read to its end.
pub(super) fn take(
    mut store: StoreContextMut<'_, GuestState>,
    passage: Passage,
    contents: Option<StreamReader<u8>>,
    mut trailers: FutureReader<Trailers>,
) -> wasmtime::Result<(Body, FutureReader<Received>)> {
    let contents = match contents.map(|contents| contents.try_into::<Producer>(&mut store)) {
        Some(Ok(producer)) => {
            trailers.close(&mut store)?;
            let received = FutureReader::new(&mut store, async { wasmtime::error::Ok(Ok(())) })?;
            return Ok((producer.body.boxed_unsync(), received));
        }
        Some(Err(contents)) => Some(contents),
        None => None,
    };
    let (end, ended) = oneshot::channel();
    let (received, was_received) = oneshot::channel();
    let is_stalled = Arc::new(AtomicBool::new(false));
    let (chunks, coming) = mpsc::channel(0);
    let is_empty = contents.is_none();
    if let Some(contents) = contents {
        let idle_max = passage.gates.as_ref().map(|gates| gates.idle_max());
        let consumer = Consumer {
            chunks,
            passage: passage.clone(),
            entering: None,
            idle_max,
            stalled: None,
            is_stalled: is_stalled.clone(),
        };
        contents.pipe(&mut store, consumer)?;
    }
    trailers.pipe(&mut store, End { end: Some(end), passage: passage.clone() })?;
    let body = GuestBody {
        coming: (!is_empty).then_some(coming),
        leaving: None,
        ended: Some(ended),
        received: Some(received),
        is_empty,
        is_stalled,
    };
    let result = FutureReader::new(&mut store, async move {
        // Dropped by a reader that has gone away.
        let received = was_received.await.unwrap_or(Err(ErrorCode::ConnectionTerminated));
        if let Some(entered) = passage.enter() {
            entered.await;
        }
        wasmtime::error::Ok(received)
    })?;
    Ok((body.boxed_unsync(), result))
}

/// Hands a body over to a guest that reads it.
pub(super) fn give(
    mut store: StoreContextMut<'_, GuestState>,
    passage: Passage,
    body: Body,
) -> wasmtime::Result<(StreamReader<u8>, FutureReader<Trailers>)> {
    let (end, ended) = oneshot::channel();
    let producer = Producer { body: Ahead { frame: None, body }, passage, entering: None, end: Some(end) };
    let contents = StreamReader::new(&mut store, producer)?;
    let trailers = FutureReader::new(&mut store, async move {
        // Not told only if the guest did not read to the end.
        wasmtime::error::Ok(ended.await.unwrap_or(Ok(None)))
    })?;
    Ok((contents, trailers))
}

/// Where the chunks go that a guest writes.
struct Consumer {
    chunks: mpsc::Sender<(Bytes, Leave)>,
    passage: Passage,
    /// The guest had to wait for room, and waits for the input gate after that.
    entering: Option<BoxFuture<()>>,
    /// How long the guest waits for room; for ever if none.
    idle_max: Option<Duration>,
    stalled: Option<Pin<Box<tokio::time::Sleep>>>,
    is_stalled: Arc<AtomicBool>,
}

impl Consumer {
    /// Waits until one more chunk may be taken.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ReaderHasGone>> {
        match self.chunks.poll_ready(cx) {
            Poll::Ready(Ok(())) => self.stalled = None,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(ReaderHasGone)),
            Poll::Pending => {
                if self.entering.is_none() {
                    self.entering = self.passage.enter();
                }
                if let Some(idle_max) = self.idle_max {
                    let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max)));
                    ready!(stalled.as_mut().poll(cx));
                    self.is_stalled.store(true, Ordering::Relaxed);
                    self.chunks.close_channel();
                    return Poll::Ready(Err(ReaderHasGone));
                }
                return Poll::Pending;
            }
        }
        if let Some(entering) = &mut self.entering {
            ready!(entering.as_mut().poll(cx));
            self.entering = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// Nobody reads any more.
struct ReaderHasGone;

impl StreamConsumer<GuestState> for Consumer {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'_, GuestState>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        match this.poll_room(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(ReaderHasGone)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => {
                // Whoever does not wait any more must not be let in.
                this.entering = None;
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            Poll::Pending => return Poll::Pending,
        }
        let mut source = source.as_direct(store);
        let written = source.remaining();
        let chunk = Bytes::copy_from_slice(&written[..written.len().min(CHUNK_BYTES_MAX)]);
        if chunk.is_empty() {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        source.mark_read(chunk.len());
        match this.chunks.start_send((chunk, this.passage.leave())) {
            Ok(()) => Poll::Ready(Ok(StreamResult::Completed)),
            Err(_) => Poll::Ready(Ok(StreamResult::Dropped)),
        }
    }
}

/// How a guest says that its body has ended.
type Ended = (Result<Option<FieldMap>, ErrorCode>, Leave);

/// Where the trailers go that a guest sends.
struct End {
    end: Option<oneshot::Sender<Ended>>,
    passage: Passage,
}

impl FutureConsumer<GuestState> for End {
    type Item = Trailers;

    fn poll_consume(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, GuestState>,
        mut source: Source<'_, Trailers>,
        _: bool,
    ) -> Poll<wasmtime::Result<()>> {
        let this = self.get_mut();
        let mut trailers = None;
        source.read(&mut store, &mut trailers)?;
        let trailers = match trailers {
            Some(Ok(Some(trailers))) => Ok(Some(store.data_mut().table.delete(trailers)?)),
            Some(Ok(None)) => Ok(None),
            Some(Err(code)) => Err(code),
            None => return Poll::Ready(Ok(())),
        };
        if let Some(end) = this.end.take() {
            // A reader that has gone does not matter.
            let _ = end.send((trailers, this.passage.leave()));
        }
        Poll::Ready(Ok(()))
    }
}

/// A body that a guest makes, for whoever reads it.
struct GuestBody {
    /// Gone when all chunks have come.
    coming: Option<mpsc::Receiver<(Bytes, Leave)>>,
    /// The next thing, which waits to leave; none of it is the end.
    leaving: Option<(Option<BodyFrame>, Leave)>,
    ended: Option<oneshot::Receiver<Ended>>,
    received: Option<oneshot::Sender<Received>>,
    /// There is nothing but perhaps trailers.
    is_empty: bool,
    is_stalled: Arc<AtomicBool>,
}

impl GuestBody {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Option<BodyFrame>, Leave)>> {
        if let Some(coming) = &mut self.coming {
            if let Some((chunk, leave)) = ready!(coming.poll_next_unpin(cx)) {
                return Poll::Ready(Some((Some(Ok(Frame::data(chunk))), leave)));
            }
            self.coming = None;
            if self.is_stalled.load(Ordering::Relaxed) {
                self.ended = None;
                return Poll::Ready(Some((Some(Err(BodyError::ConnectionReadTimeout)), None)));
            }
        }
        let Some(ended) = &mut self.ended else { return Poll::Ready(None) };
        let end = ready!(Pin::new(ended).poll(cx));
        self.ended = None;
        Poll::Ready(Some(match end {
            Ok((Ok(None), leave)) => (None, leave),
            Ok((Ok(Some(trailers)), leave)) => (Some(Ok(Frame::trailers(trailers.into()))), leave),
            Ok((Err(code), _)) => (Some(Err(BodyError::from(code))), None),
            Err(_) => (Some(Err(BodyError::InternalError(Some("the guest went down".into())))), None),
        }))
    }
}

impl http_body::Body for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BodyFrame>> {
        let this = self.get_mut();
        if this.leaving.is_none() {
            match ready!(this.poll_next(cx)) {
                None => return Poll::Ready(None),
                next => this.leaving = next,
            }
        }
        let (_, leave) = this.leaving.as_mut().expect("it was put there");
        if let Some(leave) = leave
            && let Err(fatal) = ready!(leave.as_mut().poll(cx))
        {
            (this.leaving, this.coming, this.ended) = (None, None, None);
            return Poll::Ready(Some(Err(BodyError::InternalError(Some(fatal.to_string())))));
        }
        let (frame, _) = this.leaving.take().expect("it was there");
        if let Some(received) = this.received.take_if(|_| this.ended.is_none()) {
            let result = match &frame {
                Some(Err(_)) => Err(ErrorCode::ConnectionTerminated),
                _ => Ok(()),
            };
            let _ = received.send(result);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty || (self.coming.is_none() && self.ended.is_none() && self.leaving.is_none())
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_empty { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

impl Drop for GuestBody {
    fn drop(&mut self) {
        // Nobody has to read what is empty.
        if let Some(received) = self.received.take_if(|_| self.is_empty) {
            let _ = received.send(Ok(()));
        }
    }
}

/// A body of which something may have been read that the guest did not get.
struct Ahead {
    /// What comes next, the end included.
    frame: Option<Option<BodyFrame>>,
    body: Body,
}

impl http_body::Body for Ahead {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BodyFrame>> {
        let this = self.get_mut();
        match this.frame.take() {
            Some(frame) => Poll::Ready(frame),
            None => Pin::new(&mut this.body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.frame {
            Some(frame) => frame.is_none(),
            None => self.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.frame.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

/// Where the chunks come from that a guest reads.
struct Producer {
    body: Ahead,
    passage: Passage,
    entering: Option<BoxFuture<()>>,
    end: Option<oneshot::Sender<Trailers>>,
}

impl Producer {
    /// Waits until the body has something, and until the guest may have it.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.entering.is_none() {
            // Sections count that are open when the guest begins to wait.
            self.entering = self.passage.enter();
        }
        while self.body.frame.is_none() {
            let frame = ready!(Pin::new(&mut self.body.body).poll_frame(cx));
            let is_empty = |frame: &Frame<Bytes>| frame.data_ref().is_some_and(Bytes::is_empty);
            if !matches!(&frame, Some(Ok(frame)) if is_empty(frame)) {
                self.body.frame = Some(frame);
            }
        }
        if let Some(entering) = &mut self.entering {
            ready!(entering.as_mut().poll(cx));
        }
        self.entering = None;
        Poll::Ready(())
    }
}

impl StreamProducer<GuestState> for Producer {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, GuestState>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        if this.poll_ahead(cx).is_pending() {
            if finish {
                this.entering = None;
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            return Poll::Pending;
        }
        let end = match this.body.frame.take().expect("it was waited for") {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(mut data) => {
                    let room = destination.remaining(&mut store).unwrap_or(data.len());
                    if room == 0 {
                        destination.set_buffer(data);
                        return Poll::Ready(Ok(StreamResult::Completed));
                    }
                    let now = data.split_to(room.min(data.len()));
                    if !data.is_empty() {
                        destination.set_buffer(data);
                    }
                    let mut direct = destination.as_direct(store, now.len());
                    direct.remaining()[..now.len()].copy_from_slice(&now);
                    direct.mark_written(now.len());
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                Err(frame) => match frame.into_trailers() {
                    Ok(trailers) => {
                        let view = store.data_mut().http();
                        let trailers = FieldMap::new_immutable(view.hooks, trailers);
                        Ok(Some(view.table.push(trailers)?))
                    }
                    Err(_) => Ok(None),
                },
            },
            Some(Err(error)) => Err(error_code(&error)),
            None => Ok(None),
        };
        if let Some(told) = this.end.take() {
            let _ = told.send(end);
        }
        Poll::Ready(Ok(StreamResult::Dropped))
    }

    fn try_into(me: Pin<Box<Self>>, ty: TypeId) -> Result<Box<dyn Any>, Pin<Box<Self>>> {
        match ty == TypeId::of::<Producer>() {
            true => {
                let me: Box<Producer> = Pin::into_inner(me);
                Ok(me)
            }
            false => Err(me),
        }
    }
}
