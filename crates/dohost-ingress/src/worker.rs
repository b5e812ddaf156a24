//! A request is answered by the Worker.

use dohost_engine::Worker;
use http::StatusCode;
use hyper::body::Incoming;

use crate::listener::Shared;
use crate::reply::{Answer, Refusal};
use crate::stream::{Streamed, checked_response};

/// Hands the request to the Worker, bodies streamed in both directions.
pub(crate) async fn answer(
    shared: &Shared,
    worker: &Worker,
    request: http::Request<Incoming>,
) -> Result<http::Response<Answer>, Refusal> {
    let (request, check) = Streamed::new(request, None, shared.limits.body_bytes_max, &shared.limits)?.split();
    let response = worker.handle(request).await.map_err(|trap| match trap.is_full {
        true => {
            tracing::warn!("no room for another instance of the Worker: {}", trap.reason);
            Refusal::retry_later("the host is overloaded")
        }
        false => {
            let detail = format!("{trap}\n{}", trap.detail);
            Refusal::logged(StatusCode::INTERNAL_SERVER_ERROR, "the Worker failed", &detail)
        }
    });
    checked_response(check(response)?, &shared.limits)
        .map_err(|reason| Refusal::logged(StatusCode::BAD_GATEWAY, "the Worker's response is not HTTP", &reason))
}
