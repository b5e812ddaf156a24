//! Ids and stubs as a guest gets them.

use std::collections::HashSet;

use crate::host::{Host, Setup};
use crate::http::encoded;

/// Two classes of one component.
fn two_classes() -> Setup {
    Setup::new().guest("probe").class("other", "probe")
}

fn id_from_name(host: &Host, class: &str, name: &str) -> String {
    host.get(&format!("/probe/A/namespace/id-from-name?class={class}&name={}", encoded(name))).ok().to_string()
}

fn state(host: &Host, path: &str) -> Vec<String> {
    host.get(path).lines().into_iter().map(str::to_string).collect()
}

/// Calls the probe at `target`, such as `name=B`, from object A.
fn call(target: &str, path: &str) -> String {
    format!("/probe/A/namespace/call?class=probe&{target}&path={}", encoded(path))
}

fn assert_is_an_id(id: &str) {
    assert!(id.len() == 64 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id:?}");
}

#[test]
fn a_name_gives_the_same_id_every_time() {
    let host = two_classes().start();
    let names = ["A", "", "a/b", "é🦀", "a b", "\0", &"n".repeat(5000)];
    let ids: Vec<String> = names.iter().map(|name| id_from_name(&host, "probe", name)).collect();
    for id in &ids {
        assert_is_an_id(id);
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), names.len(), "different names have different ids");
    assert!(names.iter().zip(&ids).all(|(name, id)| id_from_name(&host, "other", name) != *id));
    let host = host.restart();
    let later: Vec<String> = names.iter().map(|name| id_from_name(&host, "probe", name)).collect();
    assert_eq!(ids, later);
}

#[test]
fn an_object_knows_its_id_name_and_class() {
    let host = two_classes().start();
    let id = id_from_name(&host, "other", "a b");
    assert_eq!(state(&host, "/other/a%20b/state"), [format!("id {id}"), "name a b".into(), "class other".into()]);
}

#[test]
fn ids_of_two_data_directories_differ() {
    assert_ne!(id_from_name(&two_classes().start(), "probe", "A"), id_from_name(&two_classes().start(), "probe", "A"));
}

#[test]
fn text_that_is_no_id_is_refused_in_cloudflares_words() {
    let host = two_classes().start();
    let id = id_from_name(&host, "probe", "B");
    let from_string = |id: &str| host.get(&format!("/probe/A/namespace/id-from-string?class=probe&id={}", encoded(id)));
    assert_eq!(from_string(&id).ok(), id);
    assert_eq!(from_string(&id.to_uppercase()).ok(), id);
    for bad in ["", "x", &id[1..], &format!("{id}0"), &format!("x{}", &id[1..]), &"é".repeat(32)] {
        from_string(bad).says(400, "invalid-id: Invalid Durable Object ID: must be 64 hex digits");
    }
    let foreign = "invalid-id: Durable Object ID is not valid for this namespace.";
    from_string(&"0".repeat(64)).says(400, foreign);
    from_string(&id_from_name(&host, "other", "B")).says(400, foreign);
    let last = if id.ends_with('0') { '1' } else { '0' };
    from_string(&format!("{}{last}", &id[..63])).says(400, foreign);
    host.get(&format!("/probe/A/namespace/stub?class=probe&id={}", "0".repeat(64))).says(400, foreign);
}

#[test]
fn unique_ids_are_unique_and_valid() {
    let host = two_classes().start();
    let ids: HashSet<String> =
        (0..50).map(|_| host.get("/probe/A/namespace/new-unique-id?class=probe").ok().to_string()).collect();
    assert_eq!(ids.len(), 50);
    for id in ids.iter().take(3) {
        assert_is_an_id(id);
        assert_eq!(host.get(&format!("/probe/A/namespace/id-from-string?class=probe&id={id}")).ok(), id);
        let state = state(&host, &call(&format!("id={id}"), "/state"));
        assert_eq!(state, [format!("id {id}"), "class probe".into()], "a unique id has no name");
    }
}

#[test]
fn an_unknown_class_is_refused() {
    let host = two_classes().start();
    for function in
        ["id-from-name?name=A", "id-from-string?id=00", "new-unique-id?", "stub?name=A", "call?name=A&path=/"]
    {
        host.get(&format!("/probe/A/namespace/{function}&class=nope"))
            .says(400, "unknown-class: no class \"nope\" is served");
    }
}

#[test]
fn a_stub_tells_id_and_name_without_asking_the_object() {
    let host = two_classes().start();
    let id = id_from_name(&host, "probe", "B");
    assert_eq!(state(&host, "/probe/A/namespace/stub?class=probe&name=B"), [format!("id {id}"), "name B".into()]);
    let by_id = state(&host, &format!("/probe/A/namespace/stub?class=probe&id={}", id.to_uppercase()));
    assert_eq!(by_id, [format!("id {id}")]);
    assert_eq!(host.get("/probe/B/memory").number(), 1, "no instance was started for it");
}

#[test]
fn a_call_reaches_the_object_of_that_name_which_knows_it() {
    let host = two_classes().start();
    let id = id_from_name(&host, "probe", "B");
    let expected = [format!("id {id}"), "name B".into(), "class probe".into()];
    assert_eq!(state(&host, &call("name=B", "/state")), expected);
    assert_eq!(host.get(&call("name=B", "/storage/increment?key=n")).number(), 1);
    assert_eq!(host.get("/probe/B/storage/increment?key=n").number(), 2, "from outside it is the same object");
    assert_eq!(host.get(&call(&format!("id={id}"), "/storage/increment?key=n")).number(), 3);
    assert_eq!(host.get("/other/B/storage/increment?key=n").number(), 1, "but not in another class");
}

#[test]
fn a_call_carries_method_and_body() {
    let host = two_classes().start();
    let reply = host.connect().post(&call("name=B", "/echo?a=1"), b"the body");
    let lines = reply.lines();
    for line in ["method POST", "path /echo", "query a=1", "body the body", "authority example.com"] {
        assert!(lines.contains(&line), "{line} is not in {lines:?}");
    }
    let body = vec![b'x'; 1 << 20];
    assert_eq!(host.connect().post(&call("name=B", "/body"), &body).body, body);
}

#[test]
fn calls_through_one_stub_arrive_in_order() {
    let host = two_classes().start();
    let paths: String = (0..50).map(|_| format!("&path={}", encoded("/storage/increment?key=n"))).collect();
    for (round, at_once) in ["true", "false"].into_iter().enumerate() {
        let path = format!("/probe/A/namespace/call?class=probe&name=B&at-once={at_once}{paths}");
        let expected: Vec<String> = (1..=50).map(|count| format!("200 {}", round * 50 + count)).collect();
        assert_eq!(host.get(&path).lines(), expected);
    }
}

#[test]
fn an_exception_comes_to_the_caller_with_its_text() {
    let host = two_classes().start();
    let reply = host.get(&call("name=B", "/exception?message=not today"));
    assert_eq!(reply.status, 502);
    assert_eq!(reply.text(), "message not today\nremote true\nretryable false\noverloaded false\n");
}

#[test]
fn a_trap_comes_to_the_caller_as_a_failure_of_the_host() {
    let host = two_classes().start();
    assert_eq!(host.get("/probe/A/memory").number(), 1);
    let reply = host.get(&call("name=B", "/trap"));
    assert_eq!(reply.status, 502);
    let text = reply.text();
    assert!(text.starts_with("message the object was reset") && text.contains("remote false"), "{text}");
    assert!(text.contains("overloaded false"), "{text}");
    assert_eq!(host.get("/probe/A/memory").number(), 2, "the caller lives on");
    assert_eq!(host.get(&call("name=B", "/memory")).number(), 1, "and its next call reaches a new life");
}

#[test]
fn an_overloaded_object_says_so_to_its_callers() {
    let host = Setup::new().guest("probe").with(["--limit", "events=4"]).start();
    let paths = format!("&path={}", encoded("/storage/increment?key=n&pause=true")).repeat(30);
    let reply = host.get(&format!("/probe/A/namespace/call?class=probe&name=B&at-once=true{paths}"));
    let lines = reply.lines();
    let refused: Vec<&&str> = lines.iter().filter(|line| !line.starts_with("200 ")).collect();
    assert!(!refused.is_empty() && refused.len() < 30, "{lines:?}");
    for line in refused {
        assert!(line.starts_with("502 message ") && line.contains("remote false"), "{line}");
        assert!(line.ends_with("overloaded true"), "{line}");
    }
}

/// What leaves an object leaves after the writes it depends on.
#[test]
fn an_object_that_wrote_before_it_called_has_written() {
    let setup = two_classes();
    let mut host = setup.start();
    for round in 1..=5 {
        assert_eq!(host.get(&call("name=B", "/storage/increment?key=n")).number(), round);
        host.kill();
        host = setup.start();
    }
}

#[test]
fn a_name_stays_known_when_the_object_is_reached_by_its_id() {
    let host = two_classes().with(["--idle-timeout", "50ms"]).start();
    let id = id_from_name(&host, "probe", "B");
    assert_eq!(host.get("/probe/B/storage/increment?key=n").number(), 1);
    let by_id = call(&format!("id={id}"), "/state");
    let expected = [format!("id {id}"), "name B".into(), "class probe".into()];
    assert_eq!(state(&host, &by_id), expected);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(state(&host, &by_id), expected, "after an eviction");
    let host = host.restart();
    assert_eq!(state(&host, &by_id), expected, "after a restart");
}

#[test]
fn an_object_first_reached_by_its_id_learns_its_name_later_and_keeps_it() {
    let host = two_classes().start();
    let id = id_from_name(&host, "probe", "B");
    let by_id = |path: &str| call(&format!("id={id}"), path);
    assert_eq!(host.get(&by_id("/storage/increment?key=n")).number(), 1);
    assert_eq!(state(&host, &by_id("/state")), [format!("id {id}"), "class probe".into()]);
    assert_eq!(host.get("/probe/B/storage/increment?key=n").number(), 2);
    let host = host.restart();
    assert_eq!(state(&host, &by_id("/state")), [format!("id {id}"), "name B".into(), "class probe".into()]);
}

#[test]
fn an_object_can_call_itself_while_it_waits() {
    let host = two_classes().start();
    assert_eq!(host.get(&call("name=A", "/storage/increment?key=n")).number(), 1);
    assert_eq!(host.get("/probe/A/overlap").number(), 2);
}
