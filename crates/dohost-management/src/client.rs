//! The other end: asks a host through its socket or on TCP, or a data directory that no host runs on.

use std::io;
use std::path::Path;

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::listener::Token;
use crate::service::Service;
use crate::socket;

/// Whom to ask. Each request has a connection of its own.
pub enum Client {
    /// The host that runs on a data directory.
    Socket(Box<Path>),
    /// A host somewhere, with the token.
    Tcp(Uri, Token),
    /// Nobody: what a host would do is done here.
    Here(Box<Service>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody there.
    #[error("cannot reach the host at {at}: {source}")]
    Unreachable {
        /// Where.
        at: String,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke off.
    #[error("the host did not answer: {0}")]
    Broken(#[from] hyper::Error),
    /// Not an address that can be asked.
    #[error("{0:?} is no address of a host; it looks like http://127.0.0.1:8788")]
    BadUrl(String),
}

impl Client {
    /// A host at a URL such as `http://127.0.0.1:8788`.
    pub fn tcp(url: &str, token: Token) -> Result<Client, ClientError> {
        let bad = || ClientError::BadUrl(url.into());
        let uri: Uri = url.parse().map_err(|_| bad())?;
        match (uri.scheme_str(), uri.host(), uri.path()) {
            (Some("http"), Some(_), "" | "/") => Ok(Client::Tcp(uri, token)),
            _ => Err(bad()),
        }
    }

    /// The host that runs on a data directory, if one does and has a socket.
    pub async fn socket(data_dir: &Path) -> Result<Option<Client>, ClientError> {
        let unreachable = |source| ClientError::Unreachable { at: data_dir.display().to_string(), source };
        let connected = socket::connect(data_dir).await.map_err(unreachable)?;
        Ok(connected.map(|_: UnixStream| Client::Socket(data_dir.into())))
    }

    /// Sends a request with a target such as `/v1/classes` and waits for the whole answer.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ClientError> {
        match self {
            Client::Here(service) => Ok(service.answer(&request)),
            Client::Socket(data_dir) => {
                let at = data_dir.display().to_string();
                let stream = match socket::connect(data_dir).await {
                    Ok(Some(stream)) => stream,
                    Ok(None) => return Err(ClientError::Unreachable { at, source: io::ErrorKind::NotFound.into() }),
                    Err(source) => return Err(ClientError::Unreachable { at, source }),
                };
                exchange(stream, request, "localhost").await
            }
            Client::Tcp(uri, token) => {
                let host = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
                let at = (uri.host().unwrap_or_default().trim_matches(['[', ']']), uri.port_u16().unwrap_or(80));
                let unreachable = |source| ClientError::Unreachable { at: uri.to_string(), source };
                let stream = TcpStream::connect(at).await.map_err(unreachable)?;
                let mut request = request;
                let value = format!("Bearer {}", token.text());
                let mut value = header::HeaderValue::try_from(value).expect("a token can be in a header");
                value.set_sensitive(true);
                request.headers_mut().insert(header::AUTHORIZATION, value);
                exchange(stream, request, host).await
            }
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    mut request: Request<Bytes>,
    host: &str,
) -> Result<Response<Bytes>, ClientError> {
    let host = header::HeaderValue::try_from(host).map_err(|_| ClientError::BadUrl(host.into()))?;
    request.headers_mut().insert(header::HOST, host);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}
