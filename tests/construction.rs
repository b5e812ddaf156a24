//! Constructors: once in each life, before everything else, and what becomes of those that fail.
//!
//! The name of an object of `guests/constructed` says what its constructor does.

use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE, Setup};
use crate::http::at_once;
use crate::outside::Outside;
use crate::script::{ask, let_arrive, line};

fn setup() -> Setup {
    Setup::new().guest("constructed").guest("probe").guest("counter")
}

fn start() -> (Outside, Host) {
    let outside = Outside::new();
    let host = outside.allowed(setup()).start();
    (outside, host)
}

/// What a call from another object brings.
fn call(host: &Host, name: &str, path: &str) -> String {
    line(host, "probe/caller", &format!("call constructed/{name} {path}"))
}

#[test]
fn a_hundred_first_requests_together_construct_the_object_once() {
    let host = setup().start();
    for object in ["one", "two", "three"] {
        let path = format!("/constructed/{object}/constructions-here");
        assert!(at_once(100, |_| host.get(&path).number()).iter().all(|count| *count == 1));
        assert_eq!(host.get(&format!("/constructed/{object}/constructions")).number(), 1);
    }
}

#[test]
fn a_constructor_is_done_before_the_first_event_begins() {
    let host = setup().start();
    for name in ["calm", "sleeps-20", "enters", "transacts", "calls-counter"] {
        assert_eq!(host.get(&format!("/constructed/{name}/is-constructed")).ok(), "true", "{name}");
        assert_eq!(host.get(&format!("/constructed/{name}/events-here")).number(), 1, "{name}");
    }
}

#[test]
fn events_wait_until_the_constructor_is_done() {
    let (outside, host) = start();
    let name = format!("fetches-{}", outside.address);
    let waiting: Vec<_> = (0..20).map(|_| ask(&host, &format!("/constructed/{name}/is-constructed"))).collect();
    outside.wait_for("construct");
    let_arrive(&host);
    outside.release("construct");
    for asked in waiting {
        assert_eq!(asked.reply().ok(), "true");
    }
    assert_eq!(outside.arrived(), ["construct"], "it was constructed once");
    assert_eq!(host.get(&format!("/constructed/{name}/get/fetched")).ok(), "construct");
}

#[test]
fn what_a_constructor_wrote_is_there_for_the_first_event_and_durable() {
    let host = setup().start();
    assert_eq!(host.get("/constructed/calm/constructions").number(), 1);
    let setup = host.setup.clone();
    host.kill();
    assert_eq!(setup.start().get("/constructed/calm/constructions").number(), 2);
}

#[test]
fn every_life_is_constructed() {
    let host = setup().with(["--idle-timeout", "50ms"]).start();
    assert_eq!(host.get("/constructed/calm/constructions").number(), 1);
    let deadline = Instant::now() + PATIENCE;
    while host.get("/constructed/calm/constructions").number() == 1 {
        assert!(Instant::now() < deadline, "it is never evicted");
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(host.get("/constructed/calm/constructions-here").number(), 1);
    let before = host.get("/constructed/calm/constructions").number();
    assert_eq!(host.get("/constructed/calm/trap").status, 500);
    assert_eq!(host.get("/constructed/calm/constructions").number(), before + 1);
    assert_eq!(host.restart().get("/constructed/calm/constructions").number(), before + 2);
}

#[test]
fn an_exception_of_a_constructor_is_an_error_whose_text_stays_in_the_house() {
    let host = setup().start();
    let reply = host.get("/constructed/throws-1/constructions");
    assert_eq!(reply.status, 500, "{}", reply.text());
    assert!(!reply.text().contains("construction 1 threw"), "{}", reply.text());
    let id = reply.header("x-request-id").expect("an error has a request id");
    let log = host.log_with(id);
    assert!(log.lines().any(|line| line.contains(id) && line.contains("construction 1 threw")), "{log}");
}

#[test]
fn an_exception_of_a_constructor_comes_to_the_caller_with_its_text() {
    let host = setup().start();
    let called = call(&host, "throws-1", "/constructions");
    assert!(called.starts_with("failed: ") && called.contains("construction 1 threw"), "{called}");
    assert!(called.contains("overloaded false"), "{called}");
    assert_eq!(call(&host, "throws-1", "/constructions"), "200 2");
}

#[test]
fn all_who_wait_for_a_constructor_that_throws_get_an_error() {
    let host = setup().start();
    // Whoever comes after those who waited for the first constructor begins the second one, and so on.
    let replies = at_once(30, |_| host.get("/constructed/throws-1/constructions-here"));
    assert!(replies.iter().any(|reply| reply.status == 500));
    assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 500 | 503)), "{replies:?}");
    assert_eq!(host.get("/constructed/throws-1/constructions").number(), 2);
}

#[test]
fn after_a_constructor_has_failed_the_next_event_starts_anew() {
    let host = setup().start();
    for name in ["throws-2", "traps-2", "aborts-2"] {
        for attempt in 1..=2 {
            let reply = host.get(&format!("/constructed/{name}/constructions"));
            assert!(matches!(reply.status, 500 | 503), "{name}, attempt {attempt}: {}", reply.text());
        }
        assert_eq!(host.get(&format!("/constructed/{name}/constructions")).number(), 3, "{name}");
        assert_eq!(host.get(&format!("/constructed/{name}/constructions-here")).number(), 1, "{name}");
        assert_eq!(host.get(&format!("/constructed/{name}/is-constructed")).ok(), "true", "{name}");
    }
}

/// What was durable before stays, as ever.
#[test]
fn a_constructor_that_fails_leaves_nothing_of_its_last_turn() {
    let host = setup().start();
    for name in ["throws-1", "traps-1", "aborts-1"] {
        assert_ne!(host.get(&format!("/constructed/{name}/get/left-behind")).status, 200);
        assert_eq!(host.get(&format!("/constructed/{name}/get/left-behind")).status, 404, "{name}");
        assert_eq!(host.get(&format!("/constructed/{name}/constructions")).number(), 2, "{name}");
    }
}

#[test]
fn the_reason_of_an_abort_in_a_constructor_comes_to_the_caller() {
    let host = setup().start();
    let called = call(&host, "aborts-1", "/constructions");
    assert!(called.starts_with("failed: ") && called.contains("not like this"), "{called}");
    assert_eq!(call(&host, "aborts-1", "/constructions"), "200 2");
}

#[test]
fn a_constructor_may_call_another_object() {
    let host = setup().start();
    assert_eq!(host.get("/constructed/calls-counter/get/called").ok(), "1");
    assert_eq!(host.get("/counter/callee/value").number(), 1);
}

#[test]
fn a_constructor_that_calls_its_own_object_is_told_of_the_circle() {
    let host = setup().start();
    let called = host.get("/constructed/calls_itself/get/called");
    assert!(called.ok().starts_with("failed: ") && called.text().contains("calls_itself"), "{}", called.text());
    assert_eq!(host.get("/constructed/calls_itself/constructions").number(), 1, "it was constructed nevertheless");
}

#[test]
fn an_object_that_is_called_back_while_it_is_constructed_refuses_and_names_the_circle() {
    let host = setup().start();
    let called = host.get("/constructed/circles/get/called");
    assert!(called.ok().starts_with("failed: "), "{}", called.text());
    assert!(
        called.text().contains("constructed/circles") && called.text().contains("probe/middle"),
        "{}",
        called.text()
    );
    assert_eq!(host.get("/constructed/circles/constructions").number(), 1, "it was constructed nevertheless");
}

#[test]
fn a_constructor_may_wait_for_a_timer() {
    let host = setup().start();
    let mut replies = at_once(10, |_| host.get("/constructed/sleeps-50/constructions-here").number());
    replies.dedup();
    assert_eq!(replies, [1]);
}

#[test]
fn a_constructor_may_use_sections_and_transactions() {
    let host = setup().start();
    assert_eq!(host.get("/constructed/enters/is-constructed").ok(), "true");
    assert_eq!(host.get("/constructed/transacts/get/kept").ok(), "1");
    assert_eq!(host.get("/constructed/transacts/get/dropped").status, 404);
}

#[test]
fn a_constructor_that_takes_too_long_is_stopped_as_overloaded() {
    let host = setup().with(["--limit", "section-time=1s"]).start();
    let called = call(&host, "sleeps-3600000", "/constructions");
    assert!(called.starts_with("failed: ") && called.ends_with("overloaded true"), "{called}");
    assert!(called.contains("section-time"), "it names the limit: {called}");
    let reply = host.get("/constructed/sleeps-3600000/constructions");
    assert!(matches!(reply.status, 500 | 503), "{}", reply.text());
    assert_eq!(host.get("/constructed/sleeps-20/constructions").number(), 1, "others are not disturbed");
}

#[test]
fn a_constructor_is_not_evicted_however_long_it_takes() {
    let outside = Outside::new();
    let host = outside.allowed(setup().with(["--idle-timeout", "20ms"])).start();
    let name = format!("fetches-{}", outside.address);
    let asked = ask(&host, &format!("/constructed/{name}/constructions"));
    outside.wait_for("construct");
    std::thread::sleep(Duration::from_millis(200));
    outside.release("construct");
    assert_eq!(asked.reply().number(), 1);
}

#[test]
fn kill_9_in_a_constructor_leaves_what_was_durable_and_the_next_life_constructs_again() {
    let (outside, host) = start();
    let name = format!("fetches-{}", outside.address);
    let asked = ask(&host, &format!("/constructed/{name}/constructions"));
    outside.wait_for("construct");
    let setup = host.setup.clone();
    host.kill();
    drop(asked);
    let host = setup.start();
    outside.release("construct");
    // What left the constructor depended on the count, so the count was durable.
    assert_eq!(host.get(&format!("/constructed/{name}/constructions")).number(), 2);
}

#[test]
fn a_stop_waits_for_a_constructor_and_for_those_who_wait_for_it() {
    let (outside, host) = start();
    let asked = ask(&host, &format!("/constructed/fetches-{}/is-constructed", outside.address));
    outside.wait_for("construct");
    host.signal("TERM");
    outside.release("construct");
    assert_eq!(asked.reply().ok(), "true");
    assert_eq!(host.wait().status.code(), Some(0));
}

#[test]
fn work_that_a_constructor_leaves_behind_holds_up_no_event_and_is_done() {
    let (outside, host) = start();
    let path = format!("/constructed/lingers-{}", outside.address);
    assert_eq!(host.get(&format!("{path}/is-constructed")).ok(), "true");
    outside.wait_for("linger");
    assert_eq!(host.get(&format!("{path}/get/lingered")).status, 404);
    outside.release("linger");
    let deadline = Instant::now() + PATIENCE;
    while host.get(&format!("{path}/get/lingered")).status != 200 {
        assert!(Instant::now() < deadline, "it was never done");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(host.get(&format!("{path}/constructions")).number(), 1);
}
