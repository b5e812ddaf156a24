//! Guests that fail: what their clients see, what stays of their writes, and that nobody else notices.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::host::{Host, Setup};
use crate::http::{Reply, at_once};

fn probe() -> Host {
    Setup::new().guest("probe").start()
}

fn get(host: &Host, key: &str) -> u16 {
    host.get(&format!("/probe/A/storage/get?key={key}")).status
}

/// Asserts that a client learns what kind of failure it was and an id for the log, and not more.
fn assert_logged(host: &Host, reply: &Reply, text: &str, detail: &str) {
    let id = reply.header("x-request-id").expect("an error has a request id");
    assert_eq!((reply.status, reply.text()), (500, format!("{text}\nrequest id: {id}\n").as_str()));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let log = host.log_with(id);
    let line = log.lines().find(|line| line.contains(id)).expect("the id is in the log");
    assert!(line.contains(text) && line.contains(detail), "{line}");
}

#[test]
fn a_trap_is_an_error_with_a_request_id_that_is_in_the_log() {
    let host = probe();
    let reply = host.get("/probe/A/trap");
    assert_logged(&host, &reply, "the object was reset during the request", "probe/A");
    host.log_with("wasm trap: wasm `unreachable` instruction executed");
}

#[test]
fn two_failures_have_two_request_ids() {
    let host = probe();
    let id = || host.get("/probe/A/trap").header("x-request-id").map(str::to_string);
    assert_ne!(id(), id());
}

#[test]
fn a_trap_takes_the_writes_of_its_turn_with_it() {
    let host = probe();
    host.get("/probe/A/storage/put?key=before&value=1");
    assert_eq!(host.get("/probe/A/put-then-trap?key=k&value=1").status, 500);
    assert_eq!(get(&host, "k"), 404);
    assert_eq!(host.get("/probe/A/put-then-trap?key=before&value=2").status, 500);
    assert_eq!(host.get("/probe/A/storage/get?key=before").ok(), "1");
    let host = host.restart();
    assert_eq!(get(&host, "k"), 404);
    assert_eq!(host.get("/probe/A/storage/get?key=before").ok(), "1");
}

#[test]
fn what_was_durable_before_a_trap_stays() {
    let host = probe();
    assert_eq!(host.get("/probe/A/put-then-wait-then-trap?key=k&value=1").status, 500);
    assert_eq!(host.get("/probe/A/storage/get?key=k").ok(), "1");
    assert_eq!(host.restart().get("/probe/A/storage/get?key=k").ok(), "1");
}

#[test]
fn after_a_trap_the_next_request_starts_afresh() {
    let host = probe();
    for count in [1, 2] {
        assert_eq!(host.get("/probe/A/memory").number(), count);
    }
    host.get("/probe/A/trap");
    assert_eq!(host.get("/probe/A/memory").number(), 1);
}

#[test]
fn an_exception_is_an_error_whose_text_stays_in_the_house() {
    let host = probe();
    let reply = host.get("/probe/A/exception?message=the+secret+is+42");
    assert_logged(&host, &reply, "the object threw an exception", "the secret is 42");
    assert!(!format!("{reply:?}").contains("secret"));
}

#[test]
fn after_an_exception_the_object_lives_on_with_its_writes() {
    let host = probe();
    assert_eq!(host.get("/probe/A/memory").number(), 1);
    assert_eq!(host.get("/probe/A/put-then-exception?key=k&value=1").status, 500);
    assert_eq!(host.get("/probe/A/memory").number(), 2);
    assert_eq!(host.get("/probe/A/storage/get?key=k").ok(), "1");
    assert_eq!(host.restart().get("/probe/A/storage/get?key=k").ok(), "1");
}

#[test]
fn traps_of_one_object_do_not_disturb_others() {
    let host = probe();
    let is_done = AtomicBool::new(false);
    at_once(9, |thread| {
        let mut connection = host.connect();
        if thread == 0 {
            for _ in 0..100 {
                let path = ["/probe/bad/trap", "/probe/bad/put-then-trap?key=k&value=v", "/probe/bad/recurse"];
                assert!(path.iter().all(|path| connection.get(path).status == 500));
            }
            return is_done.store(true, Ordering::Relaxed);
        }
        let mut count = 0;
        while !is_done.load(Ordering::Relaxed) {
            count += 1;
            assert_eq!(connection.get(&format!("/probe/good-{thread}/storage/increment?key=n")).number(), count);
            assert_eq!(connection.get(&format!("/probe/good-{thread}/memory")).number(), count);
        }
        assert!(count > 0);
    });
    assert_eq!(host.get("/probe/bad/storage/get?key=k").status, 404);
}

/// Increments that run beside traps of the same object: an answer means that it counts.
#[test]
fn increments_that_were_answered_survive_traps_beside_them() {
    let host = probe();
    let answered = at_once(16, |thread| {
        let mut connection = host.connect();
        let mut answered = 0;
        for request in 0..40 {
            if (thread + request) % 10 == 0 {
                // 503 if another one was quicker.
                assert!(matches!(connection.get("/probe/A/trap").status, 500 | 503));
            }
            let reply = connection.get("/probe/A/storage/increment?key=n");
            match reply.status {
                200 => answered += 1,
                500 => reply.says(500, "the object was reset during the request"),
                _ => {
                    reply.says(503, "the object was reset before the request");
                    assert_eq!(reply.header("retry-after"), Some("1"));
                }
            }
        }
        answered
    });
    let (answered, value) = (answered.iter().sum::<u64>(), host.get("/probe/A/storage/get?key=n").number());
    assert!((answered..=16 * 40).contains(&value), "{answered} were answered, {value} is there");
    assert!(answered > 0);
}

#[test]
fn a_guest_that_never_gives_way_is_stopped() {
    let host = Setup::new().guest("probe").with(["--limit", "turn-cpu=300ms", "--threads", "1"]).start();
    at_once(2, |thread| match thread {
        0 => {
            let reply = host.get("/probe/A/spin");
            assert_logged(&host, &reply, "the object was reset during the request", "probe/A");
        }
        // On the only executor there is, beside the one that spins.
        _ => (1..=50).for_each(|count| assert_eq!(host.get("/probe/B/storage/increment?key=n").number(), count)),
    });
    assert_eq!(host.get("/probe/A/memory").number(), 1);
}

/// It gives way, so its neighbours do not suffer; but it would never be done.
#[test]
fn a_guest_that_yields_for_ever_is_stopped() {
    for path in ["/probe/A/yield", "/probe/A/yield?blocking=true"] {
        let host = Setup::new().guest("probe").with(["--limit", "turn-cpu=300ms", "--threads", "1"]).start();
        at_once(2, |thread| match thread {
            0 => {
                let reply = host.get(path);
                assert_logged(&host, &reply, "the object was reset during the request", "probe/A");
            }
            _ => (1..=50).for_each(|count| assert_eq!(host.get("/probe/B/storage/increment?key=n").number(), count)),
        });
        assert_eq!(host.get("/probe/A/memory").number(), 1);
    }
}

#[test]
fn a_guest_that_runs_out_of_stack_is_reset() {
    let host = probe();
    for _ in 0..3 {
        let reply = host.get("/probe/A/recurse");
        assert_logged(&host, &reply, "the object was reset during the request", "probe/A");
        assert_eq!(host.get("/probe/A/memory").number(), 1);
    }
}

#[test]
fn a_guest_gets_no_more_memory_than_it_may_have() {
    let host = Setup::new().guest("probe").with(["--limit", "memory=32MiB"]).start();
    let grow = |object: &str, mib: usize| host.get(&format!("/probe/{object}/grow?bytes={}", mib << 20)).status;
    assert_eq!(grow("A", 20), 200);
    assert_eq!(grow("A", 20), 507);
    assert_eq!(grow("B", 20), 200, "what one object took is not taken from another");
    assert_eq!(host.get("/probe/A/memory").number(), 1);
    assert_eq!(grow("C", 40), 507);
}

#[test]
fn an_object_with_too_many_requests_says_when_to_come_back() {
    let host = Setup::new().guest("probe").with(["--limit", "events=4", "--limit", "turn-cpu=2s"]).start();
    let replies = at_once(24, |_| host.get("/probe/A/storage/increment?key=n&pause=true"));
    let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status != 200).collect();
    for reply in &refused {
        reply.says(503, "the object is overloaded");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    // How many depends on the moment; that the spin below fills the object does not.
    at_once(24, |thread| match thread {
        0..4 => drop(host.get("/probe/B/spin")),
        _ => {
            std::thread::sleep(std::time::Duration::from_millis(400));
            let reply = host.get("/probe/B/memory");
            assert!(matches!(reply.status, 200 | 503), "{}", reply.text());
        }
    });
}

/// More of them than the map that the host keeps them in can hold.
#[test]
fn a_response_with_40_000_headers_is_refused_and_the_object_lives_on() {
    let host = probe();
    for count in [1, 2] {
        let reply = host.get("/probe/A/headers?count=40000");
        reply.says(502, "the object's response is not HTTP");
        let id = reply.header("x-request-id").expect("an error has a request id");
        assert!(host.log_with(id).contains("40000 headers"));
        assert_eq!(host.get("/probe/A/memory").number(), count);
    }
    let reply = host.get("/probe/A/headers?count=100");
    assert!(reply.status == 200 && reply.header("x-99").is_some(), "{reply:?}");
}

#[test]
fn nothing_leaves_for_the_network() {
    let host = probe();
    host.get("/probe/A/fetch?url=http://127.0.0.1:1/").says(400, "denied: ");
}
