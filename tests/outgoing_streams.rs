//! Requests to the network with streamed bodies, by Workers and by objects, and over TLS.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::host::{Host, Setup};
use crate::http::encoded;
use crate::outside::Outside;
use crate::small_disk::SmallDisk;

/// A server that sends back what it is sent, as it comes. Its address.
fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || echo(stream));
        }
    });
    address
}

fn echo(mut stream: impl Read + Write) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    if !head.contains("transfer-encoding: chunked") {
        let text = "HTTP/1.1 200 OK\r\nx-from: server\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        return stream.write_all(text.as_bytes()).ok();
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n").ok()?;
    let (mut sent, mut bytes) = (Vec::new(), [0; 4096]);
    while !sent.ends_with(b"0\r\n\r\n") {
        let len = stream.read(&mut bytes).ok().filter(|len| *len > 0)?;
        stream.write_all(&bytes[..len]).ok()?;
        sent.extend_from_slice(&bytes[..len]);
    }
    Some(())
}

/// A Worker that sends, and an object behind it that does.
fn start<const N: usize>(arguments: [&str; N]) -> Host {
    Setup::new().guest("http-object").worker("streamer").with(arguments).start()
}

/// What the Worker is asked, and what makes an object do the same.
fn paths(url: &str) -> [String; 2] {
    let send = format!("/send?url={}", encoded(url));
    let by_object = format!("/call?class=http-object&name=A&path={}", encoded(&send));
    [send, by_object]
}

#[test]
fn workers_and_objects_stream_to_the_network_and_back() {
    let address = echo_server();
    let host = start(["--allow-outgoing", &address]);
    for path in paths(&format!("http://{address}/")) {
        assert_eq!(host.get(&path).ok(), "hello");
        let mut connection = host.connect();
        connection.begin("POST", &path);
        // hyper sends the head of a request with the first byte of its body.
        connection.send_chunk(b"one").unwrap();
        assert_eq!(connection.read_head().unwrap().status, 200);
        assert_eq!(connection.chunk(), "one");
        for word in ["two", "three"] {
            connection.send_chunk(word.as_bytes()).unwrap();
            assert_eq!(connection.chunk(), word);
        }
        connection.send_chunk(b"").unwrap();
        assert_eq!(connection.chunk(), "");
    }
}

#[test]
fn streamed_requests_go_only_where_the_operator_allows() {
    let address = echo_server();
    let host = start([]);
    for path in paths(&format!("http://{address}/")) {
        host.get(&path).says(502, "HttpRequestDenied");
    }
    let host = start(["--allow-outgoing", "127.0.0.1:1"]);
    for path in paths("http://127.0.0.1:1/") {
        host.get(&path).says(502, "ConnectionRefused");
    }
    for path in paths("http://user@example.com/") {
        host.get(&path).says(502, "HttpRequest");
    }
}

#[test]
fn a_streamed_request_leaves_after_the_write_before_it() {
    let outside = Outside::new();
    let host = outside.allowed(Setup::new().guest("http-object")).start();
    let steps = ["put-large x 2000000", "put-large y 2000000", "put-large z 2000000", "put k 1"];
    let steps: String = steps.iter().map(|step| format!("&before={}", encoded(step))).collect();
    let mut connection = host.connect();
    let url = format!("http://{}/x", outside.address);
    connection.begin("POST", &format!("/http-object/A/steps?send={}{steps}", encoded(&url)));
    connection.send_chunk(b"").unwrap();
    outside.wait_for("x");
    let host = host.kill_and_start();
    let path = format!("/http-object/A/steps?do={}", encoded("get k"));
    assert_eq!(host.get(&path).ok(), "1\n");
}

#[test]
fn a_streamed_request_never_leaves_after_a_write_that_cannot_be_made_durable() {
    let Some(disk) = SmallDisk::new(12 << 20).map(Arc::new) else { return };
    let outside = Outside::new();
    outside.release("x");
    let host = outside.allowed(Setup::new().guest("http-object").on(disk.clone())).start();
    let steps = |step: &str| {
        let url = format!("http://{}/x", outside.address);
        format!("/http-object/A/steps?send={}&before={}", encoded(&url), encoded(step))
    };
    assert_eq!(host.get(&steps("put before 1")).ok(), "x");
    disk.fill();
    host.get(&steps("put-large k 2000000")).says(500, "");
    assert_eq!(outside.arrived(), ["x"], "it left before the write that it depends on");
}

/// An authority of one's own: its certificate as PEM, and a server that it has signed.
fn tls_server() -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_string()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || {
                let mut stream = rustls::StreamOwned::new(connection, stream);
                echo(&mut stream);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    (authority.pem(), format!("localhost:{port}"))
}

#[test]
fn a_server_with_a_certificate_of_the_operators_authority_is_believed_and_no_other() {
    let (pem, address) = tls_server();
    let setup = Setup::new().guest("http-object").guest("probe").with(["--allow-outgoing", &address]);
    let file = setup.file("authority.pem", pem);
    let whole = format!("/probe/A/fetch?url={}", encoded(&format!("https://{address}/")));
    let streamed = format!("/http-object/A/send?url={}", encoded(&format!("https://{address}/")));
    let host = setup.clone().start();
    assert_ne!(host.get(&whole).text(), "hello");
    host.get(&streamed).says(502, "TlsCertificateError");
    drop(host);
    let host = setup.with(["--outgoing-ca".into(), file.into_os_string()]).start();
    assert_eq!(host.get(&whole).ok(), "hello");
    assert_eq!(host.get(&streamed).ok(), "hello");
}
