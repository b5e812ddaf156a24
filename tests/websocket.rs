//! A WebSocket client, one step at a time.

use std::io::Write;
use std::net::TcpStream;

use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Error, HandshakeError, Message};

use crate::host::{Host, PATIENCE};

/// An open websocket.
pub struct WebSocket {
    socket: tungstenite::WebSocket<TcpStream>,
    /// The subprotocol that the object chose.
    pub protocol: Option<String>,
}

impl WebSocket {
    /// Opens one.
    #[track_caller]
    pub fn open(host: &Host, path: &str) -> WebSocket {
        WebSocket::try_open(host, path, &[]).unwrap_or_else(|status| panic!("{path}: status {status}"))
    }

    /// The same with more headers; the status if it is another than 101.
    pub fn try_open(host: &Host, path: &str, headers: &[(&str, &str)]) -> Result<WebSocket, u16> {
        let stream = TcpStream::connect(&host.address).expect("the host listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = format!("ws://{}{path}", host.address).into_client_request().expect("a URL");
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            request.headers_mut().insert(name, HeaderValue::try_from(*value).unwrap());
        }
        match tungstenite::client(request, stream) {
            Ok((socket, response)) => {
                let protocol = response.headers().get("sec-websocket-protocol");
                let protocol = protocol.map(|name| name.to_str().unwrap().to_string());
                Ok(WebSocket { socket, protocol })
            }
            Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    #[track_caller]
    pub fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    #[track_caller]
    pub fn send_message(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }

    /// The same of a websocket that may have ended.
    pub fn try_send(&mut self, message: Message) -> Result<(), Error> {
        self.socket.send(message)
    }

    /// What comes next, whatever it is.
    pub fn read(&mut self) -> Result<Message, Error> {
        self.socket.read()
    }

    /// Sends and waits for the answer.
    #[track_caller]
    pub fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.text()
    }

    /// The next message, which must be text.
    #[track_caller]
    pub fn text(&mut self) -> String {
        match self.socket.read() {
            Ok(Message::Text(text)) => text.to_string(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The next message, pongs and close frames included.
    #[track_caller]
    pub fn message(&mut self) -> Message {
        self.socket.read().unwrap()
    }

    /// Sends a close frame and reads to the end; the close frame of the host.
    #[track_caller]
    pub fn close(&mut self, frame: Option<(u16, &str)>) -> Option<(u16, String)> {
        let frame = frame.map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() });
        self.socket.close(frame).unwrap();
        self.end()
    }

    /// Reads to the end, before which no message may come; the close frame of the host, if there is one.
    #[track_caller]
    pub fn end(&mut self) -> Option<(u16, String)> {
        let mut closed = None;
        loop {
            match self.socket.read() {
                Ok(Message::Close(frame)) => {
                    closed =
                        Some(frame.map_or((1005, String::new()), |frame| {
                            (frame.code.into(), frame.reason.as_str().to_string())
                        }));
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => panic!("no end, but {message:?}"),
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("it does not end"),
                Err(_) => return closed,
            }
        }
    }

    /// Writes bytes as they are.
    pub fn write_raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).unwrap();
    }

    /// Nothing is read any more, as if the other end were slow.
    pub fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }
}
