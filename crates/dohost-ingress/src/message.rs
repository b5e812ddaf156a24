//! What is checked of every message, whoever answers it: its head, and which headers go no further than this connection.

use http::uri::Authority;
use http::{HeaderMap, HeaderName, Request, StatusCode, header};

use crate::reply::Refusal;
use crate::websocket;

/// Headers that belong to one connection and not to the message, in either direction (RFC 9110, 7.6.1).
const CONNECTION_HEADERS: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Refuses a request that names no host, or more than one, and one whose body is coded otherwise than in chunks: what comes
/// before this host may take it for another request than this host does. (hyper has checked the rest.)
pub(crate) fn check_head<B>(request: &Request<B>) -> Result<(), Refusal> {
    let bad = |text: &str| Err(Refusal::new(StatusCode::BAD_REQUEST, text));
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return bad("the request has more than one host header"),
        (Some(host), None) if !is_host(host.as_bytes()) => return bad("the host header is no host"),
        _ => {}
    }
    let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "the only transfer coding that is taken is chunked")),
    }
}

/// A host with or without a port, or nothing, which says that the target has none (RFC 9110, 7.2).
fn is_host(value: &[u8]) -> bool {
    value.is_empty() || (!value.contains(&b'@') && Authority::try_from(value).is_ok())
}

/// The headers that a message names as belonging to its connection only.
pub(crate) fn connection_options(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// Whether a header goes no further than this connection.
pub(crate) fn is_of_connection(name: &HeaderName, options: &[String]) -> bool {
    CONNECTION_HEADERS.contains(name) || options.iter().any(|option| option == name.as_str())
}

/// What is wrong with the status of a response: interim ones are the host's own, but for the one that opens a websocket.
pub(crate) fn check_status(status: u16) -> Result<(), String> {
    match status == StatusCode::SWITCHING_PROTOCOLS || (200..600).contains(&status) {
        true => Ok(()),
        false => Err(format!("status {status} is not between 200 and 599")),
    }
}

/// The same of a request, but for what asks for a websocket, which its object or Worker is to see.
pub(crate) fn strip_request_headers(headers: &mut HeaderMap) {
    let upgrade = websocket::is_upgrade(headers).then(|| headers.get(header::UPGRADE).cloned()).flatten();
    strip_connection_headers(headers);
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
    }
}

/// Takes out the headers that go no further than this connection.
pub(crate) fn strip_connection_headers(headers: &mut HeaderMap) {
    // Most messages have none, and so none that names others.
    if !headers.keys().any(|name| CONNECTION_HEADERS.contains(name)) {
        return;
    }
    let options = connection_options(headers);
    let of_connection: Vec<HeaderName> =
        headers.keys().filter(|name| is_of_connection(name, &options)).cloned().collect();
    for name in of_connection {
        headers.remove(name);
    }
}
