//! The gates of an object, tried by guests that wait in every way there is: in reads, in calls, in yields.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE, Setup};
use crate::http::{at_once, encoded};

const CLIENTS: usize = 32;
const REQUESTS: usize = 10;

/// A host that has just been started, and an object on it that is larger than what is held in memory: its reads wait
/// for the store.
fn with_cold_object(setup: &Setup, object: &str) -> Host {
    let host = setup.start();
    for part in 0..4 {
        let path = format!("/probe/{object}/storage/put-many?keys=x{part}a,x{part}b,x{part}c&value-len=20000");
        assert_eq!(host.get(&path).ok(), "ok");
    }
    host.restart()
}

/// Sends increments from many clients, each with its own query, and asserts that none is lost.
#[track_caller]
fn assert_all_count(host: &Host, path: impl Fn(usize) -> String + Sync) {
    let numbers = at_once(CLIENTS, |client| {
        let mut connection = host.connect();
        let path = |request| path(client * REQUESTS + request);
        (0..REQUESTS).map(|request| connection.get(&path(request)).number()).collect::<Vec<u64>>()
    });
    let value = host.get("/probe/A/storage/get?key=n").number();
    assert_eq!(value, (CLIENTS * REQUESTS) as u64, "increments were lost");
    assert_eq!(numbers.concat().into_iter().collect::<BTreeSet<_>>(), (1..=value).collect(), "a number came twice");
}

/// The answer to the second read must not wait outside while another event reads what this one is about to write.
#[test]
fn increments_that_read_twice_lose_nothing() {
    let host = with_cold_object(&Setup::new().guest("probe"), "A");
    assert_all_count(&host, |request| format!("/probe/A/storage/increment?key=n&beside=other-{request}"));
}

/// Answers of calls come in one at a time, like events.
#[test]
fn increments_after_a_call_lose_nothing() {
    let host = with_cold_object(&Setup::new().guest("probe"), "A");
    assert_all_count(&host, |request| {
        let callee = request % 5;
        let call = format!("class=probe&name=callee-{callee}&path={}", encoded("/storage/increment?key=n"));
        format!("/probe/A/namespace/call-then-increment?{call}&key=n&beside=other-{request}")
    });
}

/// Both at once, and completions of other kinds between them.
#[test]
fn increments_of_every_kind_beside_each_other_lose_nothing() {
    let host = with_cold_object(&Setup::new().guest("probe"), "A");
    assert_all_count(&host, |request| match request % 4 {
        0 => format!("/probe/A/storage/increment?key=n&beside=other-{request}"),
        1 => "/probe/A/storage/increment?key=n".to_string(),
        // Calls itself, and so waits for an event that must get in while it waits.
        2 => {
            let call = format!("class=probe&name=A&path={}", encoded(&format!("/storage/get?key=x1a&r={request}")));
            format!("/probe/A/namespace/call-then-increment?{call}&key=n&beside=x2b")
        }
        _ => {
            let call = "class=probe&name=callee&path=/storage/sync";
            format!("/probe/A/namespace/call-then-increment?{call}&key=n&beside=other-{request}")
        }
    });
}

/// A read holds the input gate. Whoever drops it must let go.
#[test]
fn a_read_that_the_guest_gives_up_lets_go_of_the_object() {
    let setup = Setup::new().guest("probe").with(["--idle-timeout", "200ms"]);
    let host = with_cold_object(&setup, "A");
    let mut connection = host.connect();
    // A read is sometimes answered before the guest can turn its back on it: on a busy machine most of them are.
    let mut waited = 0;
    let mut count = 0;
    let deadline = Instant::now() + PATIENCE;
    while count < 20 || waited == 0 {
        assert!(Instant::now() < deadline, "no read of {count} waited, so none was given up");
        let later = if count % 2 == 0 { "" } else { "&later=true" };
        let reply = connection.get(&format!("/probe/A/give-up?key=missing-{count}{later}"));
        waited += usize::from(reply.ok() == "waited");
        count += 1;
        assert_eq!(connection.get("/probe/A/storage/increment?key=n").number(), count);
    }
    at_once(8, |client| {
        let mut connection = host.connect();
        for request in 0..10 {
            assert_eq!(connection.get(&format!("/probe/A/give-up?key=missing-{client}-{request}")).status, 200);
            connection.get("/probe/A/storage/increment?key=n").number();
        }
    });
    assert_eq!(connection.get("/probe/A/storage/get?key=n").number(), count + 80);

    // It can still be evicted. Asking keeps it awake, so ask seldom.
    connection.get("/probe/A/give-up?key=missing").ok();
    let deadline = Instant::now() + PATIENCE;
    while connection.get("/probe/A/memory").number() != 1 {
        assert!(Instant::now() < deadline, "it is never evicted");
        std::thread::sleep(Duration::from_millis(600));
    }

    // And it does not hold up a stop.
    connection.get("/probe/A/give-up?key=missing").ok();
    drop(connection);
    let begin = Instant::now();
    let ended = host.stop();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    // The default of --shutdown-timeout is 30 s.
    assert!(begin.elapsed() < Duration::from_secs(10), "the stop took {:?}", begin.elapsed());
}

/// Calls wait for the writes before them. A later call must not overtake one that waits, not even if by then there is
/// nothing left to wait for: the guest computes until the write is durable, and the earlier call has not noticed yet.
#[test]
fn calls_through_one_stub_keep_their_order_while_commits_are_waited_for() {
    let host = Setup::new().guest("probe").start();
    // `p` writes, `c` calls, `s` computes, `w` waits for an answer to `o`, which ends the turn, and `r` for all replies.
    let scripts = ["pccc", "pcr", "opccwsc", "opcwscc", "opwscc", "copcwscpccsc", "opcwsccrpc"];
    for (script, steps) in scripts.into_iter().enumerate() {
        let steps = steps.repeat(7);
        // From no time at all to several slices of the thread.
        for (round, spin) in [0, 100_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000].into_iter().enumerate() {
            let name = format!("callee-{script}-{round}");
            let path = format!("/probe/A/namespace/in-order?class=probe&name={name}&steps={steps}&spin={spin}");
            let made = host.get(&path).number();
            let log = host.get(&format!("/probe/{name}/storage/get?key=log"));
            let expected: String = (1..=made).map(|number| format!("{number},")).collect();
            assert_eq!(log.ok(), expected, "{steps} with {spin} rounds of computing");
        }
    }
}

/// A guest that yields gives way to others, and waits for nothing: what it wrote is not a whole yet.
#[test]
fn a_yield_does_not_end_a_turn() {
    let host = Setup::new().guest("probe").start();
    for round in 0..5 {
        assert_eq!(host.get("/probe/A/put-then-yield-then-trap?key=k&value=1").status, 500);
        for key in ["k", "k-2"] {
            assert_eq!(host.get(&format!("/probe/A/storage/get?key={key}")).status, 404, "{key} in round {round}");
        }
    }
    let host = host.restart();
    assert_eq!(host.get("/probe/A/storage/list?").ok(), "");
}
