//! One connection: hyper reads requests off it, and each is answered by an object or by the Worker.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use http::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::io::TimedIo;
use crate::listener::Shared;
use crate::reply::{Answer, Refusal};
use crate::{message, object, route, rpc, websocket, worker};

/// What is read ahead beyond the headers.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// Serves one connection until it closes, or until the server stops and its current request is done.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    executor: usize,
    mut is_stopping: watch::Receiver<bool>,
    stream: std::net::TcpStream,
) {
    let stream = match TcpStream::from_std(stream).and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!("connection lost at its start: {error}"),
    };
    let limits = &shared.limits;
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&shared, executor, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes_max)
        .max_buf_size(limits.header_bytes_max + READ_BUFFER_BYTES)
        .max_headers(limits.headers_max)
        .serve_connection(TimedIo::new(stream, limits.write_timeout), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async { drop(is_stopping.wait_for(|stop| *stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!("connection lost: {error}");
    }
}

async fn answer(shared: &Arc<Shared>, executor: usize, mut request: http::Request<Incoming>) -> http::Response<Answer> {
    let is_logged = tracing::enabled!(target: "access", tracing::Level::DEBUG);
    let seen = is_logged.then(|| (std::time::Instant::now(), request.method().clone(), request.uri().clone()));
    let upgrade = message::check_head(&request).and_then(|()| websocket::upgrade_of(&mut request));
    let result = match upgrade {
        Err(refusal) => Err(refusal),
        Ok(upgrade) => match shared.workers.load().of(&request) {
            Some(worker) => worker::answer(&worker, executor, &shared.limits, request).await,
            None if request.uri().path() == rpc::OPENAPI_PATH => rpc::openapi(shared, &request),
            None => match route::object_of(request.uri().path(), &shared.host) {
                Ok(route) if rpc::is_call(&route) => rpc::answer(shared, route, request).await,
                Ok(route) => object::answer(shared, route, request).await,
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
