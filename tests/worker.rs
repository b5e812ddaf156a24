//! The Worker in front: it gets every request and calls the objects itself.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::host::{Host, Setup};
use crate::http::at_once;

fn tutorial() -> Host {
    Setup::new().guest("counter").worker("tutorial").start()
}

#[test]
fn the_tutorial_says_what_the_tutorial_says() {
    let host = tutorial();
    let usage = "Select a Durable Object to contact by using the `name` URL query string parameter. e.g. ?name=A";
    for path in ["/", "/increment", "/increment?nome=A", "/nope"] {
        assert_eq!(host.get(path).ok(), usage, "{path}");
    }
    for (path, text) in [
        ("/?name=A", "Durable Object 'A' count: 0"),
        ("/increment?name=A", "Durable Object 'A' count: 1"),
        ("/increment?name=A", "Durable Object 'A' count: 2"),
        ("/decrement?name=A", "Durable Object 'A' count: 1"),
        ("/?name=A", "Durable Object 'A' count: 1"),
        ("/?name=B", "Durable Object 'B' count: 0"),
        ("/increment?x=y&name=a%20b", "Durable Object 'a b' count: 1"),
        ("/increment?name=a+b", "Durable Object 'a b' count: 2"),
    ] {
        assert_eq!(host.get(path).ok(), text, "{path}");
    }
}

#[test]
fn the_tutorial_hands_the_objects_not_found_through() {
    let reply = tutorial().get("/nope?name=A");
    assert_eq!((reply.status, reply.text()), (404, "Not found"));
}

#[test]
fn behind_a_worker_no_path_reaches_an_object_directly() {
    let host = tutorial();
    host.get("/counter/A/increment").says(200, "Select a Durable Object");
    assert_eq!(host.get("/?name=A").ok(), "Durable Object 'A' count: 0");
}

#[test]
fn increments_through_the_worker_are_all_counted() {
    let host = tutorial();
    let next = AtomicUsize::new(0);
    let counts = at_once(32, |_| {
        let mut connection = host.connect();
        let mut counts = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < 500 {
            let reply = connection.get("/increment?name=A");
            let count = reply.ok().strip_prefix("Durable Object 'A' count: ").expect("the tutorial's text");
            counts.push(count.parse::<u64>().expect("a count"));
        }
        counts
    });
    let counts: Vec<u64> = counts.concat();
    assert_eq!(counts.len(), 500);
    assert_eq!(counts.into_iter().collect::<BTreeSet<_>>(), (1..=500).collect());
    let host = host.restart();
    assert_eq!(host.get("/?name=A").ok(), "Durable Object 'A' count: 500");
}

#[test]
fn a_worker_keeps_a_connection_alive_and_answers_head() {
    let host = tutorial();
    let mut connection = host.connect();
    let reply = connection.send("HEAD", "/increment?name=A", &[], b"");
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(reply.header("content-length"), Some("Durable Object 'A' count: 1".len().to_string().as_str()));
    assert_eq!(connection.post("/increment?name=A", b"ignored").ok(), "Durable Object 'A' count: 2");
}

#[test]
fn a_worker_without_its_class_says_which_one_is_missing() {
    let host = Setup::new().worker("tutorial").start();
    assert!(host.ready_line.contains("classes: none behind the Worker"), "{}", host.ready_line);
    host.get("/increment?name=A").says(500, "counter");
}

/// An instance of a Worker lives through many requests. What it may use is CPU time, not time.
#[test]
fn a_worker_is_not_stopped_for_its_age() {
    let host = Setup::new().guest("counter").worker("tutorial").with(["--limit", "turn-cpu=300ms"]).start();
    let mut connection = host.connect();
    for count in 1..=15 {
        assert_eq!(connection.get("/increment?name=A").ok(), format!("Durable Object 'A' count: {count}"));
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(!host.log().contains("went down"), "{}", host.log());
}
