//! Requests to live servers on this machine: TLS and its failures, limits of time and size, and the share of each object.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dohost_egress::{Egress, EgressOptions, Policy, RootCertificates};
use dohost_engine::imports::OutgoingError;
use dohost_engine::{Request, Response};
use dohost_object::{ObjectId, OutgoingFetch};
use futures_util::future::join_all;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// Longer than anything here takes that goes well.
const PATIENCE: Duration = Duration::from_secs(30);
/// For what must run out.
const SHORT: Duration = Duration::from_millis(300);

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";

fn options() -> EgressOptions {
    let policy = Policy::Only(vec!["localhost".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    EgressOptions { policy, timeout: PATIENCE, response_bytes_max: 100_000, ..EgressOptions::default() }
}

fn get(url: &str) -> Request {
    let (scheme, authority) = url.split_once("://").unwrap();
    Request {
        method: "GET".into(),
        scheme: scheme.into(),
        authority: authority.into(),
        path: "/".into(),
        query: None,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

async fn fetch(options: EgressOptions, url: &str) -> Result<Response, OutgoingError> {
    Egress::new(options).fetch(None, get(url)).await
}

#[track_caller]
fn assert_failed(reply: Result<Response, OutgoingError>, text: &str) {
    match reply {
        Err(OutgoingError::Failed(reason)) => assert!(reason.contains(text), "it does not say {text:?}: {reason}"),
        other => panic!("it has not failed: {other:?}"),
    }
}

/// Reads the head of a request.
async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(())
}

/// A server that answers every connection by what `answer` does. Its port.
async fn serve<F: Future<Output = ()> + Send + 'static>(
    answer: impl Fn(tokio::net::TcpStream) -> F + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    port
}

/// A server that reads a request and then writes this.
async fn serve_text(text: impl Into<String>) -> u16 {
    let text: Arc<str> = text.into().into();
    serve(move |mut stream| {
        let text = text.clone();
        async move {
            if read_head(&mut stream).await.is_some() {
                let _ = stream.write_all(text.as_bytes()).await;
            }
        }
    })
    .await
}

/// An authority of one's own, and what it has signed.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn roots(&self) -> RootCertificates {
        RootCertificates::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// A server with a certificate for this name. Its port.
    async fn serve(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> u16 {
        let mut params = CertificateParams::new(vec![name.to_string()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    answer_ok(&mut stream).await;
                }
            }
        })
        .await
    }
}

async fn answer_ok(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    if read_head(stream).await.is_some() {
        let _ = stream.write_all(OK.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
}

#[tokio::test]
async fn a_server_with_a_certificate_of_an_authority_that_was_added_is_believed() {
    let authority = Authority::new();
    let port = authority.serve("localhost", |_| {}).await;
    let options = EgressOptions { roots: authority.roots(), ..options() };
    let reply = fetch(options, &format!("https://localhost:{port}")).await.unwrap();
    assert_eq!((reply.status, &*reply.body), (200, &b"ok"[..]));
}

#[tokio::test]
async fn an_address_may_have_a_certificate_too() {
    let authority = Authority::new();
    let port = authority.serve("127.0.0.1", |_| {}).await;
    let options = EgressOptions { roots: authority.roots(), ..options() };
    assert_eq!(fetch(options, &format!("https://127.0.0.1:{port}")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_not_believed() {
    let port = Authority::new().serve("localhost", |_| {}).await;
    for roots in [RootCertificates::default(), Authority::new().roots()] {
        let reply = fetch(EgressOptions { roots, ..options() }, &format!("https://localhost:{port}")).await;
        assert_failed(reply, "invalid peer certificate");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let authority = Authority::new();
    let port = authority.serve("example.com", |_| {}).await;
    let options = EgressOptions { roots: authority.roots(), ..options() };
    assert_failed(fetch(options, &format!("https://localhost:{port}")).await, "not valid for name");
}

#[tokio::test]
async fn an_expired_certificate_is_not_believed() {
    let authority = Authority::new();
    let expire = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    };
    let port = authority.serve("localhost", expire).await;
    let options = EgressOptions { roots: authority.roots(), ..options() };
    assert_failed(fetch(options, &format!("https://localhost:{port}")).await, "expired");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_failure() {
    let port = serve_text("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let options = EgressOptions { timeout: Duration::from_secs(2), ..options() };
    assert_failed(fetch(options, &format!("https://localhost:{port}")).await, "");
}

#[tokio::test]
async fn a_handshake_that_never_goes_on_runs_out_of_time() {
    let port = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let options = EgressOptions { timeout: SHORT, ..options() };
    assert_failed(fetch(options, &format!("https://localhost:{port}")).await, "no reply within 300ms, the limit");
}

/// Each byte is in time, the whole reply is not.
#[tokio::test]
async fn a_reply_that_comes_drop_by_drop_runs_out_of_time() {
    let port = serve(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n").await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let options = EgressOptions { timeout: SHORT, ..options() };
    assert_failed(fetch(options, &format!("http://localhost:{port}")).await, "no reply within 300ms, the limit");
}

#[tokio::test]
async fn a_reply_without_end_is_refused_at_the_limit() {
    for head in ["transfer-encoding: chunked\r\n\r\n", "connection: close\r\n\r\n"] {
        let port = serve(move |mut stream| async move {
            let _ = read_head(&mut stream).await;
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).await;
            let chunk = format!("3e8\r\n{}\r\n", "x".repeat(1000));
            while stream.write_all(chunk.as_bytes()).await.is_ok() {}
        })
        .await;
        let reply = fetch(options(), &format!("http://localhost:{port}")).await;
        let Err(OutgoingError::TooLarge(text)) = reply else { panic!("{head:?}: {reply:?}") };
        assert_eq!(text, "the reply has more than 100000 bytes, the limit");
    }
}

#[tokio::test]
async fn headers_without_end_are_a_failure() {
    let port = serve(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n").await;
        while stream.write_all(format!("x: {}\r\n", "y".repeat(1000)).as_bytes()).await.is_ok() {}
    })
    .await;
    assert_failed(fetch(options(), &format!("http://localhost:{port}")).await, "");
}

#[tokio::test]
async fn a_redirect_is_a_reply_like_any_other() {
    let elsewhere = serve_text(OK).await;
    let text = format!("HTTP/1.1 302 Found\r\nlocation: http://localhost:{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    let port = serve_text(text).await;
    let reply = fetch(options(), &format!("http://localhost:{port}")).await.unwrap();
    assert_eq!(reply.status, 302);
    assert!(reply.headers.iter().any(|header| header.name == "location"), "{reply:?}");
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_a_failure() {
    let port = serve_text("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_failed(fetch(options(), &format!("http://localhost:{port}")).await, "the reply broke off");
    let port = serve_text("").await;
    assert_failed(fetch(options(), &format!("http://localhost:{port}")).await, "");
}

/// Keeps every request until it is told to answer, and counts them.
#[derive(Clone, Default)]
struct Counted {
    under_way: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    go: Arc<Notify>,
}

impl Counted {
    async fn serve(&self) -> u16 {
        let this = self.clone();
        serve(move |mut stream| {
            let this = this.clone();
            async move {
                let now = this.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                this.most.fetch_max(now, Ordering::SeqCst);
                this.go.notified().await;
                this.under_way.fetch_sub(1, Ordering::SeqCst);
                answer_ok(&mut stream).await;
            }
        })
        .await
    }

    async fn wait_for(&self, requests: usize) {
        let reached = async {
            while self.under_way.load(Ordering::SeqCst) != requests {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let error = format!("{} requests are under way, not {requests}", self.under_way.load(Ordering::SeqCst));
        tokio::time::timeout(PATIENCE, reached).await.expect(&error);
    }
}

/// One object cannot take all places: over its share it waits, and another one gets in at once.
#[tokio::test]
async fn an_object_has_no_more_requests_under_way_than_its_share() {
    let counted = Counted::default();
    let url = format!("http://localhost:{}", counted.serve().await);
    let egress = Egress::new(EgressOptions { requests_max: 8, requests_per_object_max: 3, ..options() });
    let from = |object: u8, requests: usize| {
        let all: Vec<_> = (0..requests).map(|_| egress.fetch(Some(ObjectId([object; 32])), get(&url))).collect();
        tokio::spawn(join_all(all))
    };
    let greedy = from(1, 20);
    counted.wait_for(3).await;
    let modest = from(2, 2);
    counted.wait_for(5).await;
    let answer_all = async {
        loop {
            counted.go.notify_waiters();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let replies = tokio::select! {
        replies = async { [greedy.await.unwrap(), modest.await.unwrap()].concat() } => replies,
        () = answer_all => unreachable!(),
    };
    assert_eq!(replies.iter().filter(|reply| reply.as_ref().is_ok_and(|reply| reply.status == 200)).count(), 22);
    assert!(counted.most.load(Ordering::SeqCst) <= 5);
}

#[tokio::test]
async fn all_objects_together_have_no_more_requests_under_way_than_there_are_places() {
    let counted = Counted::default();
    let url = format!("http://localhost:{}", counted.serve().await);
    let options = EgressOptions { requests_max: 4, requests_per_object_max: 3, timeout: SHORT * 3, ..options() };
    let egress = Egress::new(options);
    let all: Vec<_> = (0..6).map(|object| egress.fetch(Some(ObjectId([object; 32])), get(&url))).collect();
    let all = tokio::spawn(join_all(all));
    counted.wait_for(4).await;
    // Who waits for a place does so within its time.
    for reply in all.await.unwrap() {
        assert_failed(reply, "no reply within 900ms, the limit");
    }
    assert_eq!(counted.most.load(Ordering::SeqCst), 4);
}
