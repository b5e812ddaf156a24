//! Calls that would wait for themselves, and calls that only look like it.
//!
//! Objects of `guests/relay-sync` take one event at a time, so they cannot be called back; those of `guests/probe` can.

use crate::host::{Host, Setup};
use crate::http::{at_once, encoded};
use crate::outside::Outside;
use crate::random::Random;
use crate::script::{Script, ask, let_arrive, line, lines};

fn start() -> (Outside, Host) {
    start_with([])
}

fn start_with<const N: usize>(arguments: [&str; N]) -> (Outside, Host) {
    let outside = Outside::new();
    let host = outside.allowed(Setup::new().guest("relay-sync").guest("probe").with(arguments)).start();
    (outside, host)
}

/// What a synchronous object says to this.
fn relay(host: &Host, path: &str) -> String {
    host.get(&format!("/relay-sync/{path}")).ok().to_string()
}

/// A path through these synchronous objects, to the end.
fn through<S: AsRef<str>>(names: &[S]) -> String {
    let hops = names[1..].iter().map(|name| format!("/hop/relay-sync/{}", name.as_ref()));
    format!("{}{}/end", names[0].as_ref(), hops.collect::<String>())
}

#[track_caller]
fn assert_names_a_circle(said: &str, names: &[&str]) {
    assert!(said.starts_with("failed: ") && said.contains("remote false"), "{said}");
    assert!(names.iter().all(|name| said.contains(name)), "it does not name {names:?}: {said}");
}

#[test]
fn a_synchronous_object_that_calls_itself_is_refused() {
    let (_outside, host) = start();
    assert_names_a_circle(&relay(&host, &through(&["alpha", "alpha"])), &["alpha"]);
    assert_eq!(relay(&host, "alpha/end"), "alpha", "and lives on");
}

#[test]
fn a_circle_of_two_synchronous_objects_is_refused_and_named() {
    let (_outside, host) = start();
    assert_names_a_circle(&relay(&host, &through(&["alpha", "beta", "alpha"])), &["alpha", "beta"]);
    assert_eq!(relay(&host, &through(&["alpha", "beta"])), "beta", "both live on");
    assert_eq!(relay(&host, &through(&["beta", "alpha"])), "alpha");
}

#[test]
fn a_circle_of_four_synchronous_objects_is_refused_and_named() {
    let (_outside, host) = start();
    let said = relay(&host, &through(&["alpha", "beta", "gamma", "delta", "beta"]));
    assert_names_a_circle(&said, &["beta", "gamma", "delta"]);
    assert_eq!(relay(&host, &through(&["alpha", "beta", "gamma", "delta"])), "delta");
}

#[test]
fn of_two_opposite_calls_one_is_refused_and_the_other_arrives() {
    let (outside, host) = start();
    let path =
        |from: &str, to: &str| format!("/relay-sync/{from}/wait/{from}/hop/relay-sync/{to}/end?{}", outside.address);
    let (first, second) = (ask(&host, &path("alpha", "beta")), ask(&host, &path("beta", "alpha")));
    outside.wait_for("alpha");
    outside.wait_for("beta");
    outside.release("alpha");
    outside.release("beta");
    let mut said = [first.reply().ok().to_string(), second.reply().ok().to_string()];
    said.sort_unstable_by_key(|said| said.starts_with("failed"));
    assert!(said[0] == "alpha" || said[0] == "beta", "{said:?}");
    assert_names_a_circle(&said[1], &["alpha", "beta"]);
}

/// The second call is the one that closes the circle, however long the first one has waited by then.
#[test]
fn the_call_that_closes_the_circle_is_the_one_that_is_refused() {
    let (outside, host) = start();
    let path =
        |from: &str, to: &str| format!("/relay-sync/{from}/wait/{from}/hop/relay-sync/{to}/end?{}", outside.address);
    let (early, late) = (ask(&host, &path("alpha", "beta")), ask(&host, &path("beta", "alpha")));
    outside.wait_for("alpha");
    outside.wait_for("beta");
    outside.release("alpha");
    let_arrive(&host);
    outside.release("beta");
    assert_names_a_circle(late.reply().ok(), &["alpha", "beta"]);
    assert_eq!(early.reply().ok(), "beta");
}

#[test]
fn of_three_calls_in_a_circle_one_is_refused_and_the_others_arrive() {
    let (outside, host) = start();
    let asked = [("alpha", "beta"), ("beta", "gamma"), ("gamma", "alpha")].map(|(from, to)| {
        ask(&host, &format!("/relay-sync/{from}/wait/{from}/hop/relay-sync/{to}/end?{}", outside.address))
    });
    for name in ["alpha", "beta", "gamma"] {
        outside.wait_for(name);
    }
    for name in ["alpha", "beta", "gamma"] {
        outside.release(name);
    }
    let said = asked.map(|asked| asked.reply().ok().to_string());
    let refused: Vec<&String> = said.iter().filter(|said| said.starts_with("failed: ")).collect();
    assert_eq!(refused.len(), 1, "{said:?}");
    assert_names_a_circle(refused[0], &["alpha", "beta", "gamma"]);
}

#[test]
fn a_call_to_a_busy_object_that_is_no_circle_waits() {
    let (outside, host) = start();
    let busy = ask(&host, &format!("/relay-sync/beta/wait/x/end?{}", outside.address));
    outside.wait_for("x");
    let waiting = ask(&host, &format!("/relay-sync/{}", through(&["alpha", "beta"])));
    let_arrive(&host);
    outside.release("x");
    assert_eq!(busy.reply().ok(), "beta");
    assert_eq!(waiting.reply().ok(), "beta");
}

/// Two ways to the same object are no circle.
#[test]
fn two_ways_to_the_same_object_are_no_circle() {
    let (_outside, host) = start();
    let ways = ["call relay-sync/left /hop/relay-sync/end/end", "call relay-sync/right /hop/relay-sync/end/end"];
    let said = Script::of("probe/A").does(&ways[..1]).beside(&ways[1..]).run(&host);
    assert_eq!(said.lines(), ["200 end", "200 end"]);
}

#[test]
fn an_asynchronous_object_may_call_itself() {
    let (_outside, host) = start();
    let inner = Script::of("probe/A").does(&["put k 1", "call probe/A /storage/get?key=k"]).as_call();
    assert_eq!(lines(&host, "probe/A", &[&inner, "get k"]), ["200 ok, 200 1", "1"]);
}

#[test]
fn asynchronous_objects_may_call_each_other_in_circles() {
    let (_outside, host) = start();
    let last = Script::of("probe/B").does(&["increment n", "call probe/A /memory"]).as_call();
    let middle = Script::of("probe/A").does(&["increment n", &last]).as_call();
    let first = Script::of("probe/B").does(&["increment n", &middle]).as_call();
    assert_eq!(line(&host, "probe/A", &first), "200 1, 200 1, 200 2, 200 1");
}

#[test]
fn opposite_calls_of_asynchronous_objects_both_arrive() {
    let (outside, host) = start();
    let asked = [("A", "B"), ("B", "A")].map(|(from, to)| {
        let (fetch, call) = (format!("fetch {from}"), format!("call probe/{to} /memory"));
        Script::of(&format!("probe/{from}")).does(&[&fetch, &call]).outside(&outside).ask(&host)
    });
    outside.wait_for("A");
    outside.wait_for("B");
    outside.release("A");
    outside.release("B");
    for asked in asked {
        assert_eq!(asked.lines()[1], "200 1");
    }
}

#[test]
fn a_synchronous_object_may_call_back_an_asynchronous_one() {
    let (_outside, host) = start();
    assert_eq!(line(&host, "probe/A", "call relay-sync/alpha /hop/probe/A/memory"), "200 1");
}

#[test]
fn an_asynchronous_object_between_two_calls_of_a_synchronous_one_does_not_hide_the_circle() {
    let (_outside, host) = start();
    let circle = Script::of("probe/beta").does(&["call relay-sync/alpha /end"]).path();
    let query = circle.split_once('?').expect("it has steps").1;
    let said = relay(&host, &format!("alpha/hop/probe/beta/steps?{query}"));
    assert_names_a_circle(said.trim_end(), &["alpha", "beta"]);
}

#[test]
fn many_calls_among_few_synchronous_objects_all_come_to_an_end() {
    let (_outside, host) = start();
    let names = ["alpha", "beta", "gamma", "delta"];
    let ends = at_once(12, |thread| {
        let mut random = Random::new(thread as u64);
        let mut connection = host.connect();
        let mut arrived = 0;
        for _ in 0..40 {
            let len = 2 + random.below(3);
            let way: Vec<&str> = (0..len).map(|_| *random.pick(&names)).collect();
            let reply = connection.get(&format!("/relay-sync/{}", through(&way)));
            let said = reply.ok();
            let has_arrived = said == *way.last().expect("a way has an end");
            assert!(has_arrived || said.starts_with("failed: "), "{way:?}: {said}");
            arrived += usize::from(has_arrived);
        }
        arrived
    });
    assert!(ends.iter().sum::<usize>() > 0, "no call ever arrived");
    for name in names {
        assert_eq!(relay(&host, &format!("{name}/end")), name, "all live on");
    }
}

fn chain(len: usize) -> Vec<String> {
    (1..=len).map(|number| format!("object-{number}")).collect()
}

#[test]
fn a_chain_of_calls_may_go_through_32_objects() {
    let (_outside, host) = start();
    assert_eq!(relay(&host, &through(&chain(32))), "object-32");
    let said = relay(&host, &through(&chain(34)));
    assert!(said.starts_with("failed: ") && said.contains("call-depth"), "{said}");
    assert_eq!(relay(&host, &through(&chain(3))), "object-3", "all live on");
}

#[test]
fn how_deep_calls_go_is_a_limit_of_the_operator() {
    let (_outside, host) = start_with(["--limit", "call-depth=3"]);
    assert_eq!(relay(&host, &through(&chain(3))), "object-3");
    let said = relay(&host, &through(&chain(5)));
    assert!(said.starts_with("failed: ") && said.contains("call-depth"), "{said}");
}

/// An object that calls itself again and again, each call waiting for the next.
#[test]
fn an_asynchronous_object_that_calls_itself_without_end_is_stopped_by_the_depth() {
    let (_outside, host) = start_with(["--limit", "call-depth=6"]);
    let mut path = "/memory".to_string();
    for _ in 0..4 {
        path = format!("/namespace/call?class=probe&name=A&path={}", encoded(&path));
    }
    assert_eq!(host.get(&format!("/probe/A{path}")).ok(), "1", "this deep it may go");
    for _ in 0..5 {
        path = format!("/namespace/call?class=probe&name=A&path={}", encoded(&path));
    }
    let reply = host.get(&format!("/probe/A{path}"));
    assert!(reply.text().contains("call-depth"), "{}", reply.text());
    assert_eq!(host.get("/probe/A/memory").number(), 2);
}
