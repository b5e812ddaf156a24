//! The same counter in one language after the other: whatever it was written in, it behaves alike.
//!
//! A language is a test of three lines and a component in `target/guests` with the behaviour of `guests/counter`. Each gets
//! one host, which is killed and started once: to compile the large runtimes of some languages takes most of the time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::host::{Host, Setup, dohost};
use crate::http::{Connection, at_once};

const CLIENTS: usize = 16;
const INCREMENTS_EACH: u64 = 25;

/// Objects in memory at once, at most.
const RESIDENTS: usize = 200;

/// Of each request, and how many come: 150 MiB, where an object may have 128.
const BODY_BYTES: usize = 512 << 10;
const BODIES: u64 = 300;

/// Compiling Python takes half a minute of CPU, and so much longer on a machine that is busy with other tests.
const START_MAX: Duration = Duration::from_secs(600);

#[test]
fn a_counter_in_rust_counts_like_the_others() {
    counts_like_the_others("counter");
}

#[test]
fn a_counter_in_rust_with_the_sync_abi_counts_like_the_others() {
    counts_like_the_others("counter-sync");
}

#[test]
fn a_counter_in_c_counts_like_the_others() {
    counts_like_the_others("counter-c");
}

#[test]
fn a_counter_in_zig_counts_like_the_others() {
    counts_like_the_others("counter-zig");
}

#[test]
fn a_counter_in_assemblyscript_counts_like_the_others() {
    counts_like_the_others("counter-assemblyscript");
}

#[test]
fn a_counter_in_go_counts_like_the_others() {
    counts_like_the_others("counter-go");
}

#[test]
fn a_counter_in_python_counts_like_the_others() {
    counts_like_the_others("counter-python");
}

fn counts_like_the_others(file: &str) {
    let component = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../target/guests/{file}.wasm"));
    assert!(
        component.is_file(),
        "there is no target/guests/{file}.wasm: run `cargo xtask guests` and `cargo xtask languages` first"
    );
    let residents = ["--max-resident".to_string(), RESIDENTS.to_string()];
    let setup = Setup::new().class("counter", file).with(residents).ready_within(START_MAX);
    let host = setup.start();
    counts(&host);
    keeps_objects_apart(&host);
    is_called_by_its_methods(&host, file);
    throws(&host);
    keeps_its_count_when_evicted(&host);
    counts_exactly_for_many_clients(&host);
    frees_what_it_was_sent(&host);
    has_room_for_as_many_as_may_be(&host);
    let host = keeps_what_it_acknowledged_when_killed(host);
    assert_eq!(host.get("/counter/A/value").ok(), "1", "the other objects are there, too");
}

fn counts(host: &Host) {
    let steps = [("value", "0"), ("increment", "1"), ("increment", "2"), ("decrement", "1"), ("value", "1"), ("", "1")];
    for (path, count) in steps {
        let reply = host.get(&format!("/counter/A/{path}"));
        assert_eq!(reply.ok(), count, "{path}");
        assert_eq!(reply.header("content-type"), Some("text/plain"));
    }
    assert_eq!(host.get("/counter/below/decrement").ok(), "-1");
    let reply = host.connect().send("POST", "/counter/posted/increment?a=b", &[("x-a", "1"), ("x-b", "")], b"a body");
    assert_eq!(reply.ok(), "1");
    let reply = host.get("/counter/A/nope");
    assert_eq!((reply.status, reply.text()), (404, "Not found"));
}

fn keeps_objects_apart(host: &Host) {
    assert_eq!(host.get("/counter/left/increment").ok(), "1");
    assert_eq!(host.get("/counter/left/increment").ok(), "2");
    assert_eq!(host.get("/counter/right/increment").ok(), "1");
    assert_eq!(host.get("/counter/Left/value").ok(), "0");
}

fn is_called_by_its_methods(host: &Host, file: &str) {
    // The one in Rust that shows the sync ABI has none.
    if file == "counter-sync" {
        return assert_eq!(host.connect().post("/counter/called/rpc/value", b"").status, 404);
    }
    let call = |method: &str, arguments: &str| {
        let headers = [("content-type", "application/json")];
        host.connect().send("POST", &format!("/counter/called/rpc/{method}"), &headers, arguments.as_bytes())
    };
    assert_eq!(call("increment", "{}").ok(), "1");
    assert_eq!(call("increment", r#"{"by": 41}"#).ok(), "42");
    assert_eq!(call("increment", "[4294967295]").ok(), "4294967337");
    assert_eq!(call("value", "").ok(), "4294967337");
    assert_eq!(host.get("/counter/called/value").ok(), "4294967337", "HTTP and methods reach the same object");
    assert_eq!(call("increment", r#"{"by": -1}"#).status, 400);
    put(host, "called", "9223372036854775807");
    let reply = call("increment", "");
    assert!(reply.status >= 400 && reply.text().contains("the counter is full"), "{} {}", reply.status, reply.text());
    assert_eq!(call("value", "").text().trim_matches('"'), "9223372036854775807");
}

fn throws(host: &Host) {
    for (stored, exception) in
        [("9223372036854775807", "the counter is full"), ("nonsense", "the stored count is not a number")]
    {
        put(host, "broken", stored);
        host.get("/counter/broken/increment").says(500, "the object threw an exception");
        host.log_with(&format!("counter/broken: {exception}"));
    }
    // It lives on, and its store can be put right.
    host.get("/counter/broken/value").says(500, "the object threw an exception");
    put(host, "broken", "41");
    assert_eq!(host.get("/counter/broken/increment").ok(), "42");
}

fn keeps_its_count_when_evicted(host: &Host) {
    for count in 1..=3 {
        assert_eq!(host.get("/counter/evicted/increment").number(), count);
        assert_eq!(objects(host, &["evict", "counter/evicted"]), "evicted\n");
        assert_eq!(host.get("/counter/evicted/value").number(), count);
    }
}

fn counts_exactly_for_many_clients(host: &Host) {
    let numbers = at_once(CLIENTS, |_| {
        let mut connection = host.connect();
        (0..INCREMENTS_EACH).map(|_| connection.get("/counter/busy/increment").number()).collect::<Vec<_>>()
    });
    let all: BTreeSet<u64> = numbers.into_iter().flatten().collect();
    assert_eq!(all, (1..=CLIENTS as u64 * INCREMENTS_EACH).collect(), "every number is given once");
    assert_eq!(host.get("/counter/busy/value").number(), CLIENTS as u64 * INCREMENTS_EACH);
}

/// All of it together is more than an object may have. Languages that collect garbage have to do it meanwhile.
fn frees_what_it_was_sent(host: &Host) {
    let body = vec![b'x'; BODY_BYTES];
    let mut connection = host.connect();
    for count in 1..=BODIES {
        assert_eq!(connection.post("/counter/fed/increment", &body).number(), count);
    }
}

/// Runtimes of languages are made of many modules, memories and tables, of which the host has so many and no more.
fn has_room_for_as_many_as_may_be(host: &Host) {
    let mut connection = host.connect();
    for index in 0..RESIDENTS {
        assert_eq!(connection.get(&format!("/counter/one-of-many-{index}/value")).ok(), "0", "{index}");
    }
}

/// Kills the host among increments, and gives the next one.
fn keeps_what_it_acknowledged_when_killed(host: Host) -> Host {
    let (address, setup) = (host.address.clone(), host.setup.clone());
    let (sent, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
    let doomed = Mutex::new(Some(host));
    at_once(CLIENTS + 1, |client| {
        if client == CLIENTS {
            std::thread::sleep(Duration::from_millis(300));
            return doomed.lock().unwrap().take().expect("it is killed once").kill();
        }
        let Ok(mut connection) = Connection::open(&address) else { return };
        loop {
            sent.fetch_add(1, Ordering::Relaxed);
            match connection.try_send("POST", "/counter/killed/increment", &[], b"") {
                Ok(reply) => acknowledged.fetch_max(reply.number(), Ordering::Relaxed),
                Err(_) => return,
            };
        }
    });
    let host = setup.start();
    let value = host.get("/counter/killed/value").number();
    let (sent, acknowledged) = (sent.into_inner(), acknowledged.into_inner());
    assert!(acknowledged > 0, "nothing was acknowledged before the kill");
    assert!((acknowledged..=sent).contains(&value), "{acknowledged} acknowledged, {sent} sent, {value} there");
    host
}

/// Writes the count of an object, as an operator may.
fn put(host: &Host, name: &str, count: &str) {
    objects(host, &["put", &format!("counter/{name}"), "count", count]);
}

/// Runs `dohost objects …` on the data of a host.
fn objects(host: &Host, arguments: &[&str]) -> String {
    let data = host.setup.data();
    let ended = dohost([&["objects", "--data-dir", data.to_str().expect("a path in UTF-8")], arguments].concat());
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    ended.stdout
}
