//! Calls with streamed bodies: every kind of caller to every kind of object.

use std::io::Write;
use std::time::Duration;

use crate::host::{Host, Setup};
use crate::http::{Reply, encoded};

/// Streams on both sides, records on both sides, and a Worker in front.
fn start_with<const N: usize>(arguments: [&str; N]) -> Host {
    Setup::new().guest("http-object").guest("probe").worker("streamer").with(arguments).start()
}

/// The path of a call by the Worker.
fn call(how: &str, class: &str, path: &str) -> String {
    format!("/{how}?class={class}&name=A&path={}", encoded(path))
}

/// The same by an object that the Worker calls.
fn call_by_object(how: &str, class: &str, path: &str) -> String {
    let inner = format!("/{how}?class={class}&name=B&path={}", encoded(path));
    format!("/call?class=http-object&name=A&path={}", encoded(&inner))
}

fn post(host: &Host, path: &str, body: &[u8]) -> Reply {
    host.connect().post(path, body)
}

#[test]
fn every_caller_reaches_every_object() {
    let host = start_with([]);
    for by in [call, call_by_object] {
        for how in ["call", "call-whole"] {
            assert_eq!(post(&host, &by(how, "http-object", "/copy"), b"some text").ok(), "some text", "{how}");
            assert_eq!(post(&host, &by(how, "http-object", "/nope"), b"").status, 404, "{how}");
            let reply = post(&host, &by(how, "probe", "/echo?a=b"), b"some text");
            let lines = reply.lines();
            for line in ["method POST", "path /echo", "query a=b", "body some text", "authority object.test"] {
                assert!(lines.contains(&line), "{how}: {line} is missing: {lines:?}");
            }
        }
    }
    // And from records to records, through an object that streams.
    assert_eq!(host.get(&call("call", "http-object", "/increment")).ok(), "1");
}

#[test]
fn a_call_streams_both_ways() {
    let host = start_with([]);
    for path in [call("call", "http-object", "/copy"), call_by_object("call", "http-object", "/copy")] {
        let mut connection = host.connect();
        connection.begin("POST", &path);
        assert_eq!(connection.read_head().unwrap().status, 200);
        for word in ["one", "two", "three"] {
            connection.send_chunk(word.as_bytes()).unwrap();
            assert_eq!(connection.chunk(), word);
        }
        connection.send_chunk(b"").unwrap();
        assert_eq!(connection.chunk(), "");
    }
}

#[test]
fn a_failure_of_the_object_reaches_the_caller() {
    let host = start_with([]);
    let reply = host.get(&call("call", "http-object", &format!("/steps?before={}", encoded("trap"))));
    reply.says(500, "remote false, retryable true");
    let mut connection = host.connect();
    let steps = ["chunk a", "sleep 50", "trap"].map(|step| format!("do={}", encoded(step))).join("&");
    connection.begin("POST", &call_by_object("call", "http-object", &format!("/steps?{steps}")));
    assert_eq!(connection.read_head().unwrap().status, 200);
    assert_eq!(connection.chunk(), "a\n");
    assert!(connection.read_chunk().is_err(), "a reset of the callee ends the body with an error");
}

#[test]
fn what_is_collected_has_a_limit() {
    let host = start_with(["--limit", "body=1000000", "--limit", "probe:body=1000"]);
    let reply = post(&host, &call("call", "probe", "/echo"), &[b'x'; 1_001]);
    reply.says(500, "more than 1000 bytes, the limit body");
    assert_eq!(post(&host, &call("call", "http-object", "/count"), &[b'x'; 100_000]).ok(), "100000 bytes");
    let path = call_by_object("call-whole", "http-object", "/source?bytes=1000001");
    host.get(&path).says(500, "more than 1000000 bytes, the limit body");
    let path = call_by_object("call-whole", "http-object", "/source?bytes=1000000");
    assert_eq!(host.get(&path).body.len(), 1_000_000);
}

#[test]
fn a_call_counts_until_its_stream_has_ended() {
    let host = start_with(["--limit", "http-object:calls=2"]);
    let tail = |ms: u32| format!("/steps?do={}&do={}", encoded("chunk a"), encoded(&format!("sleep {ms}")));
    let mut open: Vec<_> = (0..2)
        .map(|_| {
            let mut connection = host.connect();
            connection.begin("GET", &call_by_object("call", "http-object", &tail(60_000)));
            assert_eq!(connection.read_head().unwrap().status, 200);
            assert_eq!(connection.chunk(), "a\n");
            connection
        })
        .collect();
    host.get(&call_by_object("call", "http-object", "/value")).says(500, "the limit calls");
    open.pop();
    let deadline = std::time::Instant::now() + crate::host::PATIENCE;
    while host.get(&call_by_object("call", "http-object", "/value")).status != 200 {
        assert!(std::time::Instant::now() < deadline, "a stream that was dropped still counts");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Through the client, the Worker, the object and back, as fast as a reader that stops now and then.
#[test]
fn a_large_stream_takes_no_memory() {
    const BYTES: usize = 200 << 20;
    const MEMORY_MAX: u64 = 48 << 20;
    let host = start_with(["--limit", "body=1GiB"]);
    // What is made once is there.
    post(&host, &call("call", "http-object", "/copy"), b"x").ok();
    let before = host.memory_peak();
    let mut connection = host.connect();
    connection.begin("POST", &call("call", "http-object", "/copy"));
    assert_eq!(connection.read_head().unwrap().status, 200);
    let mut writer = connection.writer();
    let writing = std::thread::spawn(move || {
        let mut chunk = format!("{:x}\r\n", 1 << 20).into_bytes();
        chunk.extend(vec![b'x'; 1 << 20]);
        chunk.extend(b"\r\n");
        (0..BYTES >> 20).for_each(|_| writer.write_all(&chunk).unwrap());
        writer.write_all(b"0\r\n\r\n").unwrap();
    });
    let (mut read, mut paused) = (0, 0);
    loop {
        let len = connection.read_chunk().unwrap().len();
        read += len;
        if len == 0 {
            break;
        }
        if read / (40 << 20) > paused {
            paused += 1;
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    writing.join().unwrap();
    assert_eq!(read, BYTES);
    let grown = host.memory_peak().saturating_sub(before);
    assert!(grown < MEMORY_MAX, "{} MiB were held at a time", grown >> 20);
}

/// The body of a reply that is held back ends with the life, and with it the call that it comes from.
#[test]
fn a_trap_while_a_reply_that_is_handed_on_is_held_back_stops_nobody() {
    let host = start_with([]);
    let path = format!("/call-then-trap?class=http-object&name=B&path={}", encoded("/copy"));
    for _ in 0..3 {
        assert_eq!(post(&host, &call("call", "http-object", &path), b"text").status, 500);
        assert_eq!(host.get(&call("call", "http-object", "/value")).ok(), "0", "what it wrote is gone");
    }
}
