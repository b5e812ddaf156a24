//! From a request for a websocket to a connection that the websocket of an object runs on.
//!
//! The object, or a Worker that passes its response on, answers with status 101 and the name of the other end of a websocket.

use std::time::Duration;

use bytes::Bytes;
use dohost_object::websockets::CLIENT_HEADER;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::io::TimedIo;
use crate::listener::Shared;
use crate::message::connection_options;
use crate::moving::MovableStream;
use crate::reply::{Answer, Refusal, whole};

/// After how long a silent client is asked by the system whether it is still there, and how often.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What it is called among the protocols that a client offers to switch to.
const PROTOCOL: &str = "websocket";

/// The only version there is.
const VERSION: &str = "13";

/// A request for a websocket.
pub(crate) struct Upgrade {
    connection: OnUpgrade,
    accept_key: HeaderValue,
}

/// Whether a message asks for a websocket, or agrees to one.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    let offered = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    let mut offered = offered.flat_map(|value| value.split(','));
    offered.any(|protocol| protocol.trim().eq_ignore_ascii_case(PROTOCOL))
        && connection_options(headers).iter().any(|option| option == "upgrade")
}

/// Takes from a request what is needed to connect its client; nothing if it asks for no websocket.
pub(crate) fn upgrade_of(request: &mut http::Request<Incoming>) -> Result<Option<Upgrade>, Refusal> {
    let is_asked_for = is_upgrade(request.headers());
    if !is_asked_for || request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Ok(None);
    }
    let headers = request.headers();
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return Err(Refusal::other_websocket_version(VERSION));
    }
    // 16 bytes in Base64.
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let key = key.filter(|key| key.len() == 24 && key.ends_with(b"=="));
    let key = key.ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "the request has no sec-websocket-key"))?;
    let accept_key = HeaderValue::try_from(derive_accept_key(key)).expect("it is Base64");
    // Of several protocols this is the one that can be had, and what programs look for.
    request.headers_mut().insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    Ok(Some(Upgrade { connection: hyper::upgrade::on(request), accept_key }))
}

/// Makes of a response with status 101 one that the client understands, and connects the client when it has been sent.
pub(crate) fn switch(
    shared: &Shared,
    upgrade: Option<Upgrade>,
    mut response: Response<Answer>,
) -> Result<Response<Answer>, Refusal> {
    let bad = |text: &str| Refusal::logged(StatusCode::BAD_GATEWAY, "the response opens no websocket", &text);
    let name = response.headers_mut().remove(CLIENT_HEADER);
    let name = name.ok_or_else(|| bad("it has status 101 and no header dohost-websocket"))?;
    let Upgrade { connection, accept_key } = upgrade.ok_or_else(|| bad("the request asked for none"))?;
    let client = name.to_str().ok().and_then(|name| shared.host.take_websocket_client(name));
    let client = client.ok_or_else(|| bad("its header dohost-websocket names no websocket that waits for a client"))?;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(PROTOCOL));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept_key);
    *response.body_mut() = whole(Bytes::new());
    tokio::spawn(async move {
        match connection.await {
            Ok(upgraded) => {
                let (io, read_ahead) = opened(upgraded);
                client.connect(io, read_ahead);
            }
            Err(error) => tracing::debug!("a client was lost before its websocket opened: {error}"),
        }
    });
    Ok(response)
}

/// The connection, without what only HTTP needs.
fn opened(upgraded: Upgraded) -> (TokioIo<TimedIo<MovableStream>>, Bytes) {
    let parts = upgraded.downcast::<TimedIo<MovableStream>>();
    let parts = parts.unwrap_or_else(|_| unreachable!("this is what connections are served on"));
    // The task of the websocket is on the executor of its object.
    parts.io.get_ref().mover().go();
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
    let is_set = parts.io.get_ref().get_ref().and_then(|stream| SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = is_set {
        tracing::debug!("a websocket goes without keep-alive: {error}");
    }
    (TokioIo::new(parts.io), parts.read_buf)
}
