//! Between requests and replies as records, their bodies whole, and those with streamed bodies.

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};

use crate::bindings::types::{Header, Request, Response};
use crate::event::{Body, BodyError};

/// What a request says that came without a host.
const DEFAULT_AUTHORITY: &str = "localhost";

/// Why a body was not collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// It has more bytes than it may have.
    #[error("the body has more than {0} bytes, the limit body")]
    TooLarge(usize),
    /// It broke off.
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// A body that is there as a whole.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Waits for the whole of a body.
pub async fn collect(body: Body, bytes_max: usize) -> Result<Bytes, CollectError> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(CollectError::TooLarge(bytes_max)),
        Err(error) => Err(CollectError::Broken(error.to_string())),
    }
}

/// A record as a request; what is wrong with it if it is none.
pub fn request(request: Request) -> Result<http::Request<Body>, String> {
    let Request { method, scheme, authority, path, query, headers, body } = request;
    let method = Method::try_from(method.as_str()).map_err(|_| format!("{method:?} is no method"))?;
    let scheme = Scheme::try_from(scheme.as_str()).unwrap_or(Scheme::HTTP);
    let authority = match authority.as_str() {
        "" => Authority::from_static(DEFAULT_AUTHORITY),
        text => Authority::try_from(text).map_err(|_| format!("{text:?} is no host"))?,
    };
    let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let target = PathAndQuery::try_from(target.as_str()).ok().filter(|_| path.starts_with('/'));
    let target = target.ok_or_else(|| format!("{path:?} is no path"))?;
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(target).build();
    let mut http = http::Request::new(whole(body));
    *http.uri_mut() = uri.map_err(|error| error.to_string())?;
    *http.method_mut() = method;
    *http.headers_mut() = header_map(headers)?;
    Ok(http)
}

/// A request as a record, with the body that was collected.
pub fn request_record(parts: http::request::Parts, body: Bytes) -> Request {
    Request {
        method: parts.method.as_str().into(),
        scheme: parts.uri.scheme_str().unwrap_or("http").into(),
        authority: parts.uri.authority().map_or("", Authority::as_str).into(),
        path: parts.uri.path().into(),
        query: parts.uri.query().map(String::from),
        headers: header_records(&parts.headers),
        body: body.into(),
    }
}

/// A record as a response; what is wrong with it if it is none.
pub fn response(response: Response) -> Result<http::Response<Body>, String> {
    let Response { status, headers, body } = response;
    let mut http = http::Response::new(whole(body));
    *http.status_mut() = StatusCode::from_u16(status).map_err(|_| format!("{status} is no status"))?;
    *http.headers_mut() = header_map(headers)?;
    // The body is what it is.
    http.headers_mut().remove(http::header::CONTENT_LENGTH);
    Ok(http)
}

/// A response as a record, with the body that was collected.
pub fn response_record(parts: http::response::Parts, body: Bytes) -> Response {
    Response { status: parts.status.as_u16(), headers: header_records(&parts.headers), body: body.into() }
}

fn header_records(headers: &http::HeaderMap) -> Vec<Header> {
    let record = |(name, value): (&HeaderName, &HeaderValue)| Header {
        name: name.as_str().into(),
        value: value.as_bytes().into(),
    };
    headers.iter().map(record).collect()
}

fn header_map(headers: Vec<Header>) -> Result<http::HeaderMap, String> {
    let mut map = http::HeaderMap::new();
    for Header { name, value } in headers {
        let name = HeaderName::try_from(&name).map_err(|_| format!("{name:?} is no name of a header"))?;
        let value = HeaderValue::try_from(value).map_err(|_| format!("the value of header {name} is not allowed"))?;
        map.try_append(name, value).map_err(|error| error.to_string())?;
    }
    Ok(map)
}

/// The error of a body that was cut off for this reason.
pub fn broken(reason: impl Into<String>) -> BodyError {
    BodyError::InternalError(Some(reason.into()))
}
