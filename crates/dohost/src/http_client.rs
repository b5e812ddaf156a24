//! Requests to hosts: one connection each, plain HTTP/1.1, the answer as a whole.

use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why there was no answer.
#[derive(Debug)]
pub enum SendError {
    /// No connection.
    Unreachable(std::io::Error),
    /// No answer, or not the whole of it.
    Broken(hyper::Error),
}

impl From<hyper::Error> for SendError {
    fn from(error: hyper::Error) -> SendError {
        SendError::Broken(error)
    }
}

/// Sends a request to the authority of its URL, which must have one, and waits for the answer.
pub async fn send(mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, SendError> {
    let authority = request.uri().authority().expect("the caller gives a whole URL").clone();
    let address = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(address).await.map_err(SendError::Unreachable)?;
    // The form in which a request names its path to the server itself.
    let path = request.uri().path_and_query().expect("an http URL has a path").clone();
    *request.uri_mut() = Uri::from(path);
    if !request.headers().contains_key(header::HOST) {
        let host = authority.as_str().parse().expect("an authority is a header value");
        request.headers_mut().insert(header::HOST, host);
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
}
