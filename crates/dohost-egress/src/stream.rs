//! Requests with streamed bodies: the same policy, share and time limits as for whole ones.
//!
//! A streamed body has no limit of size, since nobody collects it. What is limited is how long nothing moves: from the last
//! byte of the request that left to the head of the reply, and between two chunks of the reply. Its place among the requests
//! under way is kept until the body of the reply has ended, or was dropped.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dohost_engine::imports::RequestOptions;
use dohost_engine::{Body, BodyError};
use dohost_object::ObjectId;
use http::uri::Scheme;
use http::{Method, Request, Response};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use crate::client::{Inner, OWN_HEADERS};
use crate::resolver::NotAllowed;
use crate::share::Place;

impl Inner {
    /// Sends a request and resolves with the head of the reply.
    pub(crate) async fn send_streamed(
        self: Arc<Self>,
        caller: Option<ObjectId>,
        request: Request<Body>,
        options: RequestOptions,
    ) -> Result<Response<Body>, BodyError> {
        let timeout = self.options.timeout;
        let request = checked(request)?;
        let client = self.client_for(request.uri()).map_err(|_| BodyError::HttpRequestDenied)?;
        let moved = Arc::new(Mutex::new(Instant::now()));
        let in_time = async {
            // Its own share first: who waits for that keeps nobody else waiting.
            let share = match caller {
                Some(object) => Some(self.shares.take(object).await),
                None => None,
            };
            let place = self.places.clone().acquire_owned().await.expect("the semaphore is never closed");
            *moved.lock() = Instant::now();
            let request = request.map(|body| Sending { body, moved: moved.clone() }.boxed_unsync());
            let response = client.request(request).await.map_err(|error| send_error(&error))?;
            Ok::<_, BodyError>((response, share, place))
        };
        let head_max = options.first_byte_timeout.map_or(timeout, |asked| asked.min(timeout));
        let (response, share, place) = tokio::select! {
            result = in_time => result?,
            () = stands_still(&moved, head_max) => return Err(BodyError::HttpResponseTimeout),
        };
        let (mut parts, body) = response.into_parts();
        for name in OWN_HEADERS.iter().filter(|name| **name != http::header::CONTENT_LENGTH) {
            parts.headers.remove(name);
        }
        let idle_max = options.between_bytes_timeout.map_or(timeout, |asked| asked.min(timeout));
        let body = Coming { body, idle_max, sleep: None, _share: share, _place: place };
        Ok(Response::from_parts(parts, body.boxed_unsync()))
    }
}

/// Checks what a guest may not ask for, and takes out what belongs to the connection.
fn checked(mut request: Request<Body>) -> Result<Request<Body>, BodyError> {
    if request.method() == Method::CONNECT {
        return Err(BodyError::HttpRequestMethodInvalid);
    }
    let uri = request.uri();
    let has_scheme = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
    let has_host = uri.authority().is_some_and(|host| !host.host().is_empty() && !host.as_str().contains('@'));
    if !has_scheme || !has_host || !uri.path().starts_with('/') {
        return Err(BodyError::HttpRequestUriInvalid);
    }
    for name in &OWN_HEADERS {
        request.headers_mut().remove(name);
    }
    Ok(request)
}

/// Done when nothing has moved for so long.
async fn stands_still(moved: &Mutex<Instant>, max: Duration) {
    loop {
        let until = *moved.lock() + max;
        if until <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(until).await;
    }
}

/// The body of a request on its way out.
struct Sending {
    body: Body,
    moved: Arc<Mutex<Instant>>,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        *this.moved.lock() = Instant::now();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a reply as it comes.
struct Coming {
    body: Incoming,
    idle_max: Duration,
    /// Runs while the next chunk is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
    _share: Option<Place>,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.sleep = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| reading_error(&error))));
        }
        let idle_max = this.idle_max;
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyError::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn reading_error(error: &hyper::Error) -> BodyError {
    match error.is_incomplete_message() {
        true => BodyError::HttpResponseIncomplete,
        false => BodyError::ConnectionTerminated,
    }
}

/// What an I/O error was made of; such errors may lie inside each other.
fn innermost(io: &std::io::Error) -> Option<&(dyn StdError + Send + Sync + 'static)> {
    let inner = io.get_ref()?;
    match inner.downcast_ref::<std::io::Error>() {
        Some(io) => innermost(io),
        None => Some(inner),
    }
}

/// Why a request brought no reply.
fn send_error(error: &hyper_util::client::legacy::Error) -> BodyError {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            if let Some(inner) = innermost(io) {
                if inner.is::<NotAllowed>() {
                    return BodyError::DestinationIpProhibited;
                }
                if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                    return match tls {
                        rustls::Error::InvalidCertificate(_) => BodyError::TlsCertificateError,
                        _ => BodyError::TlsProtocolError,
                    };
                }
            }
            match io.kind() {
                std::io::ErrorKind::ConnectionRefused => return BodyError::ConnectionRefused,
                std::io::ErrorKind::TimedOut => return BodyError::ConnectionTimeout,
                std::io::ErrorKind::NetworkUnreachable | std::io::ErrorKind::HostUnreachable => {
                    return BodyError::DestinationIpUnroutable;
                }
                _ => {}
            }
        }
        if error.to_string() == "dns error" {
            return BodyError::DnsError { rcode: None, info_code: None };
        }
        if let Some(BodyError::HttpRequestBodySize(size)) = error.downcast_ref::<BodyError>() {
            return BodyError::HttpRequestBodySize(*size);
        }
        cause = error.source();
    }
    match error.is_connect() {
        true => BodyError::DestinationUnavailable,
        false => BodyError::ConnectionTerminated,
    }
}
