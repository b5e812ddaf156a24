//! Sockets: who may ask, how much and how long; then [`Service`] answers.
//!
//! A thread of its own runs the connections, and others the answers, which wait for the disk: executors have no part in it
//! but for the jobs that objects are asked with.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::answer::Refusal;
use crate::limits::{ManagementLimits, TOKEN_CHARS_MIN};
use crate::service::Service;
use crate::socket;

/// How long to wait after the system refused to accept a connection, out of file descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long a stop waits for answers that are under way.
const STOP_TIME_MAX: Duration = Duration::from_secs(1);

/// What a client on TCP has to know. Never shown.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// None if it is too short to be a secret, or cannot be in a header.
    pub fn new(text: String) -> Option<Token> {
        let is_long = text.chars().count() >= TOKEN_CHARS_MIN;
        (is_long && text.bytes().all(|byte| byte.is_ascii_graphic())).then_some(Token(text))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    fn is_in(&self, request: &Request<Incoming>) -> bool {
        let given = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
        let (scheme, given) = given.and_then(|value| value.split_at_checked(7)).unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(given.ct_eq(self.0.as_bytes()))
    }
}

/// Where to listen.
#[derive(Debug, Default)]
pub struct Listener {
    socket: Option<(std::os::unix::net::UnixListener, PathBuf)>,
    tcp: Option<(std::net::TcpListener, Token)>,
}

/// Listening, until it is stopped.
pub struct Running {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    service: Service,
    limits: ManagementLimits,
    is_stopping: watch::Sender<bool>,
}

impl Listener {
    /// Listens on the socket of a data directory, which the caller has to itself.
    pub fn bind_socket(&mut self, data_dir: &Path) -> std::io::Result<()> {
        self.socket = Some((socket::bind(data_dir)?, data_dir.to_owned()));
        Ok(())
    }

    /// Listens on an address, for those who have the token. The address that it became.
    pub fn bind_tcp(&mut self, address: SocketAddr, token: Token) -> std::io::Result<SocketAddr> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        self.tcp = Some((listener, token));
        Ok(address)
    }

    /// Answers from now on, on threads of its own.
    pub fn start(self, service: Service, limits: ManagementLimits) -> std::io::Result<Running> {
        let stop = watch::Sender::new(false);
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().max_blocking_threads(limits.connections_max * 2).build()?;
        let shared = Arc::new(Shared { service, limits, is_stopping: stop.clone() });
        let thread = std::thread::Builder::new().name("management".into()).spawn(move || {
            runtime.block_on(self.accept(shared));
            runtime.shutdown_timeout(STOP_TIME_MAX);
        })?;
        Ok(Running { stop, thread: Some(thread) })
    }

    async fn accept(self, shared: Arc<Shared>) {
        let mut is_stopping = shared.is_stopping.subscribe();
        // Each its own, so that strangers on TCP cannot take those of the socket.
        let places = || Arc::new(Semaphore::new(shared.limits.connections_max));
        let (socket_places, tcp_places) = (places(), places());
        let on_socket = async {
            let Some((listener, _)) = self.socket.as_ref() else { return std::future::pending().await };
            let Ok(listener) = listener.try_clone().and_then(socket::on_runtime) else { return };
            loop {
                let place = socket_places.clone().acquire_owned().await.expect("the semaphore is never closed");
                match listener.accept().await {
                    Ok((stream, _)) => serve(&shared, stream, None, place),
                    Err(error) => refused(&error).await,
                }
            }
        };
        let on_tcp = async {
            let Some((listener, token)) = self.tcp.as_ref() else { return std::future::pending().await };
            let Ok(listener) = listener.try_clone().and_then(TcpListener::from_std) else { return };
            loop {
                let place = tcp_places.clone().acquire_owned().await.expect("the semaphore is never closed");
                match listener.accept().await {
                    Ok((stream, _)) => serve(&shared, stream, Some(token.clone()), place),
                    Err(error) => refused(&error).await,
                }
            }
        };
        tokio::select! {
            _ = async { drop(is_stopping.wait_for(|stop| *stop).await) } => {}
            () = async { tokio::join!(on_socket, on_tcp); } => {}
        }
        drop(is_stopping);
        if let Some((_, data_dir)) = &self.socket {
            socket::remove(data_dir);
        }
        // Answers that are under way may leave.
        let _ = tokio::time::timeout(STOP_TIME_MAX, shared.is_stopping.closed()).await;
    }
}

impl Running {
    /// Takes no new requests, and lets answers that are under way leave for a moment. Waits for that.
    pub fn stop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the management listener stopped with a panic");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn refused(error: &std::io::Error) {
    tracing::warn!("cannot accept a connection for management: {error}");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Serves one connection as a task.
fn serve(
    shared: &Arc<Shared>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    token: Option<Token>,
    place: tokio::sync::OwnedSemaphorePermit,
) {
    let shared = shared.clone();
    let mut is_stopping = shared.is_stopping.subscribe();
    tokio::spawn(async move {
        let limits = shared.limits.clone();
        let service = service_fn(|request| {
            let (shared, token) = (shared.clone(), token.clone());
            async move { Ok::<_, Infallible>(answer(&shared, token.as_ref(), request).await.map(Full::new)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_header_size(limits.header_bytes_max)
            .max_headers(limits.headers_max)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = async { drop(is_stopping.wait_for(|stop| *stop).await) } => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!("management connection lost: {error}");
        }
        drop(place);
    });
}

async fn answer(shared: &Arc<Shared>, token: Option<&Token>, request: Request<Incoming>) -> Response<Bytes> {
    if token.is_some_and(|token| !token.is_in(&request)) {
        let help = "send the header authorization: Bearer with the token that the host was started with";
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong", help);
        let mut response = refusal.into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        return response;
    }
    let request = match read(shared, request).await {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(),
    };
    let service = shared.service.clone();
    let answer = tokio::task::spawn_blocking(move || service.answer(&request)).await;
    answer.unwrap_or_else(|_| {
        let help = "look at the log of the host";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the host failed", help).into_response()
    })
}

async fn read(shared: &Shared, request: Request<Incoming>) -> Result<Request<Bytes>, Refusal> {
    let limits = &shared.limits;
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(limits.body_timeout, Limited::new(body, limits.body_bytes_max).collect()).await;
    match body {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = format!("the body has more than {} bytes", limits.body_bytes_max);
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message, "a value may not be larger either"))
        }
        Ok(Err(_)) => Err(Refusal::bad_request("the body broke off", "send it again")),
        Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long", "send it again")),
    }
}
