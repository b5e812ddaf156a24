//! A request is answered by the Worker whose route it takes.

use std::borrow::Cow;
use std::sync::Arc;

use dohost_engine::Worker;
use dohost_object::Host;
use http::uri::Authority;
use http::{StatusCode, header};
use hyper::body::Incoming;

use crate::limits::HttpLimits;
use crate::listener::FrontWorker;
use crate::pattern::RoutePattern;
use crate::reply::{Answer, Refusal};
use crate::stream::{Streamed, checked_response};

/// All Workers, and which request goes to which.
pub(crate) struct Workers {
    /// What they were made from.
    source: Vec<FrontWorker>,
    workers: Vec<Arc<Routed>>,
    /// Each with the place of its Worker, the most specific one first.
    routes: Vec<(RoutePattern, usize)>,
}

/// A Worker that has routes.
pub(crate) struct Routed {
    name: Arc<str>,
    /// One for each executor.
    by_executor: Vec<Worker>,
    body_bytes_max: usize,
}

impl Workers {
    pub fn new(host: &Host, workers: Vec<FrontWorker>) -> Workers {
        let mut all = Workers { source: workers.clone(), workers: Vec::new(), routes: Vec::new() };
        for FrontWorker { name, component, bindings, routes, body_bytes_max } in workers {
            let place = all.workers.len();
            all.routes.extend(routes.into_iter().map(|route| (route, place)));
            let name: Arc<str> = name.into();
            let of_executor = |_| {
                let (host, bindings) = (host.clone(), bindings.clone());
                Worker::new(name.clone(), component.clone(), move || host.worker_outside(&bindings))
            };
            let by_executor = (0..host.executors().len()).map(of_executor).collect();
            all.workers.push(Arc::new(Routed { name, by_executor, body_bytes_max }));
        }
        all.routes.sort_by(|(one, _), (other, _)| one.by_specificity(other));
        all
    }

    /// The Worker that a request goes to, if it goes to one.
    pub fn of<B>(&self, request: &http::Request<B>) -> Option<Arc<Routed>> {
        if self.routes.is_empty() {
            return None;
        }
        let uri = request.uri();
        let host_header = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = uri.authority().map(Authority::host).or_else(host_header).unwrap_or_default();
        let (host, path) = (host.strip_suffix('.').unwrap_or(host), plain(uri.path()));
        let (_, place) = self.routes.iter().find(|(route, _)| route.matches(host, &path))?;
        Some(self.workers[*place].clone())
    }

    /// Whether they were made from these.
    pub fn are(&self, workers: &[FrontWorker]) -> bool {
        self.source == workers
    }

    /// Sees whether each can start; the name of one that cannot, with the reason.
    pub async fn try_start(&self) -> Result<(), (String, String)> {
        for worker in &self.workers {
            let started = worker.by_executor[0].try_start().await;
            started.map_err(|trap| (worker.name.to_string(), trap.reason))?;
        }
        Ok(())
    }

    /// Says that instances which end from now on do so because the host stops.
    pub fn stop(&self) {
        self.workers.iter().flat_map(|worker| &worker.by_executor).for_each(Worker::stop);
    }
}

/// The same path with nothing percent-encoded that need not be: `/%61dmin` is `/admin`, to the objects too.
fn plain(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let escape = rest.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok()).map(char::from);
        match escape.filter(|c| c.is_ascii_alphanumeric() || "-._~".contains(*c)) {
            Some(c) => {
                plain.push(c);
                rest = &rest[at + 3..];
            }
            None => {
                plain.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    plain.push_str(rest);
    plain.into()
}

/// Hands the request to the Worker, bodies streamed in both directions.
pub(crate) async fn answer(
    worker: &Routed,
    executor: usize,
    limits: &HttpLimits,
    request: http::Request<Incoming>,
) -> Result<http::Response<Answer>, Refusal> {
    let (request, check) = Streamed::new(request, None, worker.body_bytes_max, limits)?.split();
    let response = worker.by_executor[executor].handle(request).await.map_err(|trap| match trap.is_full {
        true => {
            tracing::warn!("no room for another instance of the Worker: {}", trap.reason);
            Refusal::retry_later("the host is overloaded")
        }
        false => {
            let detail = if trap.detail == trap.reason { trap.reason } else { format!("{trap}\n{}", trap.detail) };
            Refusal::logged(StatusCode::INTERNAL_SERVER_ERROR, "the Worker failed", &detail)
        }
    });
    checked_response(check(response)?, limits)
        .map_err(|reason| Refusal::logged(StatusCode::BAD_GATEWAY, "the Worker's response is not HTTP", &reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_need_not_be_escaped_is_not() {
        for (path, is) in [
            ("/room/%61dmin/x", "/room/admin/x"),
            ("/%41%2D%7e%2f%20%", "/A-~%2f%20%"),
            ("/%C3%A9%+1%zz%6", "/%C3%A9%+1%zz%6"),
            ("/plain", "/plain"),
        ] {
            assert_eq!(plain(path), is);
        }
    }
}
