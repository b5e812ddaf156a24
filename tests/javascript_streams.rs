//! Bodies of objects in JavaScript, which come and go as they are made, with a Worker in front and without.

use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE};
use crate::http::Connection;
use crate::programs::program;

const STREAMS: &str = include_str!("programs/streams.js");

/// A host, and the path of an object on it; the same behind a Worker.
fn hosts() -> [(Host, &'static str); 2] {
    let behind = format!("{STREAMS}\nexport default worker;\n");
    [
        (program(&[("streams.js", STREAMS)]).start(), "/Streamer/a"),
        (program(&[("behind.js", behind.as_str())]).start(), ""),
    ]
}

fn begin(host: &Host, method: &str, path: &str) -> Connection {
    let mut connection = host.connect();
    connection.begin(method, path);
    connection
}

#[test]
fn a_response_of_a_program_leaves_as_it_is_written() {
    for (host, object) in hosts() {
        let mut connection = begin(&host, "GET", &format!("{object}/steps"));
        let head = connection.read_head().unwrap();
        assert_eq!((head.status, head.header("x-own")), (201, Some("yes")));
        for text in ["one", "two"] {
            host.get(&format!("{object}/write?text={text}")).ok();
            assert_eq!(connection.chunk(), text);
        }
        host.get(&format!("{object}/close")).ok();
        assert_eq!(connection.chunk(), "");
    }
}

#[test]
fn a_request_to_a_program_is_answered_while_it_comes() {
    for (host, object) in hosts() {
        let mut connection = begin(&host, "POST", &format!("{object}/upper"));
        connection.send_chunk(b"one").unwrap();
        assert_eq!(connection.read_head().unwrap().status, 200);
        assert_eq!(connection.chunk(), "ONE");
        connection.send_chunk(b"two").unwrap();
        assert_eq!(connection.chunk(), "TWO");
        connection.send_chunk(b"").unwrap();
        assert_eq!(connection.chunk(), "");
    }
}

#[test]
fn a_program_streams_to_the_network_and_back() {
    let server = program(&[("streams.js", STREAMS)]).start();
    let setup = program(&[("streams.js", STREAMS)]).with(["--allow-outgoing", &server.address]);
    let host = setup.start();
    let path = |target: &str| format!("/Streamer/a/from?to=http://{}/Streamer/a{target}", server.address);
    let mut connection = begin(&host, "POST", &path("/upper"));
    connection.send_chunk(b"one").unwrap();
    assert_eq!(connection.read_head().unwrap().status, 200);
    assert_eq!(connection.chunk(), "ONE");
    connection.send_chunk(b"").unwrap();
    assert_eq!(connection.chunk(), "");
    let mut connection = begin(&host, "GET", &path("/steps"));
    assert_eq!(connection.read_head().unwrap().header("x-own"), Some("yes"));
    server.get("/Streamer/a/write?text=two").ok();
    assert_eq!(connection.chunk(), "two");
    let reply = host.get("/Streamer/a/from?to=http://elsewhere.example.com/");
    assert_eq!(reply.status, 500);
    host.log_with("TypeError: elsewhere.example.com is not among the allowed destinations");
}

#[test]
fn a_client_that_goes_away_cancels_the_stream_of_a_program() {
    for (host, object) in hosts() {
        let mut connection = begin(&host, "GET", &format!("{object}/endless"));
        assert_eq!(connection.read_head().unwrap().status, 200);
        connection.read_chunk().unwrap();
        drop(connection);
        let deadline = Instant::now() + PATIENCE;
        while host.get(&format!("{object}/cancelled")).ok() != "true" {
            assert!(Instant::now() < deadline, "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn streams_of_a_program_take_no_memory() {
    // More than an instance may have, and more than is collected.
    const MEBIBYTES: usize = 200;
    for (host, object) in hosts() {
        let mut connection = begin(&host, "GET", &format!("{object}/mebibytes?count={MEBIBYTES}"));
        assert_eq!(connection.read_head().unwrap().status, 200);
        let mut bytes = 0;
        loop {
            match connection.read_chunk().unwrap().len() {
                0 => break,
                len => bytes += len,
            }
        }
        assert_eq!(bytes, MEBIBYTES << 20);
    }
}

#[test]
fn a_body_that_is_sent_whole_is_whole() {
    for (host, object) in hosts() {
        for bytes in [1, 65_536, 65_537, 900_000] {
            host.connect().post(&format!("{object}/count"), &vec![7; bytes]).says(200, &bytes.to_string());
        }
    }
}

#[test]
fn a_stream_of_a_program_that_fails_breaks_off() {
    for (host, object) in hosts() {
        let mut connection = begin(&host, "GET", &format!("{object}/breaks"));
        assert_eq!(connection.read_head().unwrap().status, 200);
        assert_eq!(connection.chunk(), "one");
        assert!(connection.read_chunk().is_err());
    }
}
