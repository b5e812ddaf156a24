//! The way out for a websocket: a request with the headers of an upgrade, and the connection if the server agrees.

use dohost_engine::imports::OutgoingError;
use dohost_engine::{Header, Request, Response};
use dohost_object::{ObjectId, UpgradedConnection};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::client::{Inner, http_request, sending_failed};

impl Inner {
    /// Sends the request. The connection is there if the server agreed.
    pub async fn upgrade(
        &self,
        caller: Option<ObjectId>,
        mut request: Request,
    ) -> Result<(Response, Option<UpgradedConnection>), OutgoingError> {
        match request.scheme.as_str() {
            "ws" => request.scheme = "http".into(),
            "wss" => request.scheme = "https".into(),
            _ => {}
        }
        request.headers.retain(|header| !is_of_handshake(header));
        let mut request = http_request(request).map_err(OutgoingError::Invalid)?;
        if request.method() != http::Method::GET {
            return Err(OutgoingError::Invalid("a websocket is asked for with GET".into()));
        }
        let key = generate_key();
        let headers = request.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.insert(header::SEC_WEBSOCKET_KEY, HeaderValue::try_from(&key).expect("a key is Base64"));
        let asked_for = request.headers().clone();
        let client = self.client_for(request.uri())?;
        let _share = match caller {
            Some(object) => Some(self.shares.take(object).await),
            None => None,
        };
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let mut response = client.request(request).await.map_err(|error| sending_failed(&error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok((self.collect(response).await?, None));
        }
        check_handshake(&asked_for, response.headers(), &key).map_err(OutgoingError::Failed)?;
        let upgraded = hyper::upgrade::on(&mut response).await;
        let io = upgraded.map_err(|error| OutgoingError::Failed(format!("the connection was lost: {error}")))?;
        // The body of such a response is empty.
        let response = self.collect(response).await?;
        let connection = UpgradedConnection { io: Box::new(TokioIo::new(io)), read_ahead: bytes::Bytes::new() };
        Ok((response, Some(connection)))
    }
}

/// Whether a header is one that the handshake sets itself. Extensions are not offered.
fn is_of_handshake(Header { name, .. }: &Header) -> bool {
    ["sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-accept"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

/// What is wrong with the answer of a server (RFC 6455, 4.1).
fn check_handshake(request: &HeaderMap, response: &HeaderMap, key: &str) -> Result<(), String> {
    let text = |headers: &HeaderMap, name| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.collect::<Vec<_>>().join(",")
    };
    if text(response, header::SEC_WEBSOCKET_ACCEPT) != derive_accept_key(key.as_bytes()) {
        return Err("the server answered with another sec-websocket-accept than it should".into());
    }
    if !text(response, header::UPGRADE).eq_ignore_ascii_case("websocket") {
        return Err("the server did not upgrade to websocket".into());
    }
    if response.contains_key(header::SEC_WEBSOCKET_EXTENSIONS) {
        return Err("the server chose an extension that was not offered".into());
    }
    let chosen = text(response, header::SEC_WEBSOCKET_PROTOCOL);
    let offered = text(request, header::SEC_WEBSOCKET_PROTOCOL);
    match chosen.is_empty() || offered.split(',').any(|offer| offer.trim() == chosen) {
        true => Ok(()),
        false => Err(format!("the server chose the subprotocol {chosen:?}, which was not offered")),
    }
}
