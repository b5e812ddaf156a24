//! A request becomes an event of an object, its response becomes the reply.

use std::time::Duration;

use bytes::Bytes;
use dohost_engine::{Header, Mixed, Request, Response};
use dohost_object::{Class, Intake};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::sync::SemaphorePermit;

use crate::limits::HttpLimits;
use crate::listener::Shared;
use crate::message::{check_status, connection_options, is_of_connection, strip_connection_headers};
use crate::moving::Traffic;
use crate::reply::{Answer, Refusal, whole};
use crate::route::Route;
use crate::stream::{Streamed, checked_response};
use crate::websocket;

/// Bodies up to this size are not counted among those in memory.
const SMALL_BODY_BYTES: usize = 4 << 10;
/// Bodies up to this size are collected for objects that could as well read them as they come.
const WHOLE_BODY_BYTES: u64 = 64 << 10;

/// Answers a request by asking the object that the route names.
pub(crate) async fn answer(
    shared: &Shared,
    traffic: &Traffic,
    route: Route,
    request: http::Request<Incoming>,
) -> Result<http::Response<Answer>, Refusal> {
    let Intake { has_handler, streams, prefers_whole, body_bytes_max } = route.class.intake();
    if streams && !(prefers_whole && is_small(request.body())) {
        return answer_streamed(shared, traffic, route, request).await;
    }
    let Route { class, name, path } = route;
    if !has_handler {
        let methods = class.interface().method_names();
        let text = format!("objects of class {} take no requests, they have methods: {methods}", class.name());
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
    }
    let (parts, body) = request.into_parts();
    let _place = place_for(&body, body_bytes_max, shared)?;
    let body = read_body(body, body_bytes_max, shared.limits.body_timeout).await?;
    let request = event_request(parts, path, body)?;
    let object = shared.host.object_named(&class, &name);
    traffic.goes_to(object.executor());
    let reply = shared.host.fetch_mixed(object, request).await;
    let response = reply.map_err(|error| Refusal::from_event(&error, class.name(), &name))?;
    match response {
        Mixed::Whole(response) => http_response(response, &shared.limits),
        Mixed::Streamed(response) => checked_response(response, &shared.limits),
    }
    .map_err(|reason| not_http(&class, &name, &reason))
}

/// Whether it takes hardly any time to collect.
fn is_small(body: &Incoming) -> bool {
    body.size_hint().exact().is_some_and(|bytes| bytes <= WHOLE_BODY_BYTES)
}

/// The same with bodies that are streamed in both directions.
async fn answer_streamed(
    shared: &Shared,
    traffic: &Traffic,
    route: Route,
    request: http::Request<Incoming>,
) -> Result<http::Response<Answer>, Refusal> {
    let Route { class, name, path } = route;
    let streamed = Streamed::new(request, Some(&path), class.body_bytes_max(), &shared.limits)?;
    let (request, check) = streamed.split();
    let object = shared.host.object_named(&class, &name);
    traffic.goes_to(object.executor());
    let reply = shared.host.fetch_streamed(object, request).await;
    let response = check(reply.map_err(|error| Refusal::from_event(&error, class.name(), &name)))?;
    checked_response(response, &shared.limits).map_err(|reason| not_http(&class, &name, &reason))
}

fn not_http(class: &Class, name: &str, reason: &str) -> Refusal {
    let detail = format!("{}/{name}: {reason}", class.name());
    Refusal::logged(StatusCode::BAD_GATEWAY, "the object's response is not HTTP", &detail)
}

/// Keeps room for a body until the request is answered.
pub(crate) fn place_for<'a>(
    body: &Incoming,
    bytes_max: usize,
    shared: &'a Shared,
) -> Result<Option<SemaphorePermit<'a>>, Refusal> {
    let size = body.size_hint();
    let bytes = size.upper().map_or(bytes_max, |upper| upper as usize).min(bytes_max);
    place_for_bytes(bytes, shared)
}

/// Keeps room for so many bytes that are made of a body.
pub(crate) fn place_for_bytes(bytes: usize, shared: &Shared) -> Result<Option<SemaphorePermit<'_>>, Refusal> {
    if bytes <= SMALL_BODY_BYTES {
        return Ok(None);
    }
    let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    match shared.body_bytes.try_acquire_many(bytes) {
        Ok(place) => Ok(Some(place)),
        Err(_) => {
            let text = format!("bodies with {} bytes are in memory, the limit", shared.limits.bodies_bytes_max);
            Err(Refusal::retry_later(text))
        }
    }
}

/// The whole body, if it is within the limit.
pub(crate) async fn read_body(body: Incoming, bytes_max: usize, timeout: Duration) -> Result<Bytes, Refusal> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let too_large = || {
        let text = format!("the body has more than {bytes_max} bytes, the limit body");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(timeout, Limited::new(body, bytes_max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Refusal::new(StatusCode::BAD_REQUEST, format!("the body broke off: {error}"))),
        Err(_) => {
            let text = format!("the body took longer than {} s, the limit", timeout.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}

/// Takes the parts, so that the buffer they were read into is free while the object is waited for.
fn event_request(parts: Parts, path: String, body: Bytes) -> Result<Request, Refusal> {
    let authority = match (parts.uri.authority(), parts.headers.get(header::HOST)) {
        (Some(authority), _) => authority.as_str(),
        (None, Some(host)) => host.to_str().map_err(|_| bad_host())?,
        (None, None) if parts.version < http::Version::HTTP_11 => "",
        (None, None) => return Err(Refusal::new(StatusCode::BAD_REQUEST, "the request has no host header")),
    };
    let options = connection_options(&parts.headers);
    let asks_for_websocket = |name: &HeaderName| name == header::UPGRADE && websocket::is_upgrade(&parts.headers);
    let is_passed_on = |name: &HeaderName| !is_of_connection(name, &options) || asks_for_websocket(name);
    let headers = parts.headers.iter().filter(|(name, _)| is_passed_on(name));
    let headers = headers.map(|(name, value)| Header { name: name.as_str().into(), value: value.as_bytes().into() });
    Ok(Request {
        method: parts.method.as_str().into(),
        scheme: "http".into(),
        authority: authority.into(),
        path,
        query: parts.uri.query().map(String::from),
        headers: headers.collect(),
        body: body.into(),
    })
}

fn bad_host() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "the host header is not text")
}

fn http_response(response: Response, limits: &HttpLimits) -> Result<http::Response<Answer>, String> {
    check_status(response.status)?;
    if response.headers.len() > limits.response_headers_max {
        return Err(format!("{} headers, the most is {}", response.headers.len(), limits.response_headers_max));
    }
    let mut http = http::Response::new(whole(response.body));
    *http.status_mut() = StatusCode::from_u16(response.status).map_err(|error| error.to_string())?;
    for Header { name, value } in response.headers {
        let name = HeaderName::try_from(&name).map_err(|_| format!("{name:?} is no name of a header"))?;
        let value = HeaderValue::try_from(value).map_err(|_| format!("the value of header {name} is not allowed"))?;
        // The host knows the length of the body, and frames the message.
        if name != header::CONTENT_LENGTH {
            http.headers_mut().try_append(name, value).map_err(|error| error.to_string())?;
        }
    }
    limits.check_response_headers(http.headers())?;
    strip_connection_headers(http.headers_mut());
    if http.status() == StatusCode::RESET_CONTENT {
        *http.body_mut() = whole(Bytes::new());
    }
    Ok(http)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http_response(response: Response) -> Result<http::Response<Answer>, String> {
        super::http_response(response, &HttpLimits::default())
    }

    fn response(status: u16, headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| Header { name: (*name).into(), value: (*value).into() });
        Response { status, headers: headers.collect(), body: b"x".to_vec() }
    }

    #[test]
    fn a_response_must_be_one_that_http_allows() {
        for status in [0, 100, 102, 199, 600, 999, 65535] {
            assert!(http_response(response(status, &[])).is_err(), "{status}");
        }
        assert!(http_response(response(200, &[("a b", "c")])).is_err());
        assert!(http_response(response(200, &[("a", "b\r\nc: d")])).is_err());
        assert_eq!(http_response(response(599, &[])).unwrap().status(), 599);
    }

    #[test]
    fn headers_of_the_connection_are_the_hosts_own() {
        let headers = [("content-length", "7"), ("Transfer-Encoding", "chunked"), ("connection", "close"), ("x", "y")];
        let response = http_response(response(200, &headers)).unwrap();
        assert_eq!(response.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn a_response_with_more_headers_than_http_can_hold_is_none() {
        let headers: Vec<(String, &str)> = (0..40_000).map(|n| (format!("x-{n}"), "")).collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert!(http_response(response(200, &headers)).is_err());
        assert!(http_response(response(200, &headers[..1_024])).is_ok());
    }

    #[test]
    fn repeated_headers_stay_apart() {
        let response = http_response(response(200, &[("set-cookie", "a"), ("set-cookie", "b")])).unwrap();
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
    }

    #[test]
    fn headers_of_a_response_have_a_limit_of_bytes() {
        let value = "x".repeat(HttpLimits::default().response_header_bytes_max);
        assert!(http_response(response(200, &[("x", &value[1..])])).is_ok());
        assert!(http_response(response(200, &[("x", &value)])).unwrap_err().contains("headers of"));
    }
}
