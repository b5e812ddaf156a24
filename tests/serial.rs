//! Classes that take strict turns: `--serial CLASS`.

use std::collections::BTreeSet;

use crate::host::{Host, Setup};
use crate::http::at_once;
use crate::outside::Outside;
use crate::script::{Script, let_arrive, line, lines, notes};

/// Of the class that takes turns. The class `probe` of the same component does not.
const A: &str = "turns/A";

fn start() -> (Outside, Host) {
    let outside = Outside::new();
    let setup = Setup::new().guest("probe").class("turns", "probe").with(["--serial", "turns"]);
    let host = outside.allowed(setup).start();
    (outside, host)
}

#[test]
fn events_of_a_serial_class_come_one_after_the_other() {
    let (outside, host) = start();
    let first = Script::of(A).does(&["note 1", "fetch a", "sleep 1", "sync", "note 1-out"]).outside(&outside);
    let first = first.ask(&host);
    outside.wait_for("a");
    let mut later = Vec::new();
    for number in 2..=4 {
        let (begin, end) = (format!("note {number}"), format!("note {number}-out"));
        later.push(Script::of(A).does(&[&begin, "sleep 1", &end]).ask(&host));
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
fn another_class_of_the_same_component_interleaves() {
    let (outside, host) = start();
    let first = Script::of("probe/A").does(&["note 1", "fetch a", "note 1-out"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    line(&host, "probe/A", "note 2");
    outside.release("a");
    first.lines();
    assert_eq!(notes(&host, "probe/A"), ["1", "2", "1-out"]);
}

#[test]
fn increments_that_pause_lose_nothing_in_a_serial_class() {
    let (_outside, host) = start();
    let numbers = at_once(16, |_| {
        let mut connection = host.connect();
        let path = "/turns/A/storage/increment?key=n&pause=true";
        (0..10).map(|_| connection.get(path).number()).collect::<Vec<_>>()
    });
    assert_eq!(numbers.concat().into_iter().collect::<BTreeSet<_>>(), (1..=160).collect());
    assert_eq!(host.get("/turns/A/overlap").number(), 1);
}

#[test]
fn objects_of_a_serial_class_do_not_wait_for_each_other() {
    let (outside, host) = start();
    let asked = Script::of(A).does(&["fetch a"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    assert_eq!(line(&host, "turns/B", "memory"), "1");
    outside.release("a");
    asked.lines();
}

#[test]
fn a_serial_object_may_call_itself() {
    let (_outside, host) = start();
    let inner = Script::of(A).does(&["note inner", "sleep 1", "note inner-out"]).as_call();
    assert_eq!(lines(&host, A, &["note outer", &inner, "note outer-out"])[1], "200 ok, slept, ok");
    assert_eq!(notes(&host, A), ["outer", "inner", "inner-out", "outer-out"]);
}

#[test]
fn a_serial_object_may_be_called_back_by_what_it_called_and_nobody_else_gets_in() {
    let (outside, host) = start();
    let back = Script::of(A).does(&["note back", "fetch b", "note back-out"]).outside(&outside).as_call();
    let other = Script::of("probe/B").does(&["fetch a", &back]).outside(&outside).as_call();
    let first = Script::of(A).does(&["note first", &other, "note first-out"]).ask(&host);
    outside.wait_for("a");
    let stranger = Script::of(A).does(&["note stranger"]).ask(&host);
    let_arrive(&host);
    outside.release("a");
    outside.wait_for("b");
    let_arrive(&host);
    outside.release("b");
    assert_eq!(first.lines()[1], "200 a, 200 ok, b, ok");
    stranger.lines();
    assert_eq!(notes(&host, A), ["first", "back", "back-out", "first-out", "stranger"]);
}

#[test]
fn a_serial_object_may_be_called_back_through_another_serial_object() {
    let (_outside, host) = start();
    let back = Script::of(A).does(&["increment n"]).as_call();
    let other = Script::of("turns/B").does(&["increment n", &back]).as_call();
    assert_eq!(lines(&host, A, &["increment n", &other, "increment n"]), ["1", "200 1, 200 2", "3"]);
}

/// Each is busy with an event that waits for the other one, and neither belongs to the other's chain of calls.
#[test]
fn of_two_opposite_calls_of_serial_objects_one_is_refused_and_the_other_arrives() {
    let (outside, host) = start();
    let asked = [("alpha", "beta"), ("beta", "alpha")].map(|(from, to)| {
        let (fetch, call) = (format!("fetch {from}"), format!("call turns/{to} /memory"));
        Script::of(&format!("turns/{from}")).does(&[&fetch, &call]).outside(&outside).ask(&host)
    });
    outside.wait_for("alpha");
    outside.wait_for("beta");
    outside.release("alpha");
    outside.release("beta");
    let mut said = asked.map(|asked| asked.lines().swap_remove(1));
    said.sort_unstable();
    assert_eq!(said[0], "200 1", "{said:?}");
    assert!(said[1].starts_with("failed: ") && said[1].contains("alpha") && said[1].contains("beta"), "{said:?}");
}

#[test]
fn an_exception_and_a_trap_let_the_next_event_of_a_serial_class_in() {
    let (_outside, host) = start();
    assert_eq!(line(&host, A, "memory"), "1");
    Script::of(A).does(&["sleep 1", "throw out of it"]).run(&host).says(500, "the object threw an exception");
    assert_eq!(line(&host, A, "memory"), "2");
    Script::of(A).does(&["sleep 1", "trap"]).run(&host).says(500, "the object was reset during the request");
    assert_eq!(line(&host, A, "memory"), "1");
}

#[test]
fn a_serial_object_may_use_sections_and_transactions() {
    let (_outside, host) = start();
    let steps = ["enter s", "sleep 1", "leave s", "begin t", "put k 1", "sleep 1", "commit t", "list"];
    assert_eq!(lines(&host, A, &steps).last().expect("it said something"), "k=1");
}

#[test]
fn a_class_that_takes_turns_must_be_served() {
    Setup::new().guest("probe").with(["--serial", "nobody"]).fail().says(&["nobody"]);
}
