//! The first things that anybody tries: counters, names, paths, and requests that arrive as they were sent.

use std::time::Instant;

use crate::host::{Host, PATIENCE, Setup};
use crate::http::{Reply, raw};

fn counter() -> Host {
    Setup::new().guest("counter").start()
}

fn probe() -> Host {
    Setup::new().guest("probe").start()
}

/// What the echo of a request says under a word: `header x-a: b` is found as `header`.
fn echoed<'a>(reply: &'a Reply, word: &str) -> Vec<&'a str> {
    reply.lines().into_iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

#[test]
fn a_counter_counts_up_and_down() {
    let host = counter();
    for (path, count) in [("value", "0"), ("increment", "1"), ("increment", "2"), ("decrement", "1"), ("value", "1")] {
        assert_eq!(host.get(&format!("/counter/A/{path}")).ok(), count, "{path}");
    }
    assert_eq!(host.get("/counter/below/decrement").ok(), "-1");
}

#[test]
fn an_object_sees_a_slash_where_the_url_ends_with_its_name() {
    let host = counter();
    host.get("/counter/A/increment");
    assert_eq!(host.get("/counter/A/").ok(), "1");
    assert_eq!(host.get("/counter/A").ok(), "1");
}

#[test]
fn an_unknown_path_is_answered_by_the_object() {
    let reply = counter().get("/counter/A/nope");
    assert_eq!((reply.status, reply.text()), (404, "Not found"));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(reply.header("content-length"), Some("9"));
    assert!(reply.header("date").is_some());
}

#[test]
fn paths_that_no_object_is_behind_are_told_what_is_served() {
    let host = Setup::new().guest("counter").class("room", "counter").start();
    for path in ["/", "/counter", "/counter/", "/nope/A/increment", "/Counter/A/increment"] {
        host.get(path).says(404, "this host serves /counter/{name}/{path}, /room/{name}/{path}");
    }
    host.get("/counter//increment").says(400, "the name of the object is empty");
}

#[test]
fn objects_of_different_names_are_apart() {
    let host = counter();
    assert_eq!(host.get("/counter/A/increment").ok(), "1");
    assert_eq!(host.get("/counter/A/increment").ok(), "2");
    assert_eq!(host.get("/counter/B/increment").ok(), "1");
    assert_eq!(host.get("/counter/a/value").ok(), "0");
}

#[test]
fn two_classes_of_one_file_are_apart() {
    let host = Setup::new().class("left", "counter").class("right", "counter").start();
    assert_eq!(host.get("/left/A/increment").ok(), "1");
    assert_eq!(host.get("/left/A/increment").ok(), "2");
    assert_eq!(host.get("/right/A/value").ok(), "0");
    assert_eq!(host.get("/right/A/increment").ok(), "1");
    let host = host.restart();
    assert_eq!((host.get("/left/A").ok(), host.get("/right/A").ok()), ("2", "1"));
}

#[test]
fn names_are_the_decoded_ones() {
    let host = probe();
    let name = |path: &str| {
        let reply = host.get(&format!("/probe/{path}/state"));
        reply.lines()[1].strip_prefix("name ").expect("the second line is the name").to_string()
    };
    for (encoded, decoded) in [
        ("a%20b", "a b"),
        ("a%2Fb", "a/b"),
        ("%2f", "/"),
        ("%C3%A9", "é"),
        ("%F0%9F%A6%80", "🦀"),
        ("a+b", "a+b"),
        ("%41", "A"),
        ("%25", "%"),
        ("..", ".."),
        ("a;b@c", "a;b@c"),
    ] {
        assert_eq!(name(encoded), decoded, "{encoded}");
    }
}

#[test]
fn two_spellings_of_a_name_are_one_object() {
    let host = counter();
    assert_eq!(host.get("/counter/A%20b/increment").ok(), "1");
    assert_eq!(host.get("/counter/%41%20%62/increment").ok(), "2");
    assert_eq!(host.get("/counter/caf%C3%A9/increment").ok(), "1");
    assert_eq!(host.get("/counter/caf%c3%a9/increment").ok(), "2");
}

#[test]
fn path_and_query_arrive_as_they_came() {
    let host = probe();
    let reply = host.get("/probe/A/echo?a=1&b=%20+%2F&c");
    assert_eq!(echoed(&reply, "path"), ["/echo"]);
    assert_eq!(echoed(&reply, "query"), ["a=1&b=%20+%2F&c"]);
    assert_eq!(echoed(&reply, "scheme"), ["http"]);
    assert_eq!(echoed(&reply, "authority"), ["example.com"]);
    assert!(echoed(&host.get("/probe/A/echo"), "query").is_empty());
    assert_eq!(echoed(&host.get("/probe/A/echo?"), "query").len(), 1, "an empty query is one");
    host.get("/probe/A/%65cho").says(404, "Not found");
}

#[test]
fn methods_arrive_as_they_came() {
    let mut connection = probe().keep();
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "X-OWN"] {
        let reply = connection.1.send(method, "/probe/A/echo", &[], b"");
        assert_eq!(echoed(&reply, "method"), [method]);
    }
}

#[test]
fn bodies_arrive_whole() {
    let (_host, mut connection) = probe().keep();
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    assert_eq!(connection.post("/probe/A/body", &every_byte).body, every_byte);
    assert_eq!(connection.post("/probe/A/body", b"").body, b"");
    connection
        .write(b"POST /probe/A/body HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        .unwrap();
    assert_eq!(connection.read_reply(false).unwrap().ok(), "abcde");
    assert_eq!(connection.get("/probe/A/bytes?len=3000000").body.len(), 3_000_000);
}

#[test]
fn headers_arrive_in_order_and_as_they_came() {
    let (_host, mut connection) = probe().keep();
    let sent = [("X-First", "1"), ("x-second", "b, c"), ("X-FIRST", "2"), ("cookie", "a=b; c=d"), ("accept", "*/*")];
    let reply = connection.send("POST", "/probe/A/echo", &sent, b"body");
    let headers = echoed(&reply, "header");
    for (name, value) in sent {
        let line = format!("{}: {value}", name.to_lowercase());
        assert!(headers.contains(&line.as_str()), "{line} is not in {headers:?}");
    }
    let first: Vec<&&str> = headers.iter().filter(|header| header.starts_with("x-first")).collect();
    assert_eq!(first, [&"x-first: 1", &"x-first: 2"]);
    assert!(headers.contains(&"host: example.com"));
    assert_eq!(echoed(&reply, "body"), ["body"]);
}

#[test]
fn headers_of_the_connection_do_not_arrive() {
    let host = probe();
    let request = b"POST /probe/A/echo HTTP/1.1\r\nhost: x\r\nconnection: keep-alive\r\nte: trailers\r\ntrailer: x\r\n\
        upgrade: h2c\r\nproxy-authorization: secret\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let replies = raw(&host.address, request);
    assert_eq!(echoed(&replies[0], "header"), ["host: x"]);
}

#[test]
fn headers_that_the_connection_header_names_do_not_arrive() {
    let host = probe();
    let request =
        b"GET /probe/A/echo HTTP/1.1\r\nhost: x\r\nconnection: close, X-Hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\n\
        proxy-connection: keep-alive\r\nx-end: 2\r\n\r\n";
    let replies = raw(&host.address, request);
    assert_eq!(echoed(&replies[0], "header"), ["host: x", "x-end: 2"]);
}

#[test]
fn head_is_answered_without_the_body() {
    let (_host, mut connection) = probe().keep();
    let reply = connection.send("HEAD", "/probe/A/bytes?len=10", &[], b"");
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("10")));
    // A body that was sent all the same would be in the way of the next reply.
    assert_eq!(connection.get("/probe/A/bytes?len=3").ok(), "xxx");
}

#[test]
fn headers_of_a_reply_leave_as_the_object_gave_them() {
    let (_host, mut connection) = probe().keep();
    let reply = connection.get("/probe/A/header?name=X-Own&value=a%20b");
    assert_eq!(reply.header("x-own"), Some("a b"));
    for (name, value) in [("content-length", "77"), ("transfer-encoding", "chunked"), ("connection", "close")] {
        let reply = connection.get(&format!("/probe/A/header?name={name}&value={value}"));
        assert_eq!((reply.status, reply.header("content-length")), (200, Some("0")), "{name}");
    }
}

#[test]
fn replies_that_are_not_http_are_a_bad_gateway() {
    let (_host, mut connection) = probe().keep();
    for path in ["status?code=0", "status?code=100", "status?code=600", "header?name=a%20b&value=c"] {
        connection.get(&format!("/probe/A/{path}")).says(502, "the object's response is not HTTP");
    }
    connection.get("/probe/A/header?name=a&value=b%0D%0Ac:%20d").says(502, "the object's response is not HTTP");
    for status in [200, 201, 204, 304, 404, 418, 500, 599] {
        assert_eq!(connection.get(&format!("/probe/A/status?code={status}")).status, status);
    }
}

#[test]
fn a_connection_moves_to_the_thread_of_its_object() {
    let host = Setup::new().guest("counter").with(["--threads", "2", "--log", "debug"]).start();
    // They are dealt out to the threads in turn, so one of two is on the wrong one.
    let mut connections = [host.connect(), host.connect()];
    let deadline = Instant::now() + PATIENCE;
    let mut count = 0;
    while !host.log().contains("a connection moved to the executor of its requests") {
        assert!(Instant::now() < deadline, "none has moved after {count} requests");
        for connection in &mut connections {
            count += 1;
            assert_eq!(connection.get("/counter/A/increment").ok(), count.to_string());
        }
    }
    // There it serves other objects as well.
    for n in 0..20 {
        for connection in &mut connections {
            connection.get(&format!("/counter/{n}/increment")).ok();
        }
    }
    assert_eq!(host.get("/counter/19/value").ok(), "2");
    host.signal("TERM");
    assert!(host.wait().status.success());
}

#[test]
fn a_connection_serves_many_requests_and_pipelined_ones_in_order() {
    let host = counter();
    let mut connection = host.connect();
    for count in 1..=50 {
        assert_eq!(connection.get("/counter/A/increment").number(), count);
    }
    connection.write("GET /counter/A/increment HTTP/1.1\r\nhost: x\r\n\r\n".repeat(50).as_bytes()).unwrap();
    for count in 51..=100 {
        assert_eq!(connection.read_reply(false).unwrap().number(), count);
    }
}

#[test]
fn a_reply_does_not_wait_for_the_rest_of_the_next_request() {
    let host = counter();
    let mut connection = host.connect();
    let request = b"GET /counter/A/increment HTTP/1.1\r\nhost: x\r\n\r\n";
    let (start, rest) = request.split_at(20);
    connection.write(&[request, start].concat()).unwrap();
    assert_eq!(connection.read_reply(false).unwrap().number(), 1);
    connection.write(rest).unwrap();
    assert_eq!(connection.read_reply(false).unwrap().number(), 2);
}

#[test]
fn a_restart_keeps_values() {
    let mut host = counter();
    for count in 1..=5 {
        assert_eq!(host.get("/counter/A/increment").number(), count);
        host = host.restart();
    }
    assert_eq!(host.get("/counter/A/value").number(), 5);
}

#[test]
fn both_abis_of_the_counter_tell_the_same() {
    let host = Setup::new().guest("counter").guest("counter-sync").start();
    for path in ["increment", "increment", "value", "decrement", "", "nope"] {
        let told = |class: &str| {
            let reply = host.get(&format!("/{class}/A/{path}"));
            (reply.status, reply.text().to_string())
        };
        assert_eq!(told("counter"), told("counter-sync"), "{path}");
    }
}

trait Keep {
    /// A connection, and the host that must outlive it.
    fn keep(self) -> (Host, crate::http::Connection);
}

impl Keep for Host {
    fn keep(self) -> (Host, crate::http::Connection) {
        let connection = self.connect();
        (self, connection)
    }
}
