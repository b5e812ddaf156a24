//! Transactions: what they keep, what they undo, who sees what of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use crate::host::Setup;
use crate::http::{Connection, at_once};
use crate::random::Random;
use crate::script::{Script, let_arrive, line, lines, notes, start, start_with};

const A: &str = "probe/A";

#[test]
fn a_committed_transaction_is_there_and_durable() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["begin t", "put a 1", "sleep 1", "put b 2", "commit t", "list"]);
    assert_eq!(said, ["begun", "ok", "slept", "ok", "ok", "a=1 b=2"]);
    let host = host.kill_and_start();
    assert_eq!(line(&host, A, "list"), "a=1 b=2");
}

#[test]
fn reads_inside_a_transaction_see_its_writes() {
    let (_outside, host) = start();
    lines(&host, A, &["put a 1", "put b 2", "put d 4"]);
    let writes = ["begin t", "put a 9", "delete b", "put c 3", "sleep 1"];
    let reads = ["get a", "get b", "get-many a b c d", "list", "list-reverse", "list c"];
    let said = Script::of(A).does(&writes).does(&reads).does(&["delete b", "delete a", "commit t"]).run(&host);
    let reads = ["9", "none", "a=9 c=3 d=4", "a=9 c=3 d=4", "d=4 c=3 a=9", "c=3"];
    assert_eq!(said.lines()[5..11], reads);
    assert_eq!(said.lines()[11..], ["false", "true", "ok"]);
    assert_eq!(line(&host.restart(), A, "list"), "c=3 d=4");
}

#[test]
fn a_rollback_brings_back_what_was_overwritten_deleted_and_listed() {
    let (_outside, host) = start();
    lines(&host, A, &["put a 1", "put b 2"]);
    let writes = ["begin t", "put a 9", "sleep 1", "delete b", "put c 3", "list", "rollback t"];
    let reads = ["get a", "get b", "get c", "get-many a b c", "list", "list-reverse", "delete c"];
    let said = Script::of(A).does(&writes).does(&reads).run(&host);
    assert_eq!(said.lines()[5..7], ["a=9 c=3", "ok"]);
    assert_eq!(said.lines()[7..], ["1", "2", "none", "a=1 b=2", "a=1 b=2", "b=2 a=1", "false"]);
    assert_eq!(line(&host.restart(), A, "list"), "a=1 b=2");
}

/// Of an object that is larger than what is held in memory, right after a start.
#[test]
fn a_rollback_brings_back_what_only_the_disk_knows() {
    let (_outside, host) = start();
    for part in 0..4 {
        let path = format!("/probe/A/storage/put-many?keys=x{part}a,x{part}b,x{part}c&value-len=20000");
        host.get(&path).ok();
    }
    lines(&host, A, &["put a 1", "put b 2", "put c 3"]);
    let host = host.restart();
    let inside = ["begin t", "put a 9", "delete b", "delete x0a", "put d 4", "sleep 1", "list a", "list b", "list d"];
    let after = ["rollback t", "get a", "get-many b c d", "list a", "list b", "delete d", "delete x0a"];
    let said = lines(&host, A, &[&inside[..], &after[..]].concat());
    assert_eq!(said[2..9], ["true", "true", "ok", "slept", "a=9", "nothing", "d=4"]);
    assert_eq!(said[9..], ["ok", "1", "b=2 c=3", "a=1", "b=2", "false", "true"]);
}

#[test]
fn a_nested_commit_goes_with_the_rollback_of_the_outer_transaction() {
    let (_outside, host) = start();
    let steps = ["put k 0", "begin outer", "put k 1", "begin inner", "put k 2", "put i 2", "sleep 1", "commit inner"];
    let said = Script::of(A).does(&steps).does(&["get k", "rollback outer", "get k", "get i"]).run(&host);
    assert_eq!(said.lines()[7..], ["ok", "2", "ok", "0", "none"]);
    assert_eq!(line(&host.restart(), A, "list"), "k=0");
}

#[test]
fn a_nested_rollback_leaves_the_outer_transaction_to_commit() {
    let (_outside, host) = start();
    let steps = ["begin outer", "put k 1", "begin inner", "put k 2", "put i 2", "sleep 1", "rollback inner", "get k"];
    let said = Script::of(A).does(&steps).does(&["put o 3", "commit outer", "list"]).run(&host);
    assert_eq!(said.lines()[6..], ["ok", "1", "ok", "ok", "k=1 o=3"]);
    assert_eq!(line(&host.restart(), A, "list"), "k=1 o=3");
}

#[test]
fn nested_transactions_that_all_commit_are_one() {
    let (outside, host) = start();
    let steps = ["begin a", "put a 1", "begin b", "put b 2", "begin c", "put c 3", "commit c", "commit b", "fetch x"];
    let asked = Script::of(A).does(&steps).does(&["commit a"]).outside(&outside).ask(&host);
    outside.wait_for("x");
    // Killed before the outermost commit, it leaves nothing.
    let host = host.kill_and_start();
    drop(asked);
    assert_eq!(line(&host, A, "list"), "nothing");
    outside.release("x");
    Script::of(A).does(&steps).does(&["commit a"]).outside(&outside).run(&host).ok();
    assert_eq!(line(&host.kill_and_start(), A, "list"), "a=1 b=2 c=3");
}

#[test]
fn siblings_inside_a_transaction_have_their_own_ends() {
    let (_outside, host) = start();
    let first = ["begin t", "begin a", "put a 1", "commit a", "begin b", "put a 2", "put b 2", "rollback b"];
    let second = ["begin c", "put c 3", "commit c", "commit t", "list"];
    let said = lines(&host, A, &[&first[..], &second[..]].concat());
    assert_eq!(said.last().expect("it said something"), "a=1 c=3");
}

#[test]
fn a_dropped_transaction_is_rolled_back_and_the_object_lives_on() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["memory", "put k 0", "begin t", "put k 1", "sleep 1", "drop t", "get k"]);
    assert_eq!(said[4..], ["slept", "ok", "0"]);
    // The handle goes with the event that held it.
    assert_eq!(lines(&host, A, &["begin t", "put k 2", "sleep 1"]), ["begun", "ok", "slept"]);
    assert_eq!(lines(&host, A, &["memory", "get k"]), ["2", "0"]);
    assert_eq!(line(&host.restart(), A, "get k"), "0");
}

#[test]
fn dropping_the_outer_transaction_undoes_the_inner_one_that_was_committed() {
    let (_outside, host) = start();
    let steps =
        ["begin outer", "begin inner", "put k 1", "commit inner", "drop inner", "sleep 1", "drop outer", "list"];
    assert_eq!(lines(&host, A, &steps).last().expect("it said something"), "nothing");
}

#[test]
fn dropping_the_outer_transaction_before_the_inner_one_undoes_both() {
    for end in ["commit inner", "rollback inner", "drop inner"] {
        let (_outside, host) = start();
        let steps = ["memory", "begin outer", "put a 1", "begin inner", "put b 1", "sleep 1", "drop outer", "list"];
        let said = lines(&host, A, &[&steps[..], &["put b 2", end, "begin t", "put c 1", "commit t", "list"]].concat());
        assert_eq!(said[6..9], ["ok", "nothing", "ok"], "{end}");
        assert!(said[9].starts_with("not-allowed: ") || end == "drop inner" && said[9] == "ok", "{said:?}");
        assert_eq!(said[10..], ["begun", "ok", "ok", "b=2 c=1"], "{end}");
        assert_eq!(lines(&host, A, &["memory", "enter s", "leave s"]), ["2", "entered", "ok"]);
        assert_eq!(line(&host.kill_and_start(), A, "list"), "b=2 c=1");
    }
}

#[test]
fn an_exception_inside_a_transaction_rolls_it_back_and_the_object_lives_on() {
    let (_outside, host) = start();
    assert_eq!(line(&host, A, "memory"), "1");
    let steps = ["put before 1", "begin t", "put k 1", "sleep 1", "throw out of it"];
    Script::of(A).does(&steps).run(&host).says(500, "the object threw an exception");
    assert_eq!(lines(&host, A, &["memory", "list"]), ["2", "before=1"]);
    assert_eq!(lines(&host, A, &["begin t", "put k 2", "commit t", "get k"]), ["begun", "ok", "ok", "2"]);
}

#[test]
fn what_was_written_before_begin_stays_after_a_rollback() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["put k 1", "put gone 1", "delete gone", "begin t", "put k 2", "rollback t", "list"]);
    assert_eq!(said.last().expect("it said something"), "k=1");
    assert_eq!(line(&host.kill_and_start(), A, "list"), "k=1");
}

#[test]
fn what_is_written_after_a_transaction_is_not_undone_by_it() {
    let (_outside, host) = start();
    lines(&host, A, &["begin t", "put k 1", "rollback t", "put k 2", "begin u", "put l 1", "rollback u"]);
    assert_eq!(line(&host.kill_and_start(), A, "list"), "k=2");
}

#[test]
fn delete_all_inside_a_transaction_is_refused() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["put k 1", "begin t", "put l 1", "delete-all", "list", "commit t", "list"]);
    assert!(said[3].starts_with("not-allowed: "), "{said:?}");
    assert_eq!(said[4..], ["k=1 l=1", "ok", "k=1 l=1"]);
    assert_eq!(lines(&host, A, &["delete-all", "list"]), ["ok", "nothing"]);
}

#[test]
fn delete_all_before_begin_stays_after_a_rollback() {
    let (_outside, host) = start();
    lines(&host, A, &["put a 1", "put b 1"]);
    let said = lines(&host, A, &["delete-all", "put b 2", "begin t", "put a 3", "put b 3", "rollback t", "list"]);
    assert_eq!(said.last().expect("it said something"), "b=2");
    assert_eq!(line(&host.restart(), A, "list"), "b=2");
}

#[test]
fn a_write_of_many_keys_that_is_refused_leaves_none_of_them() {
    let (_outside, host) = start();
    let too_long = format!("put-many b=2 {}=1 c=3", "k".repeat(2049));
    let said = lines(&host, A, &["put a 1", &too_long, "begin t", &too_long, "commit t", "list"]);
    assert!(said[1].starts_with("too-large: ") && said[3].starts_with("too-large: "), "{said:?}");
    assert_eq!(said[4..], ["ok", "a=1"]);
}

#[test]
fn a_commit_or_rollback_out_of_order_is_refused() {
    let (_outside, host) = start();
    let steps = ["begin outer", "put k 1", "begin inner", "put k 2", "commit outer", "rollback outer", "get k"];
    let end = ["commit inner", "commit outer", "get k"];
    let said = lines(&host, A, &[&steps[..], &end[..]].concat());
    assert!(said[4].starts_with("not-allowed: ") && said[5].starts_with("not-allowed: "), "{said:?}");
    assert_eq!(said[6..], ["2", "ok", "ok", "2"]);
}

#[test]
fn a_transaction_ends_once() {
    let (_outside, host) = start();
    let commit = ["begin t", "put k 1", "commit t", "commit t", "rollback t", "get k"];
    let said = lines(&host, A, &commit);
    assert!(said[3].starts_with("not-allowed: ") && said[4].starts_with("not-allowed: "), "{said:?}");
    assert_eq!(said[5], "1");
    let rollback = ["begin t", "put k 2", "rollback t", "commit t", "rollback t", "get k"];
    let said = lines(&host, A, &rollback);
    assert!(said[3].starts_with("not-allowed: ") && said[4].starts_with("not-allowed: "), "{said:?}");
    assert_eq!(said[5], "1");
}

#[test]
fn a_handle_of_a_transaction_that_has_ended_may_stay() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["begin t", "put k 1", "commit t", "put k 2", "begin u", "put k 3", "drop t", "get k"]);
    assert_eq!(said[6..], ["ok", "3"], "dropping what has ended does nothing to what is open");
}

#[test]
fn other_events_see_all_of_a_transaction_or_nothing() {
    for (end, seen) in [("commit t", "a=1 b=2"), ("rollback t", "nothing"), ("drop t", "nothing")] {
        let (outside, host) = start();
        let steps = ["begin t", "put a 1", "fetch x", "put b 2", "fetch y", end, "note end"];
        let asked = Script::of(A).does(&steps).outside(&outside).ask(&host);
        outside.wait_for("x");
        let early = Script::of(A).does(&["note other", "list"]).ask(&host);
        let_arrive(&host);
        outside.release("x");
        outside.wait_for("y");
        let late = Script::of(A).does(&["note other", "list"]).ask(&host);
        let_arrive(&host);
        outside.release("y");
        asked.lines();
        assert_eq!((early.lines(), late.lines()), (vec!["ok".into(), seen.into()], vec!["ok".into(), seen.into()]));
        assert_eq!(notes(&host, A), ["end", "other", "other"]);
    }
}

#[test]
fn what_was_begun_outside_of_a_transaction_waits_for_its_end() {
    let (outside, host) = start();
    let steps = ["begin-fetch x", "begin t", "fetch y", "is-done x", "commit t", "await x"];
    let asked = Script::of(A).does(&steps).outside(&outside).ask(&host);
    outside.wait_for("x");
    outside.wait_for("y");
    outside.release("x");
    let_arrive(&host);
    outside.release("y");
    assert_eq!(asked.lines(), ["begun", "begun", "y", "false", "ok", "x"]);
}

/// Every one of these lets others in between its read and its write, unless something keeps them out.
#[test]
fn slow_increments_in_transactions_lose_nothing() {
    let (_outside, host) = start();
    let numbers = at_once(16, |client| {
        let add = |request| {
            let is_kept = (client + request) % 4 > 0;
            let end = if is_kept { "commit t" } else { "rollback t" };
            let number = lines(&host, A, &["begin t", "slow-increment n", end]).swap_remove(1);
            is_kept.then(|| number.parse::<u64>().expect("a number"))
        };
        (0..8).filter_map(add).collect::<Vec<_>>()
    });
    assert_eq!(numbers.concat().into_iter().collect::<BTreeSet<_>>(), (1..=96).collect());
    assert_eq!(line(&host, A, "get n"), "96");
}

#[test]
fn transactions_of_different_objects_do_not_wait_for_each_other() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["begin t", "put k 1", "fetch x", "rollback t"]).outside(&outside).ask(&host);
    outside.wait_for("x");
    assert_eq!(lines(&host, "probe/B", &["begin t", "put k 2", "commit t"]), ["begun", "ok", "ok"]);
    outside.release("x");
    asked.lines();
    assert_eq!(line(&host, A, "get k"), "none");
    assert_eq!(line(&host.kill_and_start(), "probe/B", "get k"), "2");
}

#[test]
fn what_a_transaction_wrote_does_not_hold_back_what_leaves_before_its_end() {
    let (outside, host) = start();
    let steps =
        ["put before 1", "begin t", "put k 1", "call probe/B /storage/put?key=k&value=1", "fetch x", "commit t"];
    let asked = Script::of(A).does(&steps).outside(&outside).ask(&host);
    outside.wait_for("x");
    let host = host.kill_and_start();
    drop(asked);
    assert_eq!(line(&host, A, "list"), "before=1", "an open transaction leaves nothing");
    assert_eq!(line(&host, "probe/B", "get k"), "1");
}

#[test]
fn what_leaves_after_a_commit_waits_for_it() {
    let (outside, host) = start();
    let steps = ["begin t", "put a 1", "sleep 1", "put b 2", "commit t", "fetch x"];
    let asked = Script::of(A).does(&steps).outside(&outside).ask(&host);
    outside.wait_for("x");
    let host = host.kill_and_start();
    drop(asked);
    assert_eq!(line(&host, A, "list"), "a=1 b=2");
}

#[test]
fn sync_inside_a_transaction_does_not_wait_for_its_end() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["put before 1", "begin t", "put k 1", "sync", "get k", "rollback t", "list"]);
    assert_eq!(said[3..], ["ok", "1", "ok", "before=1"]);
}

#[test]
fn a_trap_in_an_open_transaction_leaves_nothing_of_it() {
    let (_outside, host) = start();
    Script::of(A).does(&["put before 1", "begin t", "put k 1", "sleep 1", "put l 1", "sleep 1", "trap"]).run(&host);
    assert_eq!(line(&host, A, "list"), "before=1");
    assert_eq!(line(&host.restart(), A, "list"), "before=1");
}

#[test]
fn a_trap_in_the_turn_of_a_commit_takes_the_transaction_with_it() {
    let (_outside, host) = start();
    Script::of(A).does(&["begin t", "put k 1", "sleep 1", "commit t", "put l 1", "trap"]).run(&host);
    assert_eq!(line(&host, A, "list"), "nothing");
    Script::of(A).does(&["begin t", "put k 1", "sleep 1", "commit t", "put l 1", "sleep 1", "sync", "trap"]).run(&host);
    assert_eq!(line(&host, A, "list"), "k=1 l=1");
}

#[test]
fn an_abort_in_an_open_transaction_leaves_nothing_of_it() {
    let (_outside, host) = start();
    let reply = Script::of(A).does(&["put before 1", "begin t", "put k 1", "sleep 1", "abort"]).run(&host);
    reply.says(500, "the object was reset during the request");
    assert_eq!(line(&host, A, "list"), "before=1");
}

#[test]
fn a_transaction_in_a_section_and_a_section_in_a_transaction() {
    let (outside, host) = start();
    outside.release("x");
    let first = ["enter s", "begin t", "put a 1", "fetch x", "rollback t", "begin u", "put b 1", "commit u", "leave s"];
    let second = ["begin t", "enter s", "put c 1", "fetch x", "leave s", "commit t", "list", "memory"];
    let said = Script::of(A).does(&first).does(&second).outside(&outside).run(&host);
    assert_eq!(said.lines()[9..], ["begun", "entered", "ok", "x", "ok", "ok", "b=1 c=1", "1"]);
}

#[test]
fn a_transaction_ends_after_the_section_inside_it_and_a_section_after_the_transaction_inside_it() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["begin t", "put k 1", "enter s", "commit t", "rollback t", "leave s", "commit t"]);
    assert!(said[3].starts_with("not-allowed: ") && said[4].starts_with("not-allowed: "), "{said:?}");
    assert_eq!(said[5..], ["ok", "ok"]);
    let steps = ["enter s", "begin t", "put k 2", "leave s", "commit t"];
    Script::of(A).does(&steps).run(&host).says(500, "the object was reset during the request");
    assert_eq!(line(&host, A, "get k"), "1");
}

/// What an object may store is a limit; what was undone must not go on counting.
#[test]
fn what_was_rolled_back_does_not_count_as_stored() {
    let (_outside, host) = start_with(["--limit", "storage=100KiB"]);
    for _ in 0..3 {
        let said = lines(&host, A, &["begin t", "put-large k 90000", "sleep 1", "rollback t", "put small 1"]);
        assert_eq!(said, ["begun", "ok", "slept", "ok", "ok"]);
    }
    assert_eq!(lines(&host, A, &["begin t", "put-large k 90000", "sleep 1", "commit t"])[1], "ok");
    let said = lines(&host, A, &["begin t", "delete k", "put-large l 90000", "rollback t", "put-large l 90000"]);
    assert_eq!(said[1..4], ["true", "ok", "ok"]);
    assert!(said[4].starts_with("too-large: "), "what was deleted is back, and counts again: {said:?}");
    let host = host.restart();
    assert!(line(&host, A, "put-large l 90000").starts_with("too-large: "));
    assert_eq!(line(&host, A, "delete k"), "true");
    assert_eq!(line(&host, A, "put-large l 90000"), "ok");
}

#[test]
fn a_dropped_section_inside_a_transaction_takes_the_transaction_with_it() {
    let (_outside, host) = start();
    let steps = ["begin t", "put k 1", "sleep 1", "enter s", "drop-section s", "commit t"];
    Script::of(A).does(&steps).run(&host).says(500, "the object was reset during the request");
    assert_eq!(line(&host, A, "list"), "nothing");
}

#[test]
fn transactions_lie_inside_each_other_64_deep_and_not_deeper() {
    let (_outside, host) = start();
    assert_eq!(line(&host, A, "begin-many 64"), "64");
    let said = line(&host, A, "begin-many 65");
    assert!(said.starts_with("64 not-allowed: "), "{said}");
    assert_eq!(lines(&host, A, &["begin t", "put k 1", "commit t", "get k"]), ["begun", "ok", "ok", "1"]);
}

#[test]
fn a_transaction_that_takes_too_long_resets_the_object_and_leaves_nothing() {
    let (outside, host) = start_with(["--limit", "section-time=300ms"]);
    let reply = Script::of(A).does(&["memory", "begin t", "put k 1", "fetch never"]).outside(&outside).run(&host);
    assert!(matches!(reply.status, 500 | 503), "{reply:?}");
    assert_eq!(lines(&host, A, &["memory", "list"]), ["1", "nothing"]);
}

#[test]
fn a_transaction_whose_handle_was_leaked_ends_by_its_limit_and_leaves_nothing() {
    let (_outside, host) = start_with(["--limit", "section-time=300ms"]);
    let reply = Script::of(A).does(&["memory", "begin t", "put k 1", "leak t"]).run(&host);
    assert_eq!(reply.lines(), ["1", "begun", "ok", "ok"]);
    let waiting = host.get("/probe/A/memory");
    assert!(matches!(waiting.status, 500 | 503), "{waiting:?}");
    assert_eq!(lines(&host, A, &["memory", "list"]), ["1", "nothing"]);
}

#[test]
fn a_transaction_may_outlast_the_reply() {
    let (outside, host) = start();
    let script = Script::of(A).does(&["begin t", "put a 1"]).after(&["fetch x", "put b 2", "commit t"]);
    assert_eq!(script.outside(&outside).run(&host).lines(), ["begun", "ok"]);
    let other = Script::of(A).does(&["list"]).ask(&host);
    outside.wait_for("x");
    outside.release("x");
    assert_eq!(other.lines(), ["a=1 b=2"]);
}

/// Nothing of a transaction is there that was not answered, and all of one that was, whenever the host was killed.
#[test]
fn transactions_stay_whole_through_kill_9() {
    let setup = Setup::new().guest("probe");
    for round in 0..8_u64 {
        let host = setup.start();
        let pair = [line(&host, A, "get left"), line(&host, A, "get right")];
        assert_eq!(pair[0], pair[1], "a torn transaction");
        let start = pair[0].parse::<u64>().unwrap_or(0);
        let address = host.address.clone();
        let doomed = Mutex::new(Some(host));
        let acknowledged = at_once(2, |thread| {
            if thread == 0 {
                std::thread::sleep(Duration::from_millis(20 + round * 9));
                doomed.lock().unwrap().take().unwrap().kill();
                return start;
            }
            let mut acknowledged = start;
            let Ok(mut connection) = Connection::open(&address) else { return acknowledged };
            loop {
                let next = acknowledged + 1;
                let (left, right) = (format!("put left {next}"), format!("put right {next}"));
                let script = Script::of(A).does(&["begin t", &left, "sleep 1", &right, "sleep 1", "commit t"]);
                match connection.try_send("GET", &script.path(), &[], b"") {
                    Ok(reply) => drop(reply.ok()),
                    Err(_) => return acknowledged,
                }
                acknowledged = next;
            }
        });
        let host = setup.start();
        let left = line(&host, A, "get left").parse::<u64>().unwrap_or(0);
        assert!(left >= acknowledged[1] && left <= acknowledged[1] + 1, "{left} is there of {acknowledged:?}");
    }
}

/// A stack of copies is what nested transactions look like from outside. Half of the objects are larger than what is held
/// in memory, so that what is undone is often not known there.
#[test]
fn random_transactions_are_as_a_stack_of_copies() {
    let (_outside, mut host) = start();
    for object in [1, 3, 5] {
        for part in 0..4 {
            let keys = format!("x{part}a,x{part}b,x{part}c");
            host.get(&format!("/probe/object-{object}/storage/put-many?keys={keys}&value-len=20000")).ok();
        }
    }
    for seed in 0..36 {
        let object = format!("probe/object-{}", seed % 6);
        let mut model = model_of(&line(&host, &object, "list k"));
        let (steps, expected) = random_steps(&mut Random::new(seed), &mut model);
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        for (number, said) in lines(&host, &object, &steps).iter().enumerate() {
            assert_eq!(*said, expected[number], "step {number} of seed {seed}: {steps:?}");
        }
        assert_eq!(line(&host, &object, "list k"), listed(&model), "after seed {seed}: {steps:?}");
        if seed % 6 == 5 {
            host = host.restart();
        }
        assert_eq!(line(&host, &object, "list k"), listed(&model), "after a restart, seed {seed}: {steps:?}");
    }
}

type Model = BTreeMap<String, String>;

/// Steps, and what they must say. The model becomes what is left in the end.
fn random_steps(random: &mut Random, model: &mut Model) -> (Vec<String>, Vec<String>) {
    let (mut steps, mut expected) = (Vec::new(), Vec::new());
    let mut copies: Vec<Model> = Vec::new();
    for number in 0..40 {
        let key = format!("k{}", random.below(6));
        let (step, said) = match random.below(12) {
            0 | 1 if copies.len() < 5 => {
                copies.push(model.clone());
                (format!("begin t{}", copies.len()), "begun".to_string())
            }
            2 if !copies.is_empty() => {
                copies.pop();
                (format!("commit t{}", copies.len() + 1), "ok".to_string())
            }
            3 if !copies.is_empty() => {
                *model = copies.pop().expect("there is one");
                let end = if number % 2 == 0 { "rollback" } else { "drop" };
                (format!("{end} t{}", copies.len() + 1), "ok".to_string())
            }
            4 => (format!("delete {key}"), model.remove(&key).is_some().to_string()),
            5 => (format!("get {key}"), model.get(&key).cloned().unwrap_or("none".to_string())),
            6 => ("list k".to_string(), listed(model)),
            7 => ("sleep 1".to_string(), "slept".to_string()),
            8 => ("yield".to_string(), "ok".to_string()),
            9 => {
                model.insert(key.clone(), number.to_string());
                (format!("put-unconfirmed {key} {number}"), "ok".to_string())
            }
            _ => {
                model.insert(key.clone(), number.to_string());
                (format!("put {key} {number}"), "ok".to_string())
            }
        };
        steps.push(step);
        expected.push(said);
    }
    // What is still open goes with its handle when the event ends.
    if let Some(first) = copies.into_iter().next() {
        *model = first;
    }
    (steps, expected)
}

fn listed(model: &Model) -> String {
    let words: Vec<String> = model.iter().map(|(key, value)| format!("{key}={value}")).collect();
    if words.is_empty() { "nothing".to_string() } else { words.join(" ") }
}

fn model_of(listed: &str) -> Model {
    let entry = |word: &str| word.split_once('=').map(|(key, value)| (key.to_string(), value.to_string()));
    listed.split(' ').filter_map(entry).collect()
}
