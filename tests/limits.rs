//! What a client may send, and what it is told when it sends more, or something that is no request at all.

use std::time::Duration;

use crate::host::{Host, Setup};
use crate::http::{Connection, NoReply, encoded, raw};

fn probe() -> Host {
    Setup::new().guest("probe").start()
}

fn small_bodies() -> Host {
    Setup::new().guest("probe").with(["--limit", "body=1000"]).start()
}

/// The status of the first reply to these bytes, 0 if there is none.
fn status(host: &Host, bytes: &[u8]) -> u16 {
    raw(&host.address, bytes).first().map_or(0, |reply| reply.status)
}

#[test]
fn a_body_may_be_as_long_as_the_limit() {
    let host = small_bodies();
    assert_eq!(host.connect().post("/probe/A/body", &[b'x'; 1000]).body.len(), 1000);
    let chunked = [
        b"POST /probe/A/body HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3e8\r\n",
        &[b'x'; 1000][..],
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    assert_eq!(raw(&host.address, &chunked)[0].ok().len(), 1000);
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_sent() {
    let host = small_bodies();
    let mut connection = host.connect();
    connection.write(b"POST /probe/A/memory HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n").unwrap();
    connection.read_reply(false).unwrap().says(413, "the body has more than 1000 bytes, the limit");
    assert_eq!(host.get("/probe/A/memory").number(), 1, "the object never saw it");
}

#[test]
fn a_class_has_its_own_limit_of_bodies() {
    let setup = Setup::new().guest("probe").class("small", "probe");
    let host = setup.with(["--limit", "body=2000", "--limit", "small:body=1000"]).start();
    assert_eq!(host.connect().post("/probe/A/body", &[b'x'; 2000]).body.len(), 2000);
    assert_eq!(host.connect().post("/small/A/body", &[b'x'; 1000]).body.len(), 1000);
    host.connect().post("/small/A/body", &[b'x'; 1001]).says(413, "more than 1000 bytes, the limit body");
}

#[test]
fn a_chunked_body_over_the_limit_is_refused_when_it_gets_there() {
    let host = small_bodies();
    let mut connection = host.connect();
    connection.write(b"POST /probe/A/memory HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    connection.write(b"3e8\r\n").unwrap();
    connection.write(&[b'x'; 1000]).unwrap();
    connection.write(b"\r\n1\r\ny\r\n").unwrap();
    connection.read_reply(false).unwrap().says(413, "the body has more than 1000 bytes, the limit");
    assert_eq!(host.get("/probe/A/memory").number(), 1, "the object never saw it");
}

#[test]
fn a_worker_is_held_to_the_limit_too() {
    let host = Setup::new().guest("counter").worker("tutorial").with(["--limit", "body=1000"]).start();
    let mut connection = host.connect();
    connection.write(b"POST /increment?name=A HTTP/1.1\r\nhost: x\r\ncontent-length: 1001\r\n\r\n").unwrap();
    connection.read_reply(false).unwrap().says(413, "the body has more than 1000 bytes, the limit");
    assert_eq!(host.get("/?name=A").ok(), "Durable Object 'A' count: 0");
}

#[test]
fn headers_over_the_limit_are_refused() {
    let host = probe();
    // Exactly as many bytes as the host reads, so that it leaves none unread when it closes: the system would then
    // throw the answer away.
    let mut request = b"GET /probe/A/echo HTTP/1.1\r\nhost: x\r\nx-long: ".to_vec();
    request.resize(64 << 10, b'x');
    let mut connection = host.connect();
    connection.write(&request).unwrap();
    assert_eq!(connection.read_reply(false).unwrap().status, 431);
    assert!(connection.is_closed());
    assert_eq!(host.connect().send("GET", "/probe/A/echo", &[("x", &"y".repeat(60_000))], b"").status, 200);
}

#[test]
fn more_headers_than_the_limit_are_refused() {
    let host = probe();
    let request = |count: usize| {
        let headers: String = (0..count).map(|number| format!("x-{number}: y\r\n")).collect();
        format!("GET /probe/A/echo HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
    };
    assert_eq!(status(&host, request(99).as_bytes()), 200);
    assert_eq!(status(&host, request(100).as_bytes()), 431);
}

#[test]
fn names_with_broken_escapes_are_refused() {
    let host = probe();
    for name in ["%", "a%2", "%zz", "%%20"] {
        host.get(&format!("/probe/{name}/state")).says(400, "without two hexadecimal digits");
    }
    for name in ["%ff", "%C3", "%ED%A0%80", "%C0%80"] {
        host.get(&format!("/probe/{name}/state")).says(400, "not UTF-8");
    }
}

#[test]
fn a_name_may_have_1024_bytes() {
    let host = probe();
    let longest = "é".repeat(512);
    assert!(host.get(&format!("/probe/{}/state", encoded(&longest))).ok().contains(&format!("name {longest}\n")));
    let reply = host.get(&format!("/probe/{}/state", "n".repeat(1025)));
    reply.says(400, "the name has 1025 bytes, the most is 1024");
}

#[test]
fn a_request_needs_a_host_header_from_http_1_1_on() {
    let host = probe();
    for path in ["/probe/A/echo", "/probe/A/memory"] {
        assert_eq!(status(&host, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()), 400, "{path}");
        assert_eq!(status(&host, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()), 200, "{path}");
    }
    let worker = Setup::new().guest("counter").worker("tutorial").start();
    assert_eq!(status(&worker, b"GET / HTTP/1.1\r\n\r\n"), 400);
}

/// RFC 9112, 3.2: any request with more than one must be refused.
#[test]
fn a_request_has_one_host_header() {
    let host = probe();
    assert_eq!(status(&host, b"GET /probe/A/echo HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"), 400);
}

#[test]
fn what_is_no_request_is_refused() {
    let host = probe();
    for request in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /probe/A/memory\r\n\r\n",
        "GET /probe/A/memory HTTP/1.1 x\r\nhost: x\r\n\r\n",
        "GET /probe/A/memory HTTP/9.9\r\nhost: x\r\n\r\n",
        "G\u{0}T /probe/A/memory HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /probe/A/mem ory HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /probe/A/memory HTTP/1.1\r\nhost: x\r\nno colon\r\n\r\n",
        "GET /probe/A/memory HTTP/1.1\r\nhost: x\r\na b: c\r\n\r\n",
        "GET /probe/A/memory HTTP/1.1\r\nhost: x\r\n: c\r\n\r\n",
        "GET probe/A/memory HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        assert_eq!(status(&host, request.as_bytes()), 400, "{request:?}");
    }
    let replies = raw(&host.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(replies.iter().all(|reply| reply.status / 100 == 4), "HTTP/2 is refused or hung up on: {replies:?}");
    assert_eq!(status(&host, b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n"), 404);
    assert_eq!(status(&host, b"CONNECT example.com:80 HTTP/1.1\r\nhost: example.com:80\r\n\r\n"), 404);
    assert_eq!(host.get("/probe/A/memory").number(), 1, "the object saw none of them");
}

#[test]
fn an_absolute_url_is_taken_like_its_path() {
    let host = probe();
    let replies =
        raw(&host.address, b"GET http://other.example/probe/A/echo?q HTTP/1.1\r\nhost: other.example\r\n\r\n");
    let lines = replies[0].lines();
    assert!(lines.contains(&"authority other.example") && lines.contains(&"path /echo"), "{lines:?}");
}

/// Requests whose end is a matter of opinion. A proxy in front may see one request where the host sees two: then the
/// second was never checked by the proxy. So a shape like that is refused, or taken for one request and no more.
#[test]
fn a_request_with_two_opinions_of_its_end_is_never_two() {
    let hidden = "GET /probe/victim/memory HTTP/1.1\r\nhost: x\r\n\r\n";
    let chunks = format!("0\r\n\r\n{hidden}");
    let len = chunks.len();
    for headers in [
        format!("content-length: {len}\r\ntransfer-encoding: chunked\r\n"),
        format!("transfer-encoding: chunked\r\ncontent-length: {len}\r\n"),
        format!("content-length: {len}\r\nTransfer-Encoding: xchunked\r\n"),
        format!("content-length: {len}\r\ntransfer-encoding: chunked, identity\r\n"),
        format!("content-length: {len}\r\ntransfer-encoding: identity, chunked\r\n"),
        format!("content-length: {len}\r\ntransfer-encoding : chunked\r\n"),
        format!("content-length: {len}\r\n transfer-encoding: chunked\r\n"),
        format!("content-length: {len}\r\nx: y\r\n\ttransfer-encoding: chunked\r\n"),
        format!("content-length: {len}\r\ncontent-length: 0\r\n"),
        format!("content-length: 0\r\ncontent-length: {len}\r\n"),
        format!("content-length: 0, {len}\r\n"),
        format!("content-length: +{len}\r\n"),
        "content-length: -0\r\n".to_string(),
        "content-length: 0x0\r\n".to_string(),
        format!("content-length: 0 \r\ncontent-length: {len}\r\n"),
        "content-length: 18446744073709551616\r\n".to_string(),
        "content-length: \r\n".to_string(),
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n".to_string(),
        "transfer-encoding:\u{b}chunked\r\ncontent-length: 0\r\n".to_string(),
    ] {
        let host = probe();
        let request = format!("POST /probe/A/body HTTP/1.1\r\nhost: x\r\n{headers}\r\n{chunks}");
        let replies = raw(&host.address, request.as_bytes());
        let seen = host.get("/probe/victim/memory").number() - 1;
        assert_eq!(seen, 0, "two requests were seen in {request:?}: {replies:?}");
        assert!(replies.len() <= 1, "{request:?}: {replies:?}");
    }
}

#[test]
fn chunks_that_are_no_chunks_end_the_connection() {
    let host = probe();
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "-1\r\na\r\n0\r\n\r\n",
        "3\r\nabcdef\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\na\r\n",
        "\r\n\r\n",
    ] {
        let hidden = "GET /probe/victim/memory HTTP/1.1\r\nhost: x\r\n\r\n";
        let head = "POST /probe/A/memory HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        let replies = raw(&host.address, format!("{head}{chunks}{hidden}").as_bytes());
        assert!(replies.iter().all(|reply| reply.status == 400) && replies.len() <= 1, "{chunks:?}: {replies:?}");
    }
    assert_eq!(host.get("/probe/victim/memory").number(), 1);
    assert_eq!(host.get("/probe/A/memory").number(), 1, "the object saw none of them");
}

#[test]
fn a_body_that_breaks_off_never_reaches_the_object() {
    let host = probe();
    for head in ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n5\r\nabc"] {
        let mut connection = host.connect();
        connection.write(format!("POST /probe/A/memory HTTP/1.1\r\nhost: x\r\n{head}").as_bytes()).unwrap();
    }
    assert_eq!(host.get("/probe/A/memory").number(), 1);
}

#[test]
fn a_client_that_goes_away_takes_nothing_with_it() {
    let host = probe();
    for _ in 0..50 {
        let mut connection = host.connect();
        connection.write(b"GET /probe/A/storage/increment?key=n HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    }
    // The events were sent and run, whether anybody waits for their replies or not; those who go at once may go unseen.
    std::thread::sleep(Duration::from_millis(200));
    let count = host.get("/probe/A/storage/increment?key=n").number();
    assert!((1..=51).contains(&count), "{count}");
    assert_eq!(host.get("/probe/A/storage/increment?key=n").number(), count + 1);
}

#[test]
fn a_request_that_comes_byte_by_byte_is_a_request() {
    let host = probe();
    let mut connection = host.connect();
    for byte in b"POST /probe/A/body HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc" {
        connection.write(&[*byte]).unwrap();
    }
    assert_eq!(connection.read_reply(false).unwrap().ok(), "abc");
}

#[test]
fn a_client_that_expects_a_go_ahead_gets_it() {
    let host = small_bodies();
    let mut connection = host.connect();
    let head = "POST /probe/A/body HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: ";
    connection.write(format!("{head}3\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(interim_status(&mut connection), 100);
    connection.write(b"abc").unwrap();
    assert_eq!(connection.read_reply(false).unwrap().ok(), "abc");
    // And who would send too much is told before it does.
    connection.write(format!("{head}2000\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(connection.read_reply(false).unwrap().status, 413);
}

fn interim_status(connection: &mut Connection) -> u16 {
    // An interim reply looks like one to HEAD: headers, no body.
    match connection.read_reply(true) {
        Ok(reply) => reply.status,
        Err(NoReply::Closed(error)) => panic!("closed: {error}"),
        Err(NoReply::Broken(reason)) => panic!("{reason}"),
    }
}
