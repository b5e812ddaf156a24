//! Websockets that an object opens: towards a server, or towards another object.

use dohost_engine::imports::{
    BoxFuture, Caller, ConnectError, Connected, Fatal, Request, WebSocketError, WebSocketOptions,
};
use dohost_engine::{Header, Response};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::client::{Upgraded, WebSocketClient};
use crate::event::request_bytes;
use crate::host::UpgradedConnection;
use crate::inside::ObjectInside;

/// The buffer of a websocket from one object to another, each way.
const BETWEEN_OBJECTS_BYTES: usize = 16 << 10;

impl ObjectInside {
    pub(super) fn connect_to_server(
        &self,
        caller: Caller,
        request: Request,
        options: WebSocketOptions,
    ) -> BoxFuture<Result<Result<Connected, ConnectError>, Fatal>> {
        let object = self.0.clone();
        if let Err(error) = self.check(&options) {
            return Box::pin(async move { Ok(Err(ConnectError::Refused(error))) });
        }
        let place = match object.begin_call(request_bytes(&request)) {
            Ok(place) => place,
            Err(text) => {
                let refused = ConnectError::Refused(WebSocketError::TooLarge(text));
                return Box::pin(async move { Ok(Err(refused)) });
            }
        };
        let (gate, entered) = (object.output_gate(), object.enter(caller));
        Box::pin(async move {
            object.leave(gate).await?;
            let url = url_of(&request);
            let answer = object.host.outgoing.upgrade(Some(object.id), request).await;
            drop(place);
            let connected = match answer {
                Err(error) => Err(ConnectError::Failed(error)),
                Ok((response, None)) => Err(ConnectError::Answered(response)),
                Ok((response, Some(UpgradedConnection { io, read_ahead }))) => {
                    // Others may have been made meanwhile.
                    let inside = ObjectInside(object.clone());
                    let made = inside.check(&options).and_then(|()| inside.make(options, None));
                    made.map_err(ConnectError::Refused).map(|(socket, client)| {
                        socket.set_server(url, protocol_of(&response));
                        socket.opened();
                        client.hand_over(Upgraded { io, read_ahead, role: Role::Client });
                        Connected { websocket: socket.id, response }
                    })
                }
            };
            entered.await;
            Ok(connected)
        })
    }

    pub(super) fn connect_to_client(&self, client: &str, options: WebSocketOptions) -> Result<u64, WebSocketError> {
        self.check(&options)?;
        let other: WebSocketClient = self.0.host.websockets.take_client(client).ok_or_else(|| {
            WebSocketError::Gone("there is no such end of a websocket, or it is connected already".into())
        })?;
        let (socket, mine) = self.make(options, None)?;
        let (here, there) = tokio::io::duplex(BETWEEN_OBJECTS_BYTES);
        socket.opened();
        mine.hand_over(Upgraded { io: Box::new(here), read_ahead: bytes::Bytes::new(), role: Role::Client });
        other.connect(there, bytes::Bytes::new());
        Ok(socket.id)
    }
}

fn url_of(request: &Request) -> String {
    let Request { scheme, authority, path, query, .. } = request;
    let scheme = match scheme.as_str() {
        "http" => "ws",
        "https" => "wss",
        other => other,
    };
    let query = query.as_ref().map_or(String::new(), |query| format!("?{query}"));
    format!("{scheme}://{authority}{path}{query}")
}

fn protocol_of(response: &Response) -> String {
    let is_protocol = |header: &&Header| header.name.eq_ignore_ascii_case("sec-websocket-protocol");
    let header = response.headers.iter().find(is_protocol);
    header.map_or(String::new(), |header| String::from_utf8_lossy(&header.value).into_owned())
}
