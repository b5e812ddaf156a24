//! A request is answered by the Worker.

use dohost_engine::Worker;
use dohost_engine::worker::BodyError;
use http::uri::{Authority, Scheme};
use http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

use crate::listener::Shared;
use crate::reply::{Answer, Refusal, streamed};

/// Hands the request to the Worker, bodies streamed in both directions.
pub(crate) async fn answer(
    shared: &Shared,
    worker: &Worker,
    request: http::Request<Incoming>,
) -> Result<http::Response<Answer>, Refusal> {
    let bytes_max = shared.limits.body_bytes_max;
    if request.body().size_hint().lower() > bytes_max as u64 {
        let text = format!("the body has more than {bytes_max} bytes, the limit body");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let request = absolute(request)?.map(|body| {
        let limited = Limited::new(body, bytes_max);
        limited.map_err(body_error).boxed_unsync()
    });
    match worker.handle(request).await {
        Ok(response) => Ok(response.map(streamed)),
        Err(trap) if trap.is_full => {
            tracing::warn!("no room for another instance of the Worker: {}", trap.reason);
            Err(Refusal::retry_later("the host is overloaded"))
        }
        Err(trap) => Err(Refusal::logged(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the Worker failed",
            &format!("{trap}\n{}", trap.detail),
        )),
    }
}

fn body_error(error: Box<dyn std::error::Error + Send + Sync>) -> BodyError {
    if error.is::<LengthLimitError>() {
        return BodyError::HttpRequestBodySize(None);
    }
    match error.downcast::<hyper::Error>() {
        Ok(error) => BodyError::from(*error),
        Err(error) => BodyError::InternalError(Some(error.to_string())),
    }
}

/// The same request with scheme and host in its URL, where a Worker looks for them.
fn absolute(request: http::Request<Incoming>) -> Result<http::Request<Incoming>, Refusal> {
    let bad = |text: &str| Refusal::new(StatusCode::BAD_REQUEST, text);
    let (mut parts, body) = request.into_parts();
    let mut uri = parts.uri.clone().into_parts();
    if uri.authority.is_none() {
        let host = parts.headers.get(header::HOST).ok_or_else(|| bad("the request has no host header"))?;
        uri.authority = Some(Authority::try_from(host.as_bytes()).map_err(|_| bad("the host header is not a host"))?);
    }
    uri.scheme.get_or_insert(Scheme::HTTP);
    if uri.path_and_query.is_none() {
        return Err(bad("the request has no path"));
    }
    parts.uri = http::Uri::from_parts(uri).map_err(|_| bad("the URL of the request is not valid"))?;
    Ok(http::Request::from_parts(parts, body))
}
