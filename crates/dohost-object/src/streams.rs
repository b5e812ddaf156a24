//! Streamed bodies on their way between objects, and to those who know no streams.
//!
//! A body counts as a call of its reader for as long as somebody may read it. A whole body is collected where one is needed,
//! up to a limit.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use dohost_engine::imports::{BoxFuture, Caller, Fatal, Gates};
use dohost_engine::streams::{CollectError, collect, request_record, response, response_record};
use dohost_engine::{Body, BodyError, Input, Mixed, MixedResponse, Output};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use crate::calls::CallPlace;
use crate::class::Class;
use crate::event::{EventError, Reply};
use crate::object::Object;

/// The gates of one object.
pub(crate) struct ObjectGates(pub Arc<Object>);

impl Gates for ObjectGates {
    fn enter(&self, caller: Caller) -> BoxFuture<()> {
        Box::pin(self.0.enter(caller))
    }

    fn leave(&self) -> Option<BoxFuture<Result<(), Fatal>>> {
        let object = &self.0;
        object.stream_moves();
        let gate = object.output_gate();
        if object.is_open(&gate) {
            return None;
        }
        let object = object.clone();
        Some(Box::pin(async move { object.leave(gate).await }))
    }

    fn idle_max(&self) -> Duration {
        // Less than work in the background has, so that a reader cannot bring an object down.
        let limits = self.0.limits();
        limits.stream_idle_max.min(limits.event_time_max / 2)
    }
}

/// What the class takes of a request: a stream, or the whole of it.
pub(crate) async fn input_for(class: &Class, request: http::Request<Body>) -> Result<Input, EventError> {
    if class.streams() {
        return Ok(Input::Http(request));
    }
    let (parts, body) = request.into_parts();
    let body = collect(body, class.body_bytes_max()).await.map_err(request_not_collected)?;
    Ok(Input::Fetch(request_record(parts, body)))
}

fn request_not_collected(error: CollectError) -> EventError {
    match error {
        CollectError::TooLarge(_) => EventError::TooLarge(format!("the request is refused: {error}")),
        CollectError::Broken(_) => EventError::NotStarted(format!("the request never ended: {error}")),
    }
}

/// The whole of a reply.
pub(crate) async fn whole_reply(reply: Reply<Output>, bytes_max: usize) -> Reply {
    match reply? {
        Output::Response(response) => Ok(response),
        Output::Http(response) => {
            let (parts, body) = response.into_parts();
            let body = collect(body, bytes_max).await.map_err(|error| match error {
                CollectError::TooLarge(_) => EventError::TooLarge(format!("the reply is refused: {error}")),
                CollectError::Broken(_) => EventError::Reset(error.to_string()),
            })?;
            Ok(response_record(parts, body))
        }
        other => panic!("a request is answered with a response, not {other:?}"),
    }
}

/// A reply as a stream.
pub(crate) fn streamed_reply(reply: Reply<Output>) -> Reply<http::Response<Body>> {
    match reply? {
        Output::Http(response) => Ok(response),
        Output::Response(record) => response(record)
            .map_err(|reason| EventError::Exception(format!("the response of the object is not HTTP: {reason}"))),
        other => panic!("a request is answered with a response, not {other:?}"),
    }
}

/// A reply as the object gave it.
pub(crate) fn mixed_reply(reply: Reply<Output>) -> Reply<MixedResponse> {
    match reply? {
        Output::Http(response) => Ok(Mixed::Streamed(response)),
        Output::Response(record) => Ok(Mixed::Whole(record)),
        other => panic!("a request is answered with a response, not {other:?}"),
    }
}

/// A reply that keeps the place of its call until its body is done.
pub(crate) fn hold(place: Option<CallPlace>, response: http::Response<Body>) -> http::Response<Body> {
    match place {
        None => response,
        Some(place) => response.map(|body| Held { body, place: Some(place) }.boxed_unsync()),
    }
}

struct Held {
    body: Body,
    place: Option<CallPlace>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.body).poll_frame(cx);
        if matches!(poll, Poll::Ready(None | Some(Err(_)))) {
            this.place = None;
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
