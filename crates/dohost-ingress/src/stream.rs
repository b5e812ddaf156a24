//! Requests and responses whose bodies are streamed, for the Worker and for objects with the handler of `wasi:http`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use dohost_engine::{Body, BodyError};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{StatusCode, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::Sleep;

use crate::limits::HttpLimits;
use crate::message::{check_status, strip_connection_headers, strip_request_headers};
use crate::reply::{Answer, Refusal, streamed};

/// A request that whoever answers it reads as it comes.
pub(crate) struct Streamed {
    pub request: http::Request<Body>,
    is_too_large: Arc<AtomicBool>,
    body_bytes_max: usize,
}

impl Streamed {
    /// Refuses a body that says that it is too large. One that turns out to be ends with an error.
    pub fn new(
        request: http::Request<Incoming>,
        path: Option<&str>,
        body_bytes_max: usize,
        limits: &HttpLimits,
    ) -> Result<Streamed, Refusal> {
        if request.body().size_hint().lower() > body_bytes_max as u64 {
            return Err(too_large(body_bytes_max));
        }
        let is_too_large = Arc::new(AtomicBool::new(false));
        let request = absolute(request, path)?.map(|body| {
            let (left, idle_max) = (body_bytes_max, limits.body_timeout);
            Coming { body, left, is_too_large: is_too_large.clone(), idle_max, sleep: None }.boxed_unsync()
        });
        Ok(Streamed { request, is_too_large, body_bytes_max })
    }

    /// The request, and what to do with its response.
    pub fn split(self) -> (http::Request<Body>, impl FnOnce(Responded) -> Responded) {
        let Streamed { request, is_too_large, body_bytes_max } = self;
        // Nobody else knows why the body ended, so what they say of it does not help.
        let check = move |response| match is_too_large.load(Ordering::Relaxed) {
            true => Err(too_large(body_bytes_max)),
            false => response,
        };
        (request, check)
    }
}

/// How a request was answered.
type Responded = Result<http::Response<Body>, Refusal>;

fn too_large(bytes_max: usize) -> Refusal {
    let text = format!("the body has more than {bytes_max} bytes, the limit body");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// The same request with scheme and host in its URL, where `wasi:http` looks for them; and with another path, if the one
/// that came is for the host.
fn absolute(request: http::Request<Incoming>, path: Option<&str>) -> Result<http::Request<Incoming>, Refusal> {
    let bad = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, text);
    let (mut parts, body) = request.into_parts();
    let mut uri = parts.uri.clone().into_parts();
    if uri.authority.is_none() {
        let host = parts.headers.get(header::HOST).ok_or_else(|| bad("the request has no host header"))?;
        uri.authority = Some(Authority::try_from(host.as_bytes()).map_err(|_| bad("the host header is not a host"))?);
    }
    uri.scheme.get_or_insert(Scheme::HTTP);
    if let Some(path) = path {
        let query = parts.uri.query().map_or(String::new(), |query| format!("?{query}"));
        let target = PathAndQuery::try_from(format!("{path}{query}"));
        uri.path_and_query = Some(target.map_err(|_| bad("the path of the request is not valid"))?);
    }
    if uri.path_and_query.is_none() {
        return Err(bad("the request has no path"));
    }
    parts.uri = http::Uri::from_parts(uri).map_err(|_| bad("the URL of the request is not valid"))?;
    strip_request_headers(&mut parts.headers);
    Ok(http::Request::from_parts(parts, body))
}

/// Checks the head of a response. What is wrong with it, if it cannot be sent.
pub(crate) fn checked_response(
    mut response: http::Response<Body>,
    limits: &HttpLimits,
) -> Result<http::Response<Answer>, String> {
    check_status(response.status().as_u16())?;
    limits.check_response_headers(response.headers())?;
    strip_connection_headers(response.headers_mut());
    Ok(response.map(streamed))
}

/// The body of a request as it comes, up to a limit, and as long as it comes.
struct Coming {
    body: Incoming,
    /// Bytes that may still come.
    left: usize,
    is_too_large: Arc<AtomicBool>,
    idle_max: Duration,
    /// Runs while the next chunk is waited for.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            let idle_max = this.idle_max;
            let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle_max)));
            ready!(sleep.as_mut().poll(cx));
            return Poll::Ready(Some(Err(BodyError::ConnectionReadTimeout)));
        };
        this.sleep = None;
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return Poll::Ready(Some(Err(BodyError::ConnectionTerminated))),
            None => return Poll::Ready(None),
        };
        let len = frame.data_ref().map_or(0, Bytes::len);
        match this.left.checked_sub(len) {
            Some(left) => {
                this.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                this.is_too_large.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(BodyError::HttpRequestBodySize(None))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
