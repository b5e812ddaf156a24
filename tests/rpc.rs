//! Methods: functions that a component exports beside the interfaces that the host knows. Over HTTP, from the command line,
//! and from other guests by name or with their types.
//!
//! `guests/types` has every type and a count, `guests/types-sync` the count on the synchronous ABI, `guests/caller` calls
//! them with their types.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::host::{Ended, Host, PATIENCE, Setup, dohost, guest};
use crate::http::{Reply, at_once};
use crate::random::Random;
use crate::script::{Script, let_arrive, line};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn start() -> Host {
    Setup::new().guest("types").guest("types-sync").guest("caller").guest("probe").start()
}

/// Calls a method of `/{class}/{name}`.
fn call(host: &Host, object: &str, method: &str, arguments: &str) -> Reply {
    host.connect().send("POST", &format!("/{object}/rpc/{method}"), &JSON, arguments.as_bytes())
}

/// The result of a method that must give one.
#[track_caller]
fn result(host: &Host, object: &str, method: &str, arguments: impl ToString) -> Json {
    let reply = call(host, object, method, &arguments.to_string());
    assert_eq!(reply.header("content-type"), Some("application/json"), "{}", reply.text());
    serde_json::from_str(reply.ok()).expect("a result is JSON")
}

/// `dohost call` with these arguments.
fn command(host: &Host, arguments: &[&str]) -> Ended {
    let url = format!("http://{}", host.address);
    dohost(["call"].iter().chain(arguments).map(|text| text.to_string()).chain(["--url".to_string(), url]))
}

/// A record with one of each type; the larger the seed the less usual.
fn all(random: &mut Random) -> Json {
    let text = |random: &mut Random| random.pick(&["", "a", "ü\u{1f980}\"\\\n\u{0}", "plain text"]).to_string();
    let s64 = [json!(0), json!(-1), json!(9_007_199_254_740_991_i64), json!("-9223372036854775808")];
    let u64 = [json!(0), json!(7), json!("9007199254740992"), json!("18446744073709551615")];
    let items: Vec<Json> = (0..random.below(4))
        .map(|price| json!({ "sku": text(random), "unit-price": price, "note": random.pick(&[json!(null), json!("x")]) }))
        .collect();
    json!({
        "a-bool": random.below(2) == 0,
        "an-s8": random.pick(&[-128, 127, 0]),
        "a-u8": random.pick(&[0, 255]),
        "an-s16": random.pick(&[-32768, 32767]),
        "a-u16": random.pick(&[0, 65535]),
        "an-s32": random.pick(&[i32::MIN, i32::MAX]),
        "a-u32": random.pick(&[0, u32::MAX]),
        "an-s64": random.pick(&s64),
        "a-u64": random.pick(&u64),
        "an-f32": random.pick(&[json!(0.5), json!("NaN"), json!("-Infinity"), json!(-0.0)]),
        "an-f64": random.pick(&[json!(0.1), json!(1e308), json!(5e-324), json!("Infinity"), json!("NaN")]),
        "a-char": random.pick(&["x", "ß", "\u{10ffff}", "\u{0}"]),
        "a-string": text(random),
        "bytes": random.pick(&["", "AA==", "AP8B", "aGVsbG8="]),
        "items": items,
        "pair": [text(random), random.below(256)],
        "payment": random.pick(&[json!("cash"), json!({ "card": "" }), json!({ "voucher": "18446744073709551615" })]),
        "mood": random.pick(&["calm", "merry"]),
        "wraps": random.pick(&[json!([]), json!(["bow"]), json!(["paper", "ribbon", "bow"])]),
        "maybe": random.pick(&[json!(null), json!(255)]),
        "perhaps": random.pick(&[json!(null), json!({ "some": null }), json!({ "some": 1 })]),
        "outcome": random.pick(&[json!({ "ok": 1 }), json!({ "err": "no" })]),
        "done": random.pick(&[json!({ "ok": null }), json!({ "err": null })]),
    })
}

#[test]
fn a_method_takes_its_arguments_by_name_or_in_order() {
    let host = start();
    assert_eq!(result(&host, "types/A", "increment", r#"{"by": 2}"#), 2);
    assert_eq!(result(&host, "types/A", "increment", "[3]"), 5);
    assert_eq!(result(&host, "types/A", "increment", "{}"), 6, "an option may be missing");
    assert_eq!(result(&host, "types/A", "increment", ""), 7);
    assert_eq!(result(&host, "types/A", "value", ""), 7);
    assert_eq!(result(&host, "types/B", "value", ""), 0, "another object");
    assert_eq!(result(&host, "types/A", "clear", ""), Json::Null);
    assert_eq!(result(&host, "types/A", "greet", r#"["you"]"#), "Hello, you!");
    assert_eq!(result(&host, "types/A", "sum", r#"{"b": 1, "a": 2}"#), 3, "a function that is not async");
    for name in ["counting.value", "dohost:types/counting@1.0.0.value", "dohost%3Atypes%2Fcounting%401.0.0.value"] {
        assert_eq!(result(&host, "types/A", name, ""), 0, "{name}");
    }
}

#[test]
fn methods_of_a_guest_with_the_sync_abi_are_called_alike() {
    let host = start();
    assert_eq!(result(&host, "types-sync/A", "increment", "[3]"), 3);
    call(&host, "types-sync/A", "take", "[5]").says(422, r#"{"error":{"too-little":3}}"#);
    call(&host, "types-sync/A", "increment-then-trap", "").says(500, "the object was reset");
    assert_eq!(result(&host, "types-sync/A", "value", ""), 3);
}

#[test]
fn a_value_of_every_type_goes_through_an_object_and_comes_back() {
    let host = start();
    let mut random = Random::new(1);
    for _ in 0..200 {
        let all = all(&mut random);
        assert_eq!(result(&host, "types/A", "echo-all", json!([all])), all);
        let through = json!({ "class": "types", "name": "A", "all": all });
        assert_eq!(result(&host, "caller/A", "echo-all", through), all, "by the types of another guest");
    }
    for (method, value) in [
        ("echo-u64", json!("18446744073709551615")),
        ("echo-s64", json!("-9223372036854775808")),
        ("echo-u64", json!(9_007_199_254_740_991_u64)),
        ("echo-lists", json!([[], ["a", ""], ["b"]])),
    ] {
        assert_eq!(result(&host, "types/A", method, json!([value])), value);
    }
    assert_eq!(call(&host, "types/A", "echo-u64", "[18446744073709551615]").ok(), "\"18446744073709551615\"");
    assert_eq!(call(&host, "types/A", "echo-bytes", "[[0, 255]]").ok(), "\"AP8=\"");
}

#[test]
fn arguments_that_do_not_fit_are_refused_with_where_and_what() {
    let host = start();
    for (method, arguments, says) in [
        ("increment", r#"{"by": -1}"#, "args.by: expected u32, got -1"),
        ("increment", r#"{"bye": 1}"#, "args: no parameter \"bye\"; there are by"),
        ("increment", r#"{"by": "#, "not JSON: EOF"),
        ("take", "", "args.amount: expected u64, but it is missing"),
        ("echo-all", r#"[{"a-bool": 1}]"#, "args[0].a-bool: expected bool, got 1"),
        ("value", "[1]", "args: expected an object or an array with the parameters of value: async func() -> u64"),
    ] {
        call(&host, "types/A", method, arguments).says(400, says);
    }
    let not_text = host.connect().send("POST", "/types/A/rpc/increment", &JSON, b"\xff");
    not_text.says(400, "not UTF-8");
    assert_eq!(result(&host, "types/A", "value", ""), 0, "none of them was called");
}

#[test]
fn what_is_no_call_of_a_method_is_refused_as_http_has_it() {
    let host = start();
    call(&host, "types/A", "nope", "").says(404, "class types has no method \"nope\"; it has greet, echo-all");
    call(&host, "nope/A", "value", "").says(404, "");
    let get = host.get("/types/A/rpc/value");
    get.says(405, "a method is called with POST");
    assert_eq!(get.header("allow"), Some("POST"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for headers in [&form[..], &[]] {
        let reply = host.connect().send("POST", "/types/A/rpc/increment", headers, b"{}");
        reply.says(415, "content-type: application/json");
    }
    let utf8 = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(host.connect().send("POST", "/types/A/rpc/increment", &utf8, b"{}").ok(), "1");
}

#[test]
fn the_error_of_a_method_is_422_and_what_it_wrote_before_stays() {
    let host = start();
    result(&host, "types/A", "increment", "[5]");
    assert_eq!(result(&host, "types/A", "take", "[2]"), 3);
    call(&host, "types/A", "take", "[4]").says(422, r#"{"error":{"too-little":3}}"#);
    call(&host, "types/A", "take", "[0]").says(422, r#"{"error":"closed"}"#);
    assert_eq!(result(&host, "types/A", "value", ""), 3);
}

#[test]
fn a_trap_in_a_method_resets_the_object_and_takes_its_turn_with_it() {
    let host = start();
    result(&host, "types/A", "increment", "[5]");
    call(&host, "types/A", "increment-then-trap", "").says(500, "the object was reset during the request");
    host.log_with("unreachable");
    assert_eq!(result(&host, "types/A", "value", ""), 5);
}

#[test]
fn a_class_with_methods_only_takes_no_requests() {
    let host = start();
    host.get("/types/A/anything").says(404, "objects of class types take no requests, they have methods: greet");
    let said = line(&host, "probe/A", "call types/A /anything");
    assert!(said.starts_with("failed: the object takes no requests, it has methods only: greet"), "{said}");
    assert_eq!(result(&host, "types/A", "value", ""), 0);
}

#[test]
fn a_class_without_methods_keeps_the_path_for_itself() {
    let host = Setup::new().guest("counter-sync").start();
    host.get("/counter-sync/A/rpc/value").says(404, "Not found");
    host.get("/openapi.json").says(404, "no class of this host has methods");
}

#[test]
fn a_class_may_have_both_requests_and_methods() {
    let host = Setup::new().guest("counter").start();
    assert_eq!(host.get("/counter/A/increment").number(), 1);
    assert_eq!(result(&host, "counter/A", "increment", r#"{"by": 2}"#), 3);
    assert_eq!(host.get("/counter/A/value").number(), 3);
}

#[test]
fn what_a_method_wrote_survives_kill_9_once_it_has_replied() {
    let mut host = start();
    let mut acknowledged = 0;
    for round in 0..5 {
        let address = host.address.clone();
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20 + 15 * round));
            host.kill_and_start()
        });
        if let Ok(mut connection) = crate::http::Connection::open(&address) {
            while let Ok(reply) = connection.try_send("POST", "/types/A/rpc/increment", &JSON, b"{}") {
                acknowledged = reply.number();
            }
        }
        host = killer.join().expect("it starts again");
        let value = result(&host, "types/A", "value", "").as_u64().expect("a number");
        assert!(value >= acknowledged, "{value} is less than {acknowledged}, which was acknowledged");
        acknowledged = value;
    }
    assert!(acknowledged > 0, "nothing was ever acknowledged");
}

#[test]
fn concurrent_calls_of_methods_lose_nothing() {
    let host = start();
    at_once(8, |_| {
        let mut connection = host.connect();
        for _ in 0..25 {
            connection.send("POST", "/types/A/rpc/increment", &JSON, b"{}").number();
        }
    });
    assert_eq!(result(&host, "types/A", "value", ""), 200);
}

#[test]
fn a_result_that_is_too_large_is_refused_and_the_object_lives_on() {
    let host = start();
    result(&host, "types/A", "increment", "");
    assert_eq!(result(&host, "types/A", "zeros", "[3]"), "AAAA");
    call(&host, "types/A", "zeros", "[2000000]").says(502, "the result of the method is too large");
    assert_eq!(result(&host, "types/A", "value", ""), 1);
}

#[test]
fn arguments_that_are_too_large_are_refused() {
    let host = start();
    let arguments = format!("[[{}0]]", "0,".repeat(1 << 20));
    call(&host, "types/A", "echo-bytes", &arguments).says(400, "more than 1048576 values");
}

#[test]
fn a_guest_calls_a_method_by_name_with_json() {
    let host = start();
    assert_eq!(line(&host, "probe/A", r#"method types/A increment {"by":4}"#), "4");
    assert_eq!(line(&host, "probe/A", "method types/A take [9]"), r#"{"err":{"too-little":4}}"#);
    assert_eq!(line(&host, "probe/A", "method types/A take [1]"), r#"{"ok":3}"#);
    assert_eq!(line(&host, "probe/A", "method types/A clear []"), "null");
    let not_remote = "; remote false, retryable false, overloaded false";
    for (step, says) in [
        ("method types/A nope []", "failed: class types has no method \"nope\"; it has greet"),
        ("method types/A increment [-1]", "failed: args[0]: expected u32, got -1"),
        ("method probe/B increment []", "failed: class probe has no method \"increment\"; it has none"),
    ] {
        let said = line(&host, "probe/A", step);
        assert!(said.starts_with(says) && said.ends_with(not_remote), "{said}");
    }
    let said = line(&host, "probe/A", "method types/A increment-then-trap []");
    assert!(said.starts_with("failed: the object was reset") && said.contains("remote false"), "{said}");
}

#[test]
fn a_guest_calls_methods_with_their_types() {
    let host = start();
    assert_eq!(result(&host, "caller/A", "increment", r#"["types", "A", 4]"#), 4);
    assert_eq!(result(&host, "caller/A", "increment", r#"["types", "A"]"#), 5);
    assert_eq!(result(&host, "caller/A", "take", r#"["types", "A", 9]"#), json!({ "err": { "too-little": 5 } }));
    assert_eq!(result(&host, "caller/A", "take", r#"["types", "A", 1]"#), json!({ "ok": 4 }));
    assert_eq!(result(&host, "caller/A", "clear", r#"["types", "A"]"#), Json::Null);
    assert_eq!(result(&host, "caller/A", "increment", r#"["types-sync", "A"]"#), 1, "another class that has it");
    let failed = call(&host, "caller/A", "increment-then-trap", r#"["types", "A"]"#);
    failed.says(422, "failed: the object was reset: wasm trap");
}

#[test]
fn a_method_with_other_types_than_the_caller_knows_is_not_called() {
    let host = Setup::new().guest("counter").guest("probe").guest("caller").start();
    let reply = call(&host, "caller/A", "increment", r#"["counter", "A"]"#);
    reply.says(422, "the method of class counter is increment: async func(by: option<u32>) -> result<s64, string>");
    reply.says(
        422,
        "the call was made for increment: async func(by: option<u32>) -> u64; remote false, retryable false",
    );
    assert_eq!(host.get("/counter/A/value").number(), 0);
    let reply = call(&host, "caller/A", "increment", r#"["probe", "A"]"#);
    reply.says(422, r#"class probe has no method \"increment\"; it has none"#);
}

#[test]
fn calls_of_methods_through_one_stub_arrive_in_order() {
    let host = start();
    let expected: Vec<u64> = (1..=60).collect();
    for class in ["types", "types-sync"] {
        let arguments = json!([class, "A", 60]);
        assert_eq!(result(&host, "caller/A", "in-order", arguments), json!(expected));
    }
}

#[test]
fn a_call_of_a_method_leaves_after_the_write_before_it() {
    let mut host = start();
    for round in 0..3 {
        let (caller, callee) = (format!("caller/{round}"), format!("types/{round}"));
        let arguments = json!(["types", round.to_string()]).to_string();
        let request = format!(
            "POST /{caller}/rpc/write-then-increment HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{arguments}",
            arguments.len()
        );
        let mut connection = host.connect();
        connection.write(request.as_bytes()).expect("the host reads what it is sent");
        let deadline = Instant::now() + PATIENCE;
        while result(&host, &callee, "value", "") == 0 {
            assert!(Instant::now() < deadline, "the call never arrives");
        }
        host = host.kill_and_start();
        assert_eq!(result(&host, &caller, "has-written", ""), true);
    }
}

#[test]
fn methods_that_would_wait_for_themselves_are_refused() {
    let host = start();
    let itself = json!(["types-sync", "A", "value", ""]);
    let reply = call(&host, "types-sync/A", "pass-on", &itself.to_string());
    reply.says(422, "the call would wait for itself: types-sync/A → types-sync/A");
    let back = json!(["types-sync", "A", "value", ""]).to_string();
    let circle = json!(["types", "B", "pass-on", back]);
    let reply = call(&host, "types-sync/A", "pass-on", &circle.to_string());
    reply.says(200, "types-sync/A → types/B → types-sync/A");
    let itself = json!(["types", "A", "value", ""]);
    assert_eq!(result(&host, "types/A", "pass-on", itself), "0", "it interleaves, so it may");
    assert_eq!(result(&host, "types-sync/A", "increment", ""), 1, "and lives on");
}

#[test]
fn a_method_of_a_serial_class_waits_for_the_event_before_it() {
    let host = Setup::new().guest("types").guest("probe").with(["--serial", "types"]).start();
    let asked = Script::of("probe/A").does(&["method types/A increment []", "method types/A increment []"]).ask(&host);
    assert_eq!(asked.lines(), ["1", "2"]);
    let itself = json!(["types", "A", "value", ""]);
    assert_eq!(result(&host, "types/A", "pass-on", itself), "2", "a call to itself belongs to its event");
    let_arrive(&host);
}

#[test]
fn dohost_call_prints_the_result_or_says_what_is_wrong() {
    let host = start();
    let ended = command(&host, &["types", "A", "increment", r#"{"by": 2}"#]);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(0), "2\n"), "{ended:?}");
    assert_eq!(command(&host, &["types", "A", "value"]).stdout, "2\n");
    assert_eq!(command(&host, &["types", "a/b c?", "increment"]).stdout, "1\n", "any name will do");
    command(&host, &["types", "A", "take", "[9]"]).says(&["error: {\"too-little\":2}"]);
    command(&host, &["types", "A", "take", "[-9]"]).says(&["error: args[0]: expected u64, got -9"]);
    command(&host, &["types", "A", "nope"]).says(&["has no method \"nope\"", "help: dohost describe FILE"]);
    command(&host, &["types", "A", "increment-then-trap"]).says(&["error: the object was reset", "request id"]);
    let nobody = dohost(["call", "types", "A", "value", "--url", "http://127.0.0.1:1"]);
    nobody.says(&["error: cannot reach a host at http://127.0.0.1:1", "help: start one with dohost serve"]);
    dohost(["call", "types", "A", "value", "--url", "https://x"]).says(&["only http:// is spoken"]);
    assert!(dohost(["call", "--help"]).stdout.contains("dohost call counter A increment '{\"by\": 2}'\n"));
}

#[test]
fn dohost_describe_tells_the_methods_with_their_types_and_what_is_none() {
    let describe = |name: &str, form: &[&str]| {
        let arguments = ["describe".to_string(), guest(name).display().to_string()].into_iter();
        let ended = dohost(arguments.chain(form.iter().map(|text| text.to_string())));
        assert!(ended.status.success(), "{ended:?}");
        ended.stdout
    };
    let text = describe("types", &[]);
    for part in [
        "methods of types",
        "  /// Adds to the count, 1 unless told otherwise, and gives what it is then.\n",
        "  increment: async func(by: option<u32>) -> u64;\n",
        "  /// A thing for sale.\n  record item {\n      sku: string,\n",
        "not methods\n  dohost:types/sessions@1.0.0.[method]session.close: it belongs to a resource",
        "dohost:types/sessions@1.0.0.open: its result has a resource",
        "exports\n  greet\n",
        "imports\n  dohost:object/storage@0.1.0\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert!(describe("probe", &[]).starts_with("probe has no methods\n"));
    assert!(describe("caller", &[]).contains("calls methods through\n  dohost:types-client/echo@1.0.0\n"));
    let json: Json = serde_json::from_str(&describe("counter", &["--json"])).expect("JSON");
    assert_eq!(json["methods"][0]["params"], json!([{ "name": "by", "type": "option<u32>" }]));
    let client =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../guests/caller/wit/deps/types-client.wit"));
    assert_eq!(describe("types", &["--client"]), client.expect("a file"), "guests/caller is built with what it prints");
    dohost(["describe", "nope.wasm"]).says(&["cannot read nope.wasm"]);
}

#[test]
fn an_openapi_document_describes_the_methods_of_all_classes() {
    let host = start();
    let document: Json = serde_json::from_str(host.get("/openapi.json").ok()).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    let increment = &document["paths"]["/types/{name}/rpc/increment"]["post"];
    assert_eq!(increment["description"], "Adds to the count, 1 unless told otherwise, and gives what it is then.");
    for (path, operation) in document["paths"].as_object().expect("paths") {
        assert!(operation["post"]["responses"]["200"].is_object(), "{path}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("an end");
        assert!(document.pointer(pointer).is_some(), "{pointer} is nowhere");
    }
    for path in ["/types-sync/{name}/rpc/take", "/caller/{name}/rpc/in-order", "/types/{name}/rpc/echo-all"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let refusal = &document["paths"]["/types/{name}/rpc/take"]["post"]["responses"]["422"];
    let error = &refusal["content"]["application/json"]["schema"]["properties"]["error"];
    assert_eq!(error["$ref"], "#/components/schemas/types.refusal");
    host.connect().send("POST", "/openapi.json", &[], b"").says(405, "GET");
}
