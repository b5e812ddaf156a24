//! Critical sections: what they keep out, what they let through, how they end.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::http::at_once;
use crate::random::Random;
use crate::script::{Script, ask, let_arrive, line, lines, notes, start, start_with};

const A: &str = "probe/A";

#[test]
fn events_wait_while_a_section_is_open() {
    let (outside, host) = start();
    let first = Script::of(A).does(&["enter s", "note in", "fetch a", "note out", "leave s"]).outside(&outside);
    let first = first.ask(&host);
    outside.wait_for("a");
    let others: Vec<_> = (0..3).map(|_| Script::of(A).does(&["note other"]).ask(&host)).collect();
    let_arrive(&host);
    outside.release("a");
    assert_eq!(first.lines(), ["entered", "ok", "a", "ok", "ok"]);
    for other in others {
        other.lines();
    }
    assert_eq!(notes(&host, A), ["in", "out", "other", "other", "other"]);
}

/// The same without a section, which shows that the test above would notice.
#[test]
fn without_a_section_events_come_between() {
    let (outside, host) = start();
    let first = Script::of(A).does(&["note in", "fetch a", "note out"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    assert_eq!(line(&host, A, "note other"), "ok");
    outside.release("a");
    first.lines();
    assert_eq!(notes(&host, A), ["in", "other", "out"]);
}

#[test]
fn other_events_do_not_go_on_while_a_section_is_open() {
    let (outside, host) = start();
    let waiting = Script::of(A).does(&["fetch w", "note waited"]).outside(&outside).ask(&host);
    outside.wait_for("w");
    let section = Script::of(A).does(&["enter s", "note in", "fetch s", "note out", "leave s"]).outside(&outside);
    let section = section.ask(&host);
    outside.wait_for("s");
    outside.release("w");
    let_arrive(&host);
    outside.release("s");
    section.lines();
    waiting.lines();
    assert_eq!(notes(&host, A), ["in", "out", "waited"]);
}

#[test]
fn nothing_begun_outside_of_a_section_completes_inside_it() {
    let (outside, host) = start();
    let begin = ["put k 1", "begin-sync y", "begin-fetch x", "begin-call c probe/B /memory", "begin-sleep t 1"];
    let inside = ["enter s", "fetch s", "is-done y", "is-done x", "is-done c", "is-done t", "leave s"];
    let end = ["await y", "await x", "await c", "await t"];
    let asked = Script::of(A).does(&begin).does(&inside).does(&end).outside(&outside).ask(&host);
    outside.wait_for("x");
    outside.wait_for("s");
    outside.release("x");
    let_arrive(&host);
    // More than the timer needs; if it were not, the test would prove less and not fail.
    std::thread::sleep(Duration::from_millis(20));
    outside.release("s");
    let said = asked.lines();
    assert_eq!(said[..5], ["ok", "begun", "begun", "begun", "begun"]);
    assert_eq!(said[5..12], ["entered", "s", "false", "false", "false", "false", "ok"]);
    assert_eq!(said[12..], ["ok", "x", "200 1", "slept"]);
}

#[test]
fn what_was_begun_inside_a_section_completes_inside_it() {
    let (outside, host) = start();
    outside.release("x");
    let inside = ["begin-fetch x", "begin-call c probe/B /memory", "begin-sleep t 1", "put k 1", "begin-sync y"];
    let end = ["await y", "await x", "await c", "await t", "leave s"];
    let said = Script::of(A).does(&["enter s"]).does(&inside).does(&end).outside(&outside).run(&host);
    assert_eq!(said.lines()[6..], ["ok", "x", "200 1", "slept", "ok"]);
}

#[test]
fn a_section_goes_before_all_that_waits() {
    let (outside, host) = start();
    let waiting = Script::of(A).does(&["fetch w", "note completion"]).outside(&outside).ask(&host);
    outside.wait_for("w");
    let first = ["enter s", "fetch a", "leave s", "note between"];
    let second = ["enter s", "note in", "fetch b", "note out", "leave s"];
    let sections = Script::of(A).does(&first).does(&second).outside(&outside).ask(&host);
    outside.wait_for("a");
    let event = Script::of(A).does(&["note event"]).ask(&host);
    outside.release("w");
    let_arrive(&host);
    outside.release("a");
    outside.release("b");
    sections.lines();
    waiting.lines();
    event.lines();
    let mut noted = notes(&host, A);
    // In which order those two have come to the object is not known.
    noted[3..].sort_unstable();
    assert_eq!(noted, ["between", "in", "out", "completion", "event"]);
}

#[test]
fn sections_of_several_events_come_one_after_the_other_and_in_order() {
    let (outside, host) = start();
    let first = Script::of(A).does(&["enter s", "note 1", "fetch a", "note 1-out", "leave s"]).outside(&outside);
    let first = first.ask(&host);
    outside.wait_for("a");
    let mut later = Vec::new();
    for number in 2..=4 {
        let (begin, end) = (format!("note {number}"), format!("note {number}-out"));
        later.push(Script::of(A).does(&["enter s", &begin, "sleep 1", "yield", &end, "leave s"]).ask(&host));
        let_arrive(&host);
    }
    outside.release("a");
    first.lines();
    for asked in later {
        asked.lines();
    }
    assert_eq!(notes(&host, A), ["1", "1-out", "2", "2-out", "3", "3-out", "4", "4-out"]);
}

#[test]
fn an_event_waits_for_the_outermost_of_nested_sections() {
    let (outside, host) = start();
    let inner = ["enter outer", "enter inner", "fetch a", "note inner-out", "leave inner"];
    let outer = ["fetch b", "note outer-out", "leave outer"];
    let asked = Script::of(A).does(&inner).does(&outer).outside(&outside).ask(&host);
    outside.wait_for("a");
    let other = Script::of(A).does(&["note other"]).ask(&host);
    let_arrive(&host);
    outside.release("a");
    outside.wait_for("b");
    let_arrive(&host);
    outside.release("b");
    assert_eq!(asked.lines(), ["entered", "entered", "a", "ok", "ok", "b", "ok", "ok"]);
    other.lines();
    assert_eq!(notes(&host, A), ["inner-out", "outer-out", "other"]);
}

#[test]
fn what_the_outer_section_began_waits_for_the_inner_one_to_end() {
    let (outside, host) = start();
    let steps = ["enter outer", "begin-fetch x", "enter inner", "fetch y", "is-done x", "leave inner", "await x"];
    let asked = Script::of(A).does(&steps).does(&["leave outer"]).outside(&outside).ask(&host);
    outside.wait_for("x");
    outside.wait_for("y");
    outside.release("x");
    let_arrive(&host);
    outside.release("y");
    assert_eq!(asked.lines(), ["entered", "begun", "entered", "y", "false", "ok", "x", "ok"]);
}

#[test]
fn what_a_nested_section_has_begun_completes_in_the_outer_one() {
    let (outside, host) = start();
    let steps = ["enter outer", "enter inner", "begin-fetch x", "leave inner", "fetch y", "await x", "note straggler"];
    let asked = Script::of(A).does(&steps).does(&["leave outer"]).outside(&outside).ask(&host);
    outside.wait_for("y");
    let other = Script::of(A).does(&["note other"]).ask(&host);
    let_arrive(&host);
    outside.release("y");
    outside.release("x");
    assert_eq!(asked.lines(), ["entered", "entered", "begun", "ok", "y", "x", "ok", "ok"]);
    other.lines();
    assert_eq!(notes(&host, A), ["straggler", "other"]);
}

#[test]
fn what_the_innermost_of_64_sections_has_begun_completes_after_them_all() {
    let (outside, host) = start();
    let enter: Vec<String> = (0..64).map(|number| format!("enter {number}")).collect();
    let leave: Vec<String> = (0..64).rev().map(|number| format!("leave {number}")).collect();
    let all = [enter, vec!["begin-fetch x".into()], leave, vec!["await x".into(), "note x".into()]].concat();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let asked = Script::of(A).does(&all).outside(&outside).ask(&host);
    outside.wait_for("x");
    assert_eq!(line(&host, A, "note other"), "ok");
    outside.release("x");
    asked.lines();
    assert_eq!(notes(&host, A), ["other", "x"]);
}

#[test]
fn what_a_section_has_begun_completes_after_its_end_like_all_the_rest() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["enter s", "begin-fetch x", "leave s", "await x", "note x"]).outside(&outside);
    let asked = asked.ask(&host);
    outside.wait_for("x");
    assert_eq!(line(&host, A, "note other"), "ok");
    outside.release("x");
    asked.lines();
    assert_eq!(notes(&host, A), ["other", "x"]);
}

/// What belongs to the same event but was begun before the section is outside of it.
#[test]
fn a_sibling_of_the_same_event_waits_too() {
    let (outside, host) = start();
    let section = ["fetch first", "enter s", "note in", "fetch a", "note out", "leave s"];
    let asked = Script::of(A).does(&section).beside(&["fetch b", "note sibling"]).outside(&outside).ask(&host);
    outside.wait_for("b");
    outside.release("first");
    outside.wait_for("a");
    outside.release("b");
    let_arrive(&host);
    outside.release("a");
    assert_eq!(asked.lines(), ["first", "entered", "ok", "a", "ok", "ok", "b", "ok"]);
    assert_eq!(notes(&host, A), ["in", "out", "sibling"]);
}

#[test]
fn what_waits_outside_of_a_section_may_be_given_up_inside_it() {
    let (outside, host) = start();
    let begin = ["begin-fetch x", "begin-sleep t 1", "enter s", "begin-fetch z", "fetch y"];
    let end = ["give-up x", "give-up z", "give-up t", "leave s", "enter s", "sleep 1", "leave s", "memory"];
    let asked = Script::of(A).does(&begin).does(&end).outside(&outside).ask(&host);
    outside.wait_for("x");
    outside.wait_for("y");
    outside.release("x");
    let_arrive(&host);
    outside.release("y");
    assert_eq!(asked.lines()[5..], ["ok", "ok", "ok", "ok", "entered", "slept", "ok", "1"]);
    assert_eq!(line(&host, A, "memory"), "2");
}

#[test]
fn a_section_that_an_event_begins_inside_its_own_lies_inside_that() {
    let (outside, host) = start();
    let outer = Script::of(A).does(&["enter s", "fetch a", "note outer", "leave s"]);
    let asked = outer.beside(&["enter t", "fetch b", "note inner", "leave t"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    outside.wait_for("b");
    // The answer that the outer one waits for comes first, and has to wait for the inner one.
    outside.release("a");
    let_arrive(&host);
    outside.release("b");
    assert_eq!(asked.lines(), ["entered", "a", "ok", "ok", "entered", "b", "ok", "ok"]);
    assert_eq!(notes(&host, A), ["inner", "outer"]);
}

#[test]
fn a_section_may_outlast_the_reply() {
    let (outside, host) = start();
    let first = Script::of(A).does(&["enter s", "note in"]).after(&["fetch a", "note out", "leave s"]);
    assert_eq!(first.outside(&outside).run(&host).lines(), ["entered", "ok"]);
    outside.wait_for("a");
    let other = Script::of(A).does(&["note other"]).ask(&host);
    let_arrive(&host);
    outside.release("a");
    other.lines();
    assert_eq!(notes(&host, A), ["in", "out", "other"]);
}

#[test]
fn a_section_ends_although_its_client_has_gone() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["enter s", "fetch a", "note out", "leave s"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    drop(asked);
    let other = Script::of(A).does(&["note other"]).ask(&host);
    let_arrive(&host);
    outside.release("a");
    other.lines();
    assert_eq!(notes(&host, A), ["out", "other"]);
}

#[test]
fn sections_of_different_objects_do_not_wait_for_each_other() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["enter s", "fetch a", "leave s"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    assert_eq!(lines(&host, "probe/B", &["enter s", "sleep 1", "leave s"]), ["entered", "slept", "ok"]);
    outside.release("a");
    asked.lines();
}

/// Every one of these lets others in between its read and its write, unless something keeps them out.
#[test]
fn slow_increments_inside_sections_lose_nothing() {
    let (_outside, host) = start();
    let numbers = at_once(16, |_| {
        let add = || lines(&host, A, &["enter s", "slow-increment n", "leave s"]).swap_remove(1);
        (0..5).map(|_| add().parse::<u64>().expect("a number")).collect::<Vec<_>>()
    });
    assert_eq!(numbers.concat().into_iter().collect::<BTreeSet<_>>(), (1..=80).collect());
    assert_eq!(line(&host, A, "get n"), "80");
}

/// Whatever sections wait for, nothing of other events is between their beginning and their end.
#[test]
fn random_sections_are_never_interrupted() {
    let (outside, host) = start();
    outside.release("x");
    at_once(8, |client| {
        let mut random = Random::new(client as u64);
        for request in 0..12 {
            let name = format!("{client}.{request}");
            let waits = ["sleep 1", "sync", "yield", "call probe/B /memory", "fetch x", "put k 1", "get unknown"];
            let mut steps = vec![format!("begin-sleep before{name} 1"), "enter s".into(), format!("note in{name}")];
            for depth in 0..random.below(3) {
                steps.extend([random.pick(&waits).to_string(), format!("enter s{depth}"), format!("note mid{name}")]);
                steps.extend([random.pick(&waits).to_string(), format!("leave s{depth}")]);
            }
            steps.extend((0..random.below(4)).map(|_| random.pick(&waits).to_string()));
            steps.extend([format!("note out{name}"), "leave s".into(), "sleep 1".into(), format!("note free{name}")]);
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            Script::of(A).does(&steps).outside(&outside).run(&host).ok();
        }
    });
    let (notes, mut inside) = (notes(&host, A), None);
    for note in &notes {
        match (inside, note.strip_prefix("in"), note.strip_prefix("out")) {
            (None, Some(name), _) => inside = Some(name),
            (Some(open), _, Some(name)) if open == name => inside = None,
            (Some(open), ..) => assert_eq!(note.strip_prefix("mid"), Some(open), "{notes:?}"),
            (None, ..) => assert!(note.starts_with("free"), "{notes:?}"),
        }
    }
    assert!(inside.is_none() && notes.len() >= 8 * 12 * 3, "{notes:?}");
}

#[test]
fn storage_that_waits_inside_a_section_keeps_the_section() {
    let (outside, host) = start();
    for part in 0..4 {
        let path = format!("/probe/A/storage/put-many?keys=x{part}a,x{part}b,x{part}c&value-len=20000");
        host.get(&path).ok();
    }
    // Nothing of it is in memory now, and it is too large to be read as a whole.
    let host = host.restart();
    let steps = ["enter s", "note in", "get x0", "fetch a", "get x1", "get x2", "note out", "leave s"];
    let asked = Script::of(A).does(&steps).outside(&outside).ask(&host);
    outside.wait_for("a");
    let others: Vec<_> = (0..4).map(|_| Script::of(A).does(&["get y", "note other"]).ask(&host)).collect();
    let_arrive(&host);
    outside.release("a");
    asked.lines();
    for other in others {
        other.lines();
    }
    assert_eq!(notes(&host, A), ["in", "out", "other", "other", "other", "other"]);
}

#[test]
fn a_section_may_wait_for_another_object() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["enter s", "call probe/B /storage/put?key=k&value=1", "leave s"]);
    assert_eq!(said, ["entered", "200 ok", "ok"]);
    assert_eq!(line(&host, "probe/B", "get k"), "1");
}

#[test]
fn an_object_that_is_called_back_inside_its_section_refuses_and_names_the_circle() {
    let (_outside, host) = start();
    let back = Script::of("probe/beta").does(&["call probe/alpha /memory"]).as_call();
    let said = lines(&host, "probe/alpha", &["enter s", &back, "leave s", "memory"]);
    assert!(said[1].starts_with("200 failed: ") && said[1].contains("remote false"), "{said:?}");
    assert!(said[1].contains("alpha") && said[1].contains("beta"), "it names the circle: {said:?}");
    assert_eq!((said[2].as_str(), said[3].as_str()), ("ok", "1"), "the object lives on");
}

#[test]
fn an_object_that_calls_itself_inside_its_section_is_refused() {
    let (_outside, host) = start();
    let said = lines(&host, A, &["enter s", "call probe/A /memory", "leave s", "call probe/A /memory"]);
    assert!(said[1].starts_with("failed: ") && said[1].contains("remote false"), "{said:?}");
    assert_eq!(said[2..], ["ok", "200 1"]);
}

/// The call was begun before the section, so the section does not wait for it, and so it is no circle.
#[test]
fn a_call_back_that_the_section_does_not_wait_for_comes_after_it() {
    let (outside, host) = start();
    let back = Script::of("probe/B").does(&["fetch b", "call probe/A /memory"]).outside(&outside).path();
    let begin = format!("begin-call c probe/B {}", back.strip_prefix("/probe/B").expect("it is the path of B"));
    let steps = [&begin, "enter s", "fetch a", "memory", "leave s", "await c"];
    let asked = Script::of(A).does(&steps).outside(&outside).ask(&host);
    outside.wait_for("a");
    outside.wait_for("b");
    outside.release("b");
    let_arrive(&host);
    outside.release("a");
    assert_eq!(asked.lines()[3..], ["1", "ok", "200 b, 200 2"]);
}

#[test]
fn of_two_opposite_calls_from_sections_one_is_refused_and_the_other_arrives() {
    let (outside, host) = start();
    let asked = [("alpha", "beta"), ("beta", "alpha")].map(|(from, to)| {
        let (fetch, call) = (format!("fetch {from}"), format!("call probe/{to} /memory"));
        let steps = ["enter s", &fetch, &call, "leave s"];
        Script::of(&format!("probe/{from}")).does(&steps).outside(&outside).ask(&host)
    });
    outside.wait_for("alpha");
    outside.wait_for("beta");
    outside.release("alpha");
    outside.release("beta");
    let mut said = asked.map(|asked| asked.lines().swap_remove(2));
    said.sort_unstable();
    assert_eq!(said[0], "200 1", "{said:?}");
    assert!(said[1].starts_with("failed: ") && said[1].contains("alpha") && said[1].contains("beta"), "{said:?}");
}

/// Asserts that these steps fail, and that a new life begins after them.
#[track_caller]
fn assert_reset_by(steps: &[&str]) {
    let (_outside, host) = start();
    assert_eq!(line(&host, A, "memory"), "1");
    Script::of(A).does(steps).run(&host).says(500, "the object was reset during the request");
    assert_eq!(line(&host, A, "memory"), "1");
}

#[test]
fn a_dropped_section_resets_the_object() {
    let (outside, host) = start();
    let steps = ["memory", "put early 1", "enter s", "fetch a", "put late 1", "drop-section s", "put later 1"];
    let asked = Script::of(A).does(&steps).outside(&outside).ask(&host);
    outside.wait_for("a");
    let waiting = ask(&host, "/probe/A/memory");
    let calling = Script::of("probe/B").does(&["call probe/A /memory"]).ask(&host);
    let_arrive(&host);
    outside.release("a");
    asked.reply().says(500, "the object was reset during the request");
    let waited = waiting.reply();
    waited.says(503, "the object was reset before the request");
    assert_eq!(waited.header("retry-after"), Some("1"));
    let called = calling.lines().concat();
    assert!(called.starts_with("failed: "), "{called}");
    assert!(called.ends_with("remote false, retryable true, overloaded false"), "{called}");
    assert_eq!(line(&host, A, "memory"), "1", "the next event starts afresh");
    assert_eq!(lines(&host, A, &["get early", "get late", "get later"]), ["1", "none", "none"]);
    assert_eq!(lines(&host, A, &["enter s", "sleep 1", "leave s"]), ["entered", "slept", "ok"]);
}

#[test]
fn an_event_that_ends_with_an_open_section_resets_the_object() {
    assert_reset_by(&["put k 1", "enter s"]);
}

#[test]
fn an_exception_that_leaves_a_section_open_resets_the_object() {
    assert_reset_by(&["enter s", "sleep 1", "throw out of it"]);
}

#[test]
fn a_section_that_ends_before_one_inside_it_resets_the_object() {
    assert_reset_by(&["enter outer", "enter inner", "leave outer", "leave inner"]);
}

#[test]
fn a_dropped_nested_section_resets_the_object() {
    assert_reset_by(&["enter outer", "enter inner", "drop-section inner", "leave outer"]);
}

#[test]
fn a_trap_inside_a_section_leaves_the_next_life_without_one() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["enter s", "put k 1", "trap"]).run(&host);
    asked.says(500, "the object was reset during the request");
    outside.release("a");
    let said = Script::of(A).does(&["fetch a", "enter s", "get k", "leave s"]).outside(&outside).run(&host);
    assert_eq!(said.lines(), ["a", "entered", "none", "ok"]);
}

#[test]
fn a_section_that_takes_too_long_resets_the_object_as_overloaded() {
    let (outside, host) = start_with(["--limit", "section-time=300ms"]);
    let never = Script::of(A).does(&["memory", "enter s", "fetch never", "leave s"]).outside(&outside);
    let from_outside = never.ask(&host);
    outside.wait_for("never");
    let from_object = Script::of("probe/B").does(&["call probe/A /memory"]).ask(&host);
    let reply = from_outside.reply();
    assert!(matches!(reply.status, 500 | 503), "{reply:?}");
    let called = from_object.lines().concat();
    assert!(called.starts_with("failed: ") && called.ends_with("overloaded true"), "{called}");
    assert!(called.contains("section-time"), "it names the limit: {called}");
    assert_eq!(line(&host, A, "memory"), "1", "the next event starts afresh");
}

/// Waiting inside for what was begun outside: nobody will ever come.
#[test]
fn a_section_that_waits_for_work_from_outside_of_it_ends_by_its_limit() {
    let (outside, host) = start_with(["--limit", "section-time=300ms"]);
    outside.release("x");
    let steps = ["memory", "begin-fetch x", "enter s", "await x", "leave s"];
    let reply = Script::of(A).does(&steps).outside(&outside).run(&host);
    assert!(matches!(reply.status, 500 | 503), "{reply:?}");
    assert_eq!(line(&host, A, "memory"), "1");
}

#[test]
fn a_section_whose_handle_was_leaked_ends_by_its_limit() {
    let (_outside, host) = start_with(["--limit", "section-time=300ms"]);
    let reply = Script::of(A).does(&["memory", "enter s", "leak-section s"]).run(&host);
    assert_eq!(reply.lines(), ["1", "entered", "ok"]);
    // Waits for the end of the section, and then for a life in which it is let in.
    let waiting = host.get("/probe/A/memory");
    assert!(matches!(waiting.status, 500 | 503), "{waiting:?}");
    assert_eq!(line(&host, A, "memory"), "1");
}

#[test]
fn sections_that_are_short_do_not_add_up_to_the_limit() {
    let (_outside, host) = start_with(["--limit", "section-time=2s"]);
    assert_eq!(line(&host, A, "memory"), "1");
    let steps = ["enter s", "sleep 300", "leave s"].repeat(8);
    assert_eq!(lines(&host, A, &steps), ["entered", "slept", "ok"].repeat(8));
    assert_eq!(line(&host, A, "memory"), "2", "it was reset");
}

#[test]
fn sections_lie_inside_each_other_64_deep_and_not_deeper() {
    let (_outside, host) = start();
    assert_eq!(lines(&host, A, &["memory", "enter-many 64"]), ["1", "64"]);
    let said = line(&host, A, "enter-many 65");
    assert!(said.starts_with("64 too-deep: "), "{said}");
    assert_eq!(lines(&host, A, &["enter s", "sleep 1", "leave s", "memory"]), ["entered", "slept", "ok", "2"]);
}

#[test]
fn a_trap_deep_inside_of_sections_resets_the_object() {
    let (_outside, host) = start();
    assert_eq!(line(&host, A, "memory"), "1");
    let enter: Vec<String> = (0..64).map(|number| format!("enter {number}")).collect();
    let enter: Vec<&str> = enter.iter().map(String::as_str).collect();
    Script::of(A).does(&enter).does(&["sleep 1", "trap"]).run(&host).says(500, "the object was reset");
    assert_eq!(lines(&host, A, &["memory", "enter-many 64"]), ["1", "64"]);
}

#[test]
fn how_deep_sections_lie_is_a_limit_of_the_operator() {
    let (_outside, host) = start_with(["--limit", "section-depth=3"]);
    let said = line(&host, A, "enter-many 64");
    assert!(said.starts_with("3 too-deep: ") && said.contains("section-depth"), "{said}");
}

#[test]
fn a_stop_waits_for_a_section_and_for_those_who_wait_for_it() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["enter s", "fetch a", "put k 1", "leave s"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    let waiting = Script::of(A).does(&["get k"]).ask(&host);
    let_arrive(&host);
    host.signal("TERM");
    outside.release("a");
    assert_eq!(asked.lines(), ["entered", "a", "ok", "ok"]);
    assert_eq!(waiting.lines(), ["1"]);
    assert_eq!(host.wait().status.code(), Some(0));
}
