//! A request's way out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dohost_engine::imports::{BoxFuture, OutgoingError, RequestOptions};
use dohost_engine::streams::whole;
use dohost_engine::{Body, BodyError, Header, Request, Response};
use dohost_object::{ObjectId, OutgoingFetch, UpgradedConnection};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Uri, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use crate::policy::{Policy, Reach};
use crate::resolver::{NotAllowed, Resolver};
use crate::share::Shares;
use crate::tls::{RootCertificates, client_config};

/// Headers that the client sets itself or that concern one connection only.
pub(crate) const OWN_HEADERS: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// How long a connection that nobody uses is kept.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// After how long a silent server is asked by the system whether it is still there: websockets may be silent for long.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// What can be set about outgoing requests.
#[derive(Clone, Debug)]
pub struct EgressOptions {
    /// Which destinations guests may reach.
    pub policy: Policy,
    /// Root certificates that are believed beside the built-in ones.
    pub roots: RootCertificates,
    /// How long a request may take, reply included, and the wait for a place before it.
    pub timeout: Duration,
    /// How long it may take to reach an address.
    pub connect_timeout: Duration,
    /// Bytes that the body of a reply may have.
    pub response_bytes_max: usize,
    /// Requests of all guests that may be under way; more wait their turn within their time.
    pub requests_max: usize,
    /// The same for one object.
    pub requests_per_object_max: usize,
}

impl Default for EgressOptions {
    fn default() -> EgressOptions {
        EgressOptions {
            policy: Policy::default(),
            roots: RootCertificates::default(),
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            response_bytes_max: 16 << 20,
            requests_max: 256,
            requests_per_object_max: 6,
        }
    }
}

/// Sends requests of guests to the network. Cheap to clone.
#[derive(Clone)]
pub struct Egress(Arc<Inner>);

pub(crate) struct Inner {
    pub options: EgressOptions,
    pub places: Arc<Semaphore>,
    pub shares: Arc<Shares>,
    /// Connections to one host are shared only among requests with the same reach, so there is a client for each.
    to_public: HttpClient,
    to_any: HttpClient,
}

pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector<Resolver>>, Body>;

impl Egress {
    /// Makes the clients; connects nowhere yet.
    pub fn new(options: EgressOptions) -> Egress {
        Egress(Arc::new(Inner {
            places: Arc::new(Semaphore::new(options.requests_max)),
            shares: Arc::new(Shares::new(options.requests_per_object_max)),
            to_public: client(Reach::PublicAddresses, &options),
            to_any: client(Reach::AnyAddress, &options),
            options,
        }))
    }
}

fn client(reach: Reach, options: &EgressOptions) -> HttpClient {
    let mut http = HttpConnector::new_with_resolver(Resolver { reach });
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(KEEPALIVE));
    http.set_connect_timeout(Some(options.connect_timeout));
    let tls = client_config(&options.roots);
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http);
    Client::builder(TokioExecutor::new()).pool_idle_timeout(POOL_IDLE).pool_timer(TokioTimer::new()).build(https)
}

impl OutgoingFetch for Egress {
    fn fetch(&self, caller: Option<ObjectId>, request: Request) -> BoxFuture<Result<Response, OutgoingError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let timeout = inner.options.timeout;
            match tokio::time::timeout(timeout, inner.send(caller, request)).await {
                Ok(reply) => reply,
                Err(_) => Err(OutgoingError::Failed(format!("no reply within {timeout:?}, the limit"))),
            }
        })
    }

    fn send(
        &self,
        caller: Option<ObjectId>,
        request: http::Request<Body>,
        options: RequestOptions,
    ) -> BoxFuture<Result<http::Response<Body>, BodyError>> {
        Box::pin(self.0.clone().send_streamed(caller, request, options))
    }

    fn upgrade(
        &self,
        caller: Option<ObjectId>,
        request: Request,
    ) -> BoxFuture<Result<(Response, Option<UpgradedConnection>), OutgoingError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            let timeout = inner.options.timeout;
            match tokio::time::timeout(timeout, inner.upgrade(caller, request)).await {
                Ok(reply) => reply,
                Err(_) => Err(OutgoingError::Failed(format!("no reply within {timeout:?}, the limit"))),
            }
        })
    }
}

impl Inner {
    async fn send(&self, caller: Option<ObjectId>, request: Request) -> Result<Response, OutgoingError> {
        let request = http_request(request).map_err(OutgoingError::Invalid)?;
        let client = self.client_for(request.uri())?;
        // Its own share first: who waits for that keeps nobody else waiting.
        let _share = match caller {
            Some(object) => Some(self.shares.take(object).await),
            None => None,
        };
        let _place = self.places.acquire().await.expect("the semaphore is never closed");
        let response = client.request(request).await.map_err(|error| sending_failed(&error))?;
        self.collect(response).await
    }

    /// The whole response.
    pub async fn collect(&self, response: http::Response<Incoming>) -> Result<Response, OutgoingError> {
        let (parts, body) = response.into_parts();
        let bytes_max = self.options.response_bytes_max;
        let body =
            Limited::new(body, bytes_max).collect().await.map_err(|error| match error.is::<LengthLimitError>() {
                true => OutgoingError::TooLarge(format!("the reply has more than {bytes_max} bytes, the limit")),
                false => OutgoingError::Failed(format!("the reply broke off: {error}")),
            })?;
        let headers = parts.headers.iter().filter(|(name, _)| !OWN_HEADERS.contains(name));
        let headers =
            headers.map(|(name, value)| Header { name: name.as_str().into(), value: value.as_bytes().into() });
        Ok(Response { status: parts.status.as_u16(), headers: headers.collect(), body: body.to_bytes().into() })
    }

    /// The client for where a request goes, if it may go there.
    pub fn client_for(&self, uri: &Uri) -> Result<&HttpClient, OutgoingError> {
        let host = uri.host().unwrap_or_default();
        let default_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let reach = self.options.policy.reach(host, uri.port_u16().unwrap_or(default_port));
        if reach == Reach::Nowhere {
            return Err(OutgoingError::Denied(format!(
                "{host} is not among the allowed destinations, --allow-outgoing or [outgoing]"
            )));
        }
        // An address in the URL is never resolved, so it is looked at here.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if let Ok(address) = literal
            && !reach.allows(address)
        {
            return Err(OutgoingError::Denied(format!(
                "{host} is a private address, which --allow-outgoing or [outgoing] would have to name"
            )));
        }
        Ok(if reach == Reach::AnyAddress { &self.to_any } else { &self.to_public })
    }
}

pub(crate) fn http_request(request: Request) -> Result<http::Request<Body>, String> {
    let Request { method, scheme, authority, path, query, headers, body } = request;
    let method = Method::try_from(method.as_str()).map_err(|_| format!("{method:?} is no method"))?;
    if method == Method::CONNECT {
        return Err("CONNECT is not offered".into());
    }
    let scheme = match scheme.as_str() {
        "http" => Scheme::HTTP,
        "https" => Scheme::HTTPS,
        other => return Err(format!("the scheme {other:?} is not offered")),
    };
    let host = Authority::try_from(authority.as_str()).ok().filter(|host| !host.as_str().contains('@'));
    let host = host.filter(|host| !host.host().is_empty()).ok_or_else(|| format!("{authority:?} is no host"))?;
    let target = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    let target = PathAndQuery::try_from(target.as_str()).ok().filter(|_| path.starts_with('/'));
    let target = target.ok_or_else(|| format!("{path:?} is no path"))?;
    let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(target).build();
    let mut http = http::Request::new(whole(body));
    *http.uri_mut() = uri.map_err(|error| error.to_string())?;
    *http.method_mut() = method;
    for Header { name, value } in headers {
        let name = HeaderName::try_from(&name).map_err(|_| format!("{name:?} is no name of a header"))?;
        let value = HeaderValue::try_from(value).map_err(|_| format!("the value of header {name} is not allowed"))?;
        if !OWN_HEADERS.contains(&name) {
            http.headers_mut().try_append(name, value).map_err(|error| error.to_string())?;
        }
    }
    Ok(http)
}

pub(crate) fn sending_failed(error: &hyper_util::client::legacy::Error) -> OutgoingError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.get_ref().is_some_and(|inner| inner.is::<NotAllowed>())
        {
            return OutgoingError::Denied(NotAllowed.to_string());
        }
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    OutgoingError::Failed(text)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;

    use super::*;

    fn request(authority: &str, path: &str) -> Request {
        Request {
            method: "POST".into(),
            scheme: "http".into(),
            authority: authority.into(),
            path: path.into(),
            query: Some("a=b".into()),
            headers: vec![
                Header { name: "X-One".into(), value: b"1".into() },
                Header { name: "connection".into(), value: b"close".into() },
            ],
            body: b"hello".into(),
        }
    }

    /// Answers with what it was asked, and with as many bytes as the path says.
    async fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    if parts.uri.path() == "/never" {
                        std::future::pending::<()>().await;
                    }
                    let one = parts.headers.get("x-one").map_or("", |value| value.to_str().unwrap());
                    let text = format!("{} {} {one} {}", parts.method, parts.uri, String::from_utf8_lossy(&body));
                    let count = parts.uri.path().trim_start_matches('/').parse().unwrap_or(0);
                    let reply = if count > 0 { "x".repeat(count) } else { text };
                    Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::from(reply))))
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        address
    }

    fn egress(policy: Policy) -> Egress {
        let timeout = Duration::from_millis(500);
        Egress::new(EgressOptions { policy, timeout, response_bytes_max: 1_000, ..EgressOptions::default() })
    }

    fn allowing(address: &str) -> Egress {
        egress(Policy::Only(vec![address.parse().unwrap()]))
    }

    #[tokio::test]
    async fn an_allowed_request_arrives_whole_and_brings_the_reply() {
        let address = server().await;
        let reply = allowing(&address).fetch(None, request(&address, "/p")).await.unwrap();
        assert_eq!((reply.status, &*reply.body), (200, &b"POST /p?a=b 1 hello"[..]));
    }

    #[tokio::test]
    async fn private_addresses_are_refused_by_number_and_by_name() {
        let address = server().await;
        let port = address.rsplit_once(':').unwrap().1;
        for authority in [address.clone(), format!("localhost:{port}"), format!("[::ffff:127.0.0.1]:{port}")] {
            let error = egress(Policy::Public).fetch(None, request(&authority, "/")).await.unwrap_err();
            assert!(matches!(error, OutgoingError::Denied(_)), "{authority}: {error:?}");
        }
    }

    #[tokio::test]
    async fn what_is_not_on_the_list_is_refused() {
        let error = allowing("example.com").fetch(None, request("example.org", "/")).await.unwrap_err();
        assert!(matches!(error, OutgoingError::Denied(_)), "{error:?}");
        let error = egress(Policy::Nothing).fetch(None, request("example.org", "/")).await.unwrap_err();
        assert!(matches!(error, OutgoingError::Denied(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_reply_over_the_limit_is_refused() {
        let address = server().await;
        let egress = allowing(&address);
        assert_eq!(egress.fetch(None, request(&address, "/1000")).await.unwrap().body.len(), 1_000);
        let error = egress.fetch(None, request(&address, "/1001")).await.unwrap_err();
        assert!(matches!(error, OutgoingError::TooLarge(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_never_answers_costs_no_more_than_the_time_limit() {
        let address = server().await;
        let error = allowing(&address).fetch(None, request(&address, "/never")).await.unwrap_err();
        assert!(matches!(error, OutgoingError::Failed(_)), "{error:?}");
    }

    #[tokio::test]
    async fn nobody_there_is_a_failure_that_may_pass() {
        let error = allowing("127.0.0.1:1").fetch(None, request("127.0.0.1:1", "/")).await.unwrap_err();
        assert!(matches!(error, OutgoingError::Failed(_)), "{error:?}");
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused_before_it_leaves() {
        let egress = egress(Policy::Public);
        let good = request("example.org", "/");
        for bad in [
            Request { method: "A B".into(), ..good.clone() },
            Request { method: "CONNECT".into(), ..good.clone() },
            Request { scheme: "ftp".into(), ..good.clone() },
            Request { authority: "a b".into(), ..good.clone() },
            Request { authority: String::new(), ..good.clone() },
            Request { authority: "user@example.org".into(), ..good.clone() },
            Request { path: "x".into(), ..good.clone() },
            Request { path: "/ x".into(), ..good.clone() },
            Request { headers: vec![Header { name: "a b".into(), value: Vec::new() }], ..good.clone() },
            Request { headers: vec![Header { name: "a".into(), value: b"b\r\nc: d".into() }], ..good },
        ] {
            let error = egress.fetch(None, bad.clone()).await.unwrap_err();
            assert!(matches!(error, OutgoingError::Invalid(_)), "{bad:?}: {error:?}");
        }
    }
}
