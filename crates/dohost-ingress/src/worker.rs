//! A request is answered by the Worker whose route it takes.

use std::sync::Arc;

use dohost_engine::Worker;
use dohost_engine::worker::BodyError;
use dohost_object::Host;
use http::uri::{Authority, Scheme};
use http::{StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};

use crate::listener::FrontWorker;
use crate::pattern::RoutePattern;
use crate::reply::{Answer, Refusal, streamed};

/// All Workers, and which request goes to which.
pub(crate) struct Workers {
    workers: Vec<Routed>,
    /// Each with the place of its Worker, the most specific one first.
    routes: Vec<(RoutePattern, usize)>,
}

/// A Worker that has routes.
pub(crate) struct Routed {
    /// One for each executor.
    by_executor: Vec<Worker>,
    body_bytes_max: usize,
}

impl Workers {
    pub fn new(host: &Host, workers: Vec<FrontWorker>) -> Workers {
        let mut all = Workers { workers: Vec::new(), routes: Vec::new() };
        for FrontWorker { name, component, bindings, routes, body_bytes_max } in workers {
            let place = all.workers.len();
            all.routes.extend(routes.into_iter().map(|route| (route, place)));
            let name: Arc<str> = name.into();
            let of_executor = |_| {
                let (host, bindings) = (host.clone(), bindings.clone());
                Worker::new(name.clone(), component.clone(), move || host.worker_outside(&bindings))
            };
            let by_executor = (0..host.executors().len()).map(of_executor).collect();
            all.workers.push(Routed { by_executor, body_bytes_max });
        }
        all.routes.sort_by(|(one, _), (other, _)| one.by_specificity(other));
        all
    }

    /// The Worker that a request goes to, if it goes to one.
    pub fn of<B>(&self, request: &http::Request<B>) -> Option<&Routed> {
        let uri = request.uri();
        let host_header = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = uri.authority().map(Authority::host).or_else(host_header).unwrap_or_default();
        let (_, place) = self.routes.iter().find(|(route, _)| route.matches(host, uri.path()))?;
        Some(&self.workers[*place])
    }

    /// Says that instances which end from now on do so because the host stops.
    pub fn stop(&self) {
        self.workers.iter().flat_map(|worker| &worker.by_executor).for_each(Worker::stop);
    }
}

/// Hands the request to the Worker, bodies streamed in both directions.
pub(crate) async fn answer(
    worker: &Routed,
    executor: usize,
    request: http::Request<Incoming>,
) -> Result<http::Response<Answer>, Refusal> {
    let bytes_max = worker.body_bytes_max;
    if request.body().size_hint().lower() > bytes_max as u64 {
        let text = format!("the body has more than {bytes_max} bytes, the limit body");
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text));
    }
    let request = absolute(request)?.map(|body| {
        let limited = Limited::new(body, bytes_max);
        limited.map_err(body_error).boxed_unsync()
    });
    match worker.by_executor[executor].handle(request).await {
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
