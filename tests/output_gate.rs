//! What leaves an object waits for the writes before it, and for no others.
//!
//! That something has waited shows when the host is killed at the moment at which it leaves: what it waited for is there.
//! That it would have waited for ever shows on a full disk, where no commit succeeds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE, Setup};
use crate::http::at_once;
use crate::outside::Outside;
use crate::script::{Script, let_arrive, line, lines, start};
use crate::small_disk::SmallDisk;

const A: &str = "probe/A";

/// Room for the store, and for nothing that is large once it is filled.
const DISK_BYTES: usize = 12 << 20;
/// Writes a value that is larger than any room that the store may have left in its file.
const PUT_LARGE: &str = "put-large k 2000000";
const PUT_LARGE_UNCONFIRMED: &str = "put-large-unconfirmed k 2000000";

/// None if the system gives us no disk of our own.
fn start_on_a_full_disk() -> Option<(Outside, Host, Arc<SmallDisk>)> {
    let disk = Arc::new(SmallDisk::new(DISK_BYTES)?);
    let outside = Outside::new();
    let host = outside.allowed(Setup::new().guest("probe").on(disk.clone())).start();
    // The object is known and has an instance, so nothing but what a test writes is left to do.
    assert_eq!(lines(&host, A, &["put before 1", "memory"]), ["ok", "1"]);
    disk.fill();
    Some((outside, host, disk))
}

/// Waits until the object was reset, and asserts that it lost what could not be made durable.
#[track_caller]
fn assert_reset_without(host: &Host, key: &str) {
    let deadline = Instant::now() + PATIENCE;
    // An instance counts how often it was asked; this one was asked before.
    while Script::of(A).does(&["memory"]).run(host).text() != "1\n" {
        assert!(Instant::now() < deadline, "it is never reset");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(lines(host, A, &["get before", &format!("get {key}")]), ["1", "none"]);
}

/// A commit that takes a while: what does not wait for it leaves before it is done.
const PUT_A_LOT: [&str; 4] = ["put-large x 2000000", "put-large y 2000000", "put-large z 2000000", "put k 1"];

#[test]
fn a_request_to_the_network_leaves_after_the_write_before_it() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&PUT_A_LOT).does(&["fetch x"]).outside(&outside).ask(&host);
    outside.wait_for("x");
    let host = host.kill_and_start();
    drop(asked);
    assert_eq!(line(&host, A, "get k"), "1");
}

#[test]
fn a_call_leaves_after_the_write_before_it() {
    let (outside, host) = start();
    let callee = Script::of("probe/B").does(&["fetch x"]).outside(&outside).as_call();
    let asked = Script::of(A).does(&PUT_A_LOT).does(&[&callee]).ask(&host);
    outside.wait_for("x");
    let host = host.kill_and_start();
    drop(asked);
    assert_eq!(line(&host, A, "get k"), "1");
}

#[test]
fn work_after_the_reply_is_behind_the_gate_too() {
    let (outside, host) = start();
    let script = Script::of(A).does(&["memory"]).after(&PUT_A_LOT).after(&["fetch x"]).outside(&outside);
    assert_eq!(script.run(&host).lines(), ["1"]);
    outside.wait_for("x");
    let host = host.kill_and_start();
    assert_eq!(line(&host, A, "get k"), "1");
}

#[test]
fn nothing_leaves_after_a_write_that_cannot_be_made_durable() {
    let Some((outside, host, _disk)) = start_on_a_full_disk() else { return };
    let steps = [PUT_LARGE, "begin-fetch x", "begin-call c probe/B /memory", "await c"];
    Script::of(A).does(&steps).outside(&outside).run(&host).says(500, "");
    assert!(!outside.has_arrived("x"), "a request left before the write that it depends on");
    assert_eq!(line(&host, "probe/B", "memory"), "1", "a call left before the write that it depends on");
    assert_reset_without(&host, "k");
}

/// (A request to the network would leave too, but the reset may come before it is on the wire.)
#[test]
fn what_was_sent_before_a_write_does_not_wait_for_it() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    let steps = ["begin-call c probe/B /memory", PUT_LARGE, "await c"];
    Script::of(A).does(&steps).run(&host).says(500, "");
    assert_eq!(line(&host, "probe/B", "memory"), "2");
    assert_reset_without(&host, "k");
}

#[test]
fn an_exception_after_a_write_waits_for_the_write() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    let reply = Script::of(A).does(&[PUT_LARGE, "throw out of it"]).run(&host);
    assert_eq!(reply.status, 500);
    assert!(!reply.text().contains("exception"), "it left before the write: {}", reply.text());
    assert_reset_without(&host, "k");
}

/// Others of the same object may see a write before it is durable, but nobody outside may.
#[test]
fn nobody_outside_learns_of_a_write_that_is_not_durable() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    at_once(8, |thread| {
        for _ in 0..10 {
            if thread == 0 {
                let reply = Script::of(A).does(&["put-many secret=1", PUT_LARGE]).run(&host);
                assert!(matches!(reply.status, 500 | 503), "{}", reply.text());
            } else {
                let reply = Script::of(A).does(&["get secret"]).run(&host);
                assert!(reply.status != 200 || reply.text() == "none\n", "{}", reply.text());
            }
        }
    });
    assert_reset_without(&host, "secret");
}

#[test]
fn an_unconfirmed_write_is_there_at_once() {
    let (_outside, host) = start();
    let put = ["put-unconfirmed a 1", "get a", "put-many-unconfirmed a=2 b=3 c=4", "list"];
    let delete = ["delete-unconfirmed a b x", "list", "delete c"];
    let said = lines(&host, A, &[&put[..], &delete[..]].concat());
    assert_eq!(said, ["ok", "1", "ok", "a=2 b=3 c=4", "2", "c=4", "true"]);
}

#[test]
fn unconfirmed_writes_survive_a_clean_stop() {
    let (_outside, host) = start();
    lines(&host, A, &["put-many d=1 e=1"]);
    lines(&host, A, &["put-many-unconfirmed a=1 b=2", "delete-unconfirmed d"]);
    assert_eq!(line(&host.restart(), A, "list"), "a=1 b=2 e=1");
}

#[test]
fn unconfirmed_writes_survive_an_eviction() {
    let host = Setup::new().guest("probe").with(["--idle-timeout", "20ms"]).start();
    let mut evictions = 0;
    for round in 0..6 {
        let (put, get) = (format!("put-unconfirmed k {round}"), "get k");
        lines(&host, A, &[&put]);
        std::thread::sleep(Duration::from_millis(120));
        let said = lines(&host, A, &[get, "memory"]);
        assert_eq!(said[0], round.to_string());
        evictions += usize::from(said[1] == "1");
    }
    assert!(evictions > 1, "it was never evicted");
}

#[test]
fn sync_after_unconfirmed_writes_makes_them_survive_kill_9() {
    let (outside, host) = start();
    let put = ["put-large-unconfirmed x 2000000", "put-large-unconfirmed y 2000000", "put-unconfirmed k 1"];
    let asked = Script::of(A).does(&put).does(&["sync", "fetch x"]).outside(&outside).ask(&host);
    outside.wait_for("x");
    let host = host.kill_and_start();
    drop(asked);
    assert_eq!(line(&host, A, "get k"), "1");
}

#[test]
fn a_confirmed_write_takes_the_unconfirmed_ones_before_it_with_it() {
    let (_outside, host) = start();
    assert_eq!(lines(&host, A, &["put-unconfirmed a 1", "put b 1"]), ["ok", "ok"]);
    assert_eq!(line(&host, A, "put-unconfirmed c 1"), "ok");
    assert_eq!(line(&host, A, "put d 1"), "ok");
    assert_eq!(line(&host.kill_and_start(), A, "list"), "a=1 b=1 c=1 d=1");
}

#[test]
fn unconfirmed_writes_have_the_limits_of_all_writes() {
    let (_outside, host) = start();
    let many: Vec<String> = (0..129).map(|number| format!("k{number}=1")).collect();
    let said = line(&host, A, &format!("put-many-unconfirmed {}", many.join(" ")));
    assert!(said.starts_with("invalid: "), "{said}");
    let said = line(&host, A, &format!("delete-unconfirmed {}", many.join(" ")));
    assert!(said.starts_with("invalid: "), "{said}");
    let said = line(&host, A, "put-large-unconfirmed k 2097153");
    assert!(said.starts_with("too-large: "), "{said}");
    let said = line(&host, A, &format!("put-unconfirmed {} 1", "k".repeat(2049)));
    assert!(said.starts_with("too-large: "), "{said}");
    assert_eq!(line(&host, A, "list"), "nothing");
}

#[test]
fn an_unconfirmed_write_that_traps_is_gone() {
    let (_outside, host) = start();
    Script::of(A).does(&["put-unconfirmed k 1", "trap"]).run(&host).says(500, "reset");
    assert_eq!(line(&host, A, "get k"), "none");
}

#[test]
fn nothing_waits_for_an_unconfirmed_write_and_its_failure_resets_the_object() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    let reply = Script::of(A).does(&[PUT_LARGE_UNCONFIRMED]).run(&host);
    assert_eq!(reply.lines(), ["ok"], "a reply waited");
    assert_reset_without(&host, "k");
    // A call in the middle of an event does not wait either.
    let steps = [PUT_LARGE_UNCONFIRMED, "begin-call c probe/B /memory", "sync"];
    Script::of(A).does(&steps).run(&host).says(500, "");
    assert_eq!(line(&host, "probe/B", "memory"), "2");
    assert_reset_without(&host, "k");
}

#[test]
fn a_confirmed_write_on_a_full_disk_holds_the_reply_back() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    Script::of(A).does(&[PUT_LARGE]).run(&host).says(500, "");
    assert_reset_without(&host, "k");
}

#[test]
fn a_commit_with_a_confirmed_write_is_waited_for_as_a_whole() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    for steps in [["put a 1", PUT_LARGE_UNCONFIRMED], [PUT_LARGE_UNCONFIRMED, "put a 1"]] {
        Script::of(A).does(&steps).run(&host).says(500, "");
        assert_reset_without(&host, "k");
        assert_eq!(lines(&host, A, &["get a", "memory"]), ["none", "2"]);
    }
}

#[test]
fn sync_waits_for_unconfirmed_writes() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    Script::of(A).does(&[PUT_LARGE_UNCONFIRMED, "sync"]).run(&host).says(500, "");
    assert_reset_without(&host, "k");
}

#[test]
fn many_may_wait_for_the_same_commit() {
    let (_outside, host) = start();
    let begin = ["put-unconfirmed a 1", "begin-sync x", "begin-sync y", "put b 1", "begin-sync z"];
    let said = lines(&host, A, &[&begin[..], &["await z", "await y", "await x"]].concat());
    assert_eq!(said[5..8], ["ok", "ok", "ok"]);
}

#[test]
fn sync_with_nothing_to_wait_for_returns() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    assert_eq!(lines(&host, A, &["sync", "get before", "sync"]), ["ok", "1", "ok"]);
}

#[test]
fn a_transaction_of_unconfirmed_writes_is_unconfirmed() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    let steps = ["begin t", PUT_LARGE_UNCONFIRMED, "sleep 1", "commit t"];
    assert_eq!(Script::of(A).does(&steps).run(&host).lines(), ["begun", "ok", "slept", "ok"]);
    assert_reset_without(&host, "k");
}

#[test]
fn a_transaction_with_a_confirmed_write_is_waited_for() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    let mixed = ["begin t", PUT_LARGE_UNCONFIRMED, "sleep 1", "put a 1", "commit t"];
    let nested = ["begin t", "begin u", "put a 1", "commit u", PUT_LARGE_UNCONFIRMED, "sleep 1", "commit t"];
    let deep = [
        "begin t",
        PUT_LARGE_UNCONFIRMED,
        "begin u",
        "begin v",
        "put a 1",
        "commit v",
        "sleep 1",
        "commit u",
        "commit t",
    ];
    let parent = ["begin t", "put a 1", "begin u", PUT_LARGE_UNCONFIRMED, "sleep 1", "commit u", "commit t"];
    for steps in [&mixed[..], &nested, &deep, &parent] {
        Script::of(A).does(steps).run(&host).says(500, "");
        assert_reset_without(&host, "k");
        assert_eq!(lines(&host, A, &["get a", "memory"]), ["none", "2"]);
    }
}

#[test]
fn a_confirmed_write_that_was_rolled_back_makes_nobody_wait() {
    let Some((_outside, host, _disk)) = start_on_a_full_disk() else { return };
    // All of it rolled back: there is nothing to write at all.
    let steps = ["begin t", PUT_LARGE, "sleep 1", "rollback t", "memory"];
    assert_eq!(Script::of(A).does(&steps).run(&host).lines()[3..], ["ok", "2"]);
    // Only a transaction inside rolled back, and with it all that was confirmed.
    let steps = ["begin t", PUT_LARGE_UNCONFIRMED, "begin u", "put a 1", "rollback u", "commit t"];
    assert_eq!(Script::of(A).does(&steps).run(&host).lines()[4..], ["ok", "ok"]);
    assert_reset_without(&host, "k");
}

#[test]
fn a_failed_commit_of_a_transaction_resets_the_object() {
    let Some((outside, host, _disk)) = start_on_a_full_disk() else { return };
    let steps = ["begin t", PUT_LARGE, "sleep 1", "commit t", "fetch x"];
    Script::of(A).does(&steps).outside(&outside).run(&host).says(500, "");
    assert!(!outside.has_arrived("x"));
    assert_reset_without(&host, "k");
}

#[test]
fn after_a_failed_commit_and_with_room_the_object_writes_again() {
    let Some((_outside, host, disk)) = start_on_a_full_disk() else { return };
    Script::of(A).does(&[PUT_LARGE]).run(&host).says(500, "");
    disk.free();
    let deadline = Instant::now() + PATIENCE;
    while Script::of(A).does(&["begin t", PUT_LARGE, "commit t"]).run(&host).status != 200 {
        assert!(Instant::now() < deadline, "it does not recover");
        std::thread::sleep(Duration::from_millis(50));
    }
    let_arrive(&host);
    assert_eq!(lines(&host.restart(), A, &["get before", "delete k"]), ["1", "true"]);
}
