//! How a life ends at the object's own wish, and work that goes on after the reply.

use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE, Setup};
use crate::outside::Outside;
use crate::script::{Script, ask, let_arrive, line, lines, notes, start, start_with};

const A: &str = "probe/A";
const DEFAULT_REASON: &str = "Application called abort() to reset Durable Object.";

/// Asks an object again and again until it says this.
#[track_caller]
fn wait_until(host: &Host, object: &str, step: &str, expected: &str) {
    let deadline = Instant::now() + PATIENCE;
    while line(host, object, step) != expected {
        assert!(Instant::now() < deadline, "{step} never gives {expected}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_abort_ends_the_event_and_the_next_one_starts_afresh() {
    let (_outside, host) = start();
    assert_eq!(lines(&host, A, &["memory", "memory"]), ["1", "2"]);
    let reply = Script::of(A).does(&["abort"]).run(&host);
    reply.says(500, "the object was reset during the request");
    assert_eq!(line(&host, A, "memory"), "1");
}

#[test]
fn an_abort_drops_the_writes_of_its_turn() {
    let (_outside, host) = start();
    lines(&host, A, &["put a 1", "put b 1"]);
    Script::of(A).does(&["put a 2", "delete b", "put c 1", "abort"]).run(&host).says(500, "");
    assert_eq!(line(&host, A, "list"), "a=1 b=1");
    Script::of(A).does(&["delete-all", "abort"]).run(&host).says(500, "");
    assert_eq!(line(&host.restart(), A, "list"), "a=1 b=1");
}

#[test]
fn an_abort_keeps_what_was_durable() {
    let (_outside, host) = start();
    Script::of(A).does(&["put a 1", "sync", "put b 1", "abort"]).run(&host).says(500, "");
    assert_eq!(line(&host, A, "list"), "a=1");
    assert_eq!(line(&host.kill_and_start(), A, "list"), "a=1");
}

#[test]
fn the_reason_of_an_abort_comes_to_the_caller_and_into_the_log() {
    let (_outside, host) = start();
    let abort = |reason: &str| Script::of(A).does(&[&format!("abort{reason}")]).as_call();
    let called = line(&host, "probe/B", &abort(" the moon is full"));
    assert!(called.starts_with("failed: ") && called.contains("the moon is full"), "{called}");
    let called = line(&host, "probe/B", &abort(""));
    assert!(called.starts_with("failed: ") && called.contains(DEFAULT_REASON), "{called}");
    let reply = Script::of(A).does(&["abort for the log"]).run(&host);
    assert!(!reply.text().contains("for the log"), "clients do not get to read it: {}", reply.text());
    let id = reply.header("x-request-id").expect("an error has a request id");
    let log = host.log_with(id);
    assert!(log.lines().any(|line| line.contains(id) && line.contains("for the log")), "{log}");
}

#[test]
fn an_abort_ends_all_events_that_are_running() {
    let (outside, host) = start();
    let running = Script::of(A).does(&["put k 1", "fetch x", "note x"]).outside(&outside).ask(&host);
    let calling = Script::of("probe/B").does(&["call probe/A /steps?do=sleep%203600000"]).ask(&host);
    outside.wait_for("x");
    let_arrive(&host);
    Script::of(A).does(&["abort all of it"]).run(&host).says(500, "");
    running.reply().says(500, "the object was reset during the request");
    let called = calling.lines().concat();
    assert!(called.starts_with("failed: ") && called.contains("all of it"), "{called}");
    assert!(called.contains("remote false") && called.contains("overloaded false"), "{called}");
    assert_eq!(line(&host, A, "get k"), "1", "what was durable stays");
}

#[test]
fn events_that_wait_while_the_object_aborts_may_be_sent_again() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["enter s", "fetch a", "abort"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    let waiting = ask(&host, "/probe/A/memory");
    let calling = Script::of("probe/B").does(&["call probe/A /memory"]).ask(&host);
    let_arrive(&host);
    outside.release("a");
    asked.reply().says(500, "the object was reset during the request");
    waiting.reply().says(503, "the object was reset before the request");
    let called = calling.lines().concat();
    assert!(called.starts_with("failed: ") && called.contains("retryable true"), "{called}");
    assert_eq!(line(&host, A, "memory"), "1");
}

#[test]
fn a_reply_that_has_not_left_does_not_leave_after_an_abort() {
    let (outside, host) = start();
    // Both lanes go on in the turn in which the answer comes.
    let asked = Script::of(A).does(&["fetch a", "put k 1"]).after(&["abort"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    outside.release("a");
    asked.reply().says(500, "the object was reset during the request");
    assert_eq!(line(&host, A, "get k"), "none");
}

#[test]
fn a_call_that_has_not_left_does_not_leave_after_an_abort() {
    let (outside, host) = start();
    let steps = ["put k 1", "begin-call c probe/B /memory", "begin-fetch x", "abort"];
    Script::of(A).does(&steps).outside(&outside).run(&host).says(500, "");
    assert_eq!(line(&host, A, "get k"), "none");
    assert_eq!(line(&host, "probe/B", "memory"), "1", "the call left");
    assert!(!outside.has_arrived("x"), "the request left");
}

#[test]
fn an_abort_after_the_reply_resets_the_object() {
    let (outside, host) = start();
    let script = Script::of(A).does(&["put k 1", "memory"]).after(&["fetch x", "put k 2", "abort"]);
    assert_eq!(script.outside(&outside).run(&host).lines(), ["ok", "1"]);
    outside.wait_for("x");
    assert_eq!(line(&host, A, "memory"), "2");
    outside.release("x");
    wait_until(&host, A, "memory", "1");
    assert_eq!(line(&host, A, "get k"), "1");
}

#[test]
fn aborts_of_one_object_do_not_disturb_others() {
    let (_outside, host) = start();
    for count in 1..=20 {
        Script::of("probe/bad").does(&["abort"]).run(&host).says(500, "");
        assert_eq!(lines(&host, "probe/good", &["memory", "increment n"]), [count.to_string(), count.to_string()]);
    }
}

#[test]
fn work_after_the_reply_goes_on_and_its_writes_are_durable() {
    let (outside, host) = start();
    let script = Script::of(A).does(&["put a 1"]).after(&["fetch x", "put b 2", "fetch y"]).outside(&outside);
    assert_eq!(script.run(&host).lines(), ["ok"]);
    outside.wait_for("x");
    assert_eq!(line(&host, A, "list"), "a=1");
    outside.release("x");
    // It leaves after the write that it depends on.
    outside.wait_for("y");
    assert_eq!(line(&host.kill_and_start(), A, "list"), "a=1 b=2");
}

#[test]
fn the_reply_does_not_wait_for_what_is_written_after_it() {
    let (outside, host) = start();
    let script = Script::of(A).does(&["memory"]).after(&["fetch never", "put b 2"]).outside(&outside);
    assert_eq!(script.run(&host).lines(), ["1"]);
}

#[test]
fn events_interleave_with_work_after_the_reply() {
    let (outside, host) = start();
    Script::of(A).does(&["note reply"]).after(&["fetch x", "note after"]).outside(&outside).run(&host).ok();
    outside.wait_for("x");
    line(&host, A, "note other");
    outside.release("x");
    let deadline = Instant::now() + PATIENCE;
    while notes(&host, A).len() < 3 {
        assert!(Instant::now() < deadline, "the work is never done");
    }
    assert_eq!(notes(&host, A), ["reply", "other", "after"]);
}

#[test]
fn work_after_the_reply_keeps_the_object_resident() {
    let (outside, host) = start_with(["--idle-timeout", "20ms"]);
    let script = Script::of(A).does(&["memory"]).after(&["fetch x", "note after"]).outside(&outside);
    assert_eq!(script.run(&host).lines(), ["1"]);
    outside.wait_for("x");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(line(&host, A, "memory"), "2", "it was evicted");
    outside.release("x");
}

#[test]
fn a_timer_after_the_reply_keeps_the_object_resident() {
    let (_outside, host) = start_with(["--idle-timeout", "20ms"]);
    let script = Script::of(A).does(&["memory"]).after(&["sleep 3600000"]);
    assert_eq!(script.run(&host).lines(), ["1"]);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(line(&host, A, "memory"), "2", "it was evicted");
}

#[test]
fn a_timer_after_the_reply_fires() {
    let (_outside, host) = start_with(["--idle-timeout", "20ms"]);
    assert_eq!(Script::of(A).does(&["put k 1"]).after(&["sleep 300", "increment k"]).run(&host).lines(), ["ok"]);
    std::thread::sleep(Duration::from_millis(200));
    wait_until(&host, A, "get k", "2");
}

#[test]
fn an_object_whose_work_after_the_reply_is_done_is_evicted() {
    let (outside, host) = start_with(["--idle-timeout", "20ms"]);
    Script::of(A).does(&["memory"]).after(&["fetch x", "put k 1"]).outside(&outside).run(&host).ok();
    outside.wait_for("x");
    outside.release("x");
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Asking keeps it awake, so ask seldom.
        std::thread::sleep(Duration::from_millis(200));
        if line(&host, A, "memory") == "1" {
            break;
        }
        assert!(Instant::now() < deadline, "it is never evicted");
    }
    assert_eq!(line(&host, A, "get k"), "1");
}

#[test]
fn a_stop_waits_for_work_after_the_reply() {
    let (outside, host) = start();
    let script = Script::of(A).does(&["memory"]).after(&["fetch x", "put k 1", "sleep 20", "put l 1"]);
    script.outside(&outside).run(&host).ok();
    outside.wait_for("x");
    host.signal("TERM");
    outside.release("x");
    let setup = host.setup.clone();
    let ended = host.wait();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(line(&setup.start(), A, "list"), "k=1 l=1");
}

#[test]
fn a_stop_does_not_wait_for_ever_for_work_after_the_reply() {
    let (outside, host) = start_with(["--shutdown-timeout", "200ms"]);
    Script::of(A).does(&["put k 1"]).after(&["fetch never", "put k 2"]).outside(&outside).run(&host).ok();
    outside.wait_for("never");
    let setup = host.setup.clone();
    host.signal("TERM");
    // That it ends is what is tested; with which code, others test.
    drop(host.wait());
    assert_eq!(line(&setup.start(), A, "get k"), "1");
}

#[test]
fn a_trap_in_work_after_the_reply_resets_the_object() {
    let (outside, host) = start();
    let script = Script::of(A).does(&["put k 1", "memory"]).after(&["fetch x", "put k 2", "trap"]);
    assert_eq!(script.outside(&outside).run(&host).lines(), ["ok", "1"]);
    outside.wait_for("x");
    let other = Script::of(A).does(&["fetch y"]).outside(&outside).ask(&host);
    outside.wait_for("y");
    outside.release("x");
    other.reply().says(500, "the object was reset during the request");
    assert_eq!(lines(&host, A, &["memory", "get k"]), ["1", "1"]);
}

#[test]
fn an_event_goes_on_when_its_client_has_gone() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["fetch x", "put k 1"]).outside(&outside).ask(&host);
    outside.wait_for("x");
    drop(asked);
    let_arrive(&host);
    outside.release("x");
    wait_until(&host, A, "get k", "1");
}

#[test]
fn an_event_that_takes_too_long_resets_the_object_and_names_the_limit() {
    let outside = Outside::new();
    let setup = Setup::new().guest("probe").class("hasty", "probe").with(["--limit", "hasty:event-time=1s"]);
    let host = outside.allowed(setup).start();
    let hasty = "hasty/A";
    let long = Script::of(hasty).does(&["memory", "put k 1", "fetch never"]).outside(&outside);
    let asked = long.ask(&host);
    outside.wait_for("never");
    asked.reply().says(503, "the object took too long");
    assert_eq!(lines(&host, hasty, &["memory", "get k"]), ["1", "1"]);
    let called = line(&host, "probe/B", &Script::of(hasty).does(&["sleep 3600000"]).as_call());
    assert!(called.starts_with("failed: ") && called.ends_with("overloaded true"), "{called}");
    assert!(called.contains("event-time"), "it names the limit: {called}");
}

#[test]
fn work_after_the_reply_that_takes_too_long_resets_the_object() {
    let (outside, host) = start_with(["--limit", "event-time=2s"]);
    let script = Script::of(A).does(&["put k 1", "memory"]).after(&["fetch never"]).outside(&outside);
    assert_eq!(script.run(&host).lines(), ["ok", "1"]);
    let log = host.log_with("event-time");
    assert!(log.contains("background"), "{log}");
    assert_eq!(lines(&host, A, &["memory", "get k"]), ["1", "1"]);
}

#[test]
fn many_short_events_do_not_add_up_to_the_time_of_one() {
    let (_outside, host) = start_with(["--limit", "event-time=2s"]);
    for count in 1..=8 {
        assert_eq!(lines(&host, A, &["sleep 300", "memory"]), ["slept".to_string(), count.to_string()]);
    }
}
