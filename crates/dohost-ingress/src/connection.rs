//! One connection: hyper reads requests off it, and each is answered by an object or by the Worker.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::io::TimedIo;
use crate::listener::Shared;
use crate::moving::{Direction, MovableStream, Mover, Traffic};
use crate::reply::{Answer, Refusal};
use crate::{message, object, route, rpc, websocket, worker};

/// What is read ahead beyond the headers.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// A connection that is being served.
pub(crate) struct Connection<S>
where
    S: HttpService<Incoming>,
{
    shared: Arc<Shared>,
    http: Pin<Box<http1::UpgradeableConnection<TimedIo<MovableStream>, S>>>,
    traffic: Arc<Traffic>,
    mover: Mover,
    is_stopping: watch::Receiver<bool>,
    /// Among the connections that may be open.
    _place: OwnedSemaphorePermit,
}

/// Serves a connection on this executor or another until it closes, or until the server stops and its current request is done.
/// Called on that executor.
pub(crate) fn serve(
    shared: Arc<Shared>,
    executor: usize,
    is_stopping: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
    stream: std::net::TcpStream,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let stream = match TcpStream::from_std(stream).and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
        Ok(stream) => MovableStream::new(stream),
        Err(error) => {
            tracing::debug!("connection lost at its start: {error}");
            return None;
        }
    };
    let mover = stream.mover();
    let traffic = Arc::new(Traffic::new(executor));
    let service = {
        let (shared, traffic) = (shared.clone(), traffic.clone());
        service_fn(move |request| {
            let (shared, traffic) = (shared.clone(), traffic.clone());
            async move {
                traffic.begins();
                let response = answer(&shared, &traffic, request).await;
                traffic.ends();
                Ok::<_, Infallible>(response)
            }
        })
    };
    let limits = &shared.limits;
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes_max)
        .max_buf_size(limits.header_bytes_max + READ_BUFFER_BYTES)
        .max_headers(limits.headers_max)
        .serve_connection(TimedIo::new(stream, limits.write_timeout), service)
        .with_upgrades();
    Some(run(Connection { shared, http: Box::pin(http), traffic, mover, is_stopping, _place: place }))
}

/// Serves it here, and elsewhere if it moves.
async fn run<S>(mut connection: Connection<S>)
where
    S: HttpService<Incoming, ResBody = Answer> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Some(executor) = connection.serve_here().await {
        move_to(connection, executor);
    }
}

/// A function of its own, as the type of a future cannot contain itself.
fn move_to<S>(connection: Connection<S>, executor: usize)
where
    S: HttpService<Incoming, ResBody = Answer> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    connection.traffic.moved_to(executor);
    tracing::debug!(executor, "a connection moved to the executor of its requests");
    connection.mover.go();
    let shared = connection.shared.clone();
    shared.host.executors().spawn_on(executor, run(connection));
}

impl<S> Connection<S>
where
    S: HttpService<Incoming, ResBody = Answer>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Serves it until it is over, or until it should move.
    async fn serve_here(&mut self) -> Option<usize> {
        let (http, traffic) = (&mut self.http, &self.traffic);
        let executors = self.shared.host.executors();
        let moves_to = || match traffic.direction()? {
            Direction::Home(executor) if executors.has_room_on(executor) => Some(executor),
            Direction::Home(_) | Direction::Away => executors.relief_for(traffic.executor()),
        };
        let mut served = poll_fn(|cx| match http.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(Ok(result)),
            Poll::Pending => moves_to().map_or(Poll::Pending, |executor| Poll::Ready(Err(executor))),
        });
        let result = tokio::select! {
            // Whoever is first does not matter, and picking one at random costs.
            biased;
            served = &mut served => match served {
                Ok(result) => result,
                Err(executor) => return Some(executor),
            },
            () = async { drop(self.is_stopping.wait_for(|stop| *stop).await) } => {
                self.http.as_mut().graceful_shutdown();
                self.http.as_mut().await
            }
        };
        if let Err(error) = result {
            tracing::debug!("connection lost: {error}");
        }
        None
    }
}

async fn answer(
    shared: &Arc<Shared>,
    traffic: &Traffic,
    mut request: http::Request<Incoming>,
) -> http::Response<Answer> {
    let is_logged = tracing::enabled!(target: "access", tracing::Level::DEBUG);
    let seen = is_logged.then(|| (std::time::Instant::now(), request.method().clone(), request.uri().clone()));
    let upgrade = message::check_head(&request).and_then(|()| websocket::upgrade_of(&mut request));
    // Not asked in the `match`, which would hold the table until the answer is there: many held at once make it slow to ask.
    let worker = shared.workers.load().of(&request);
    let result = match upgrade {
        Err(refusal) => Err(refusal),
        Ok(upgrade) => match worker {
            Some(worker) => worker::answer(&worker, traffic.executor(), &shared.limits, request).await,
            None if request.uri().path() == rpc::OPENAPI_PATH => rpc::openapi(shared, &request),
            None => match route::object_of(request.uri().path(), &shared.host) {
                Ok(route) if rpc::is_call(&route) => rpc::answer(shared, traffic, route, request).await,
                Ok(route) => object::answer(shared, traffic, route, request).await,
                Err(refusal) => Err(refusal),
            },
        }
        .and_then(|response| match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => websocket::switch(shared, upgrade, response),
            _ => Ok(response),
        }),
    };
    let response = result.unwrap_or_else(Refusal::into_response);
    if let Some((started, method, uri)) = seen {
        let (status, micros) = (response.status().as_u16(), started.elapsed().as_micros() as u64);
        tracing::debug!(target: "access", %method, %uri, status, micros, "answered");
    }
    response
}
