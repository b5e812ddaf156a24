//! The crate `dohost-guest`: `guests/rust-counter` and `guests/rust-shop` are written with it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::host::{Host, PATIENCE, Setup, dohost, guest};
use crate::http::{at_once, encoded};
use crate::outside::Outside;
use crate::websocket::WebSocket;

/// The shop as its `dohost.toml` serves it.
fn shop() -> Host {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/rust-shop/dohost.toml");
    let toml = std::fs::read_to_string(file).expect("the example has a configuration");
    let component = "../../target/guests/rust-shop.wasm";
    assert_eq!(toml.matches(component).count(), 3, "two classes and a Worker");
    let setup = Setup::new();
    setup.file("dohost.toml", toml.replace(component, guest("rust-shop").to_str().expect("a path that is text")));
    setup.with_config().start()
}

fn trial() -> Host {
    Setup::new().class("Trial", "rust-shop").class("Stock", "rust-shop").start()
}

/// What `/trial/A{path}` says.
#[track_caller]
fn says(host: &Host, path: &str) -> String {
    host.get(&format!("/Trial/A{path}")).ok().to_string()
}

/// Calls a method over HTTP: the status and what it gave.
fn call(host: &Host, path: &str, arguments: Json) -> (u16, Json) {
    let reply =
        host.connect().send("POST", path, &[("content-type", "application/json")], arguments.to_string().as_bytes());
    (reply.status, serde_json::from_str(reply.text()).unwrap_or_else(|_| reply.text().into()))
}

#[test]
fn a_counter_in_rust_tells_the_same_as_the_one_without_the_crate() {
    let host = Setup::new().guest("counter").guest("rust-counter").start();
    for path in ["increment", "increment", "value", "decrement", "", "nope"] {
        let told = |class: &str| {
            let reply = host.get(&format!("/{class}/A/{path}"));
            (reply.status, reply.text().to_string())
        };
        assert_eq!(told("counter"), told("rust-counter"), "{path}");
    }
    for (method, arguments) in [("increment", json!({"by": 5})), ("increment", json!({})), ("value", json!([]))] {
        let called = |class: &str| call(&host, &format!("/{class}/A/rpc/{method}"), arguments.clone());
        assert_eq!(called("counter"), called("rust-counter"), "{method}");
    }
}

#[test]
fn a_counter_in_rust_keeps_its_count_over_restarts_and_kills() {
    let mut host = Setup::new().guest("rust-counter").start();
    for count in 1..=4 {
        assert_eq!(host.get("/rust-counter/A/increment").number(), count);
        host = if count % 2 == 0 { host.restart() } else { host.kill_and_start() };
    }
    assert_eq!(call(&host, "/rust-counter/A/rpc/value", json!([])), (200, json!(4)));
}

#[test]
fn concurrent_increments_of_a_counter_in_rust_lose_nothing() {
    let host = Setup::new().guest("rust-counter").start();
    at_once(16, |_| {
        let mut connection = host.connect();
        for _ in 0..25 {
            connection.get("/rust-counter/A/increment").ok();
        }
    });
    assert_eq!(host.get("/rust-counter/A/value").number(), 400);
}

#[test]
fn a_core_module_that_names_its_world_is_served_as_it_is() {
    let module = guest("modules/rust-counter");
    let bytes = std::fs::read(&module).expect("the guest was built");
    assert_eq!(&bytes[..8], b"\0asm\x01\0\0\0", "a core module");
    let host = Setup::new().with([module]).start();
    assert_eq!(host.get("/rust-counter/A/increment").ok(), "1");
    // It also is a component of the same content, so this is no new code.
    let host = host.restart();
    assert_eq!(host.get("/rust-counter/A/increment").ok(), "2");
}

#[test]
fn a_core_module_that_names_its_world_is_built_to_the_component() {
    let setup = Setup::new();
    let component = setup.file("rust-counter.wasm", "");
    let built =
        dohost(["build".into(), guest("modules/rust-counter").into_os_string(), "-o".into(), component.clone().into()]);
    assert!(built.status.success() && built.stdout.contains("rust-counter.wasm ("), "{built:?}");
    let host = setup.with([component]).start();
    assert_eq!(host.get("/rust-counter/A/increment").ok(), "1");
}

#[test]
fn a_core_module_whose_world_makes_no_sense_is_refused() {
    let module = guest("modules/rust-counter");
    let mut bytes = std::fs::read(module).expect("the guest was built");
    bytes.extend([0, 18, 16]);
    bytes.extend(b"component-type:x");
    bytes.push(0xff);
    let setup = Setup::new();
    let file = setup.file("given.wasm", bytes);
    setup.with([file]).fail().says(&["given.wasm is not a valid component: ", "help: build it again"]);
}

#[test]
fn signatures_and_comments_of_methods_are_described() {
    let described = dohost(["describe".into(), guest("rust-shop").into_os_string()]);
    for text in [
        "add: async func(item: item, count: option<u32>) -> result<u32, refusal>;",
        "items: async func() -> list<line>;",
        "/// What is in the cart.",
        "order: async func(currency: string) -> result<receipt, string>;",
        "left: async func() -> u32;",
    ] {
        assert!(described.stdout.contains(text), "{text} is not in:\n{}", described.stdout);
    }
}

#[test]
fn a_worker_and_classes_in_rust_call_each_other_with_types() {
    let host = shop();
    host.get("/ada/add?sku=apple&count=2").says(200, "2");
    host.get("/ada/add?sku=pear").says(200, "3");
    host.get("/ada/add?sku=apple").says(200, "4");
    host.get("/ada/add?sku=apple&count=0").says(422, "nothing to add");
    host.get("/ada/add?sku=apple&count=97").says(422, "a cart holds 100 things");
    let items: Json = serde_json::from_str(host.get("/ada/items").ok()).expect("JSON");
    let item = |sku: &str| json!({ "sku": sku, "unit_price": 100, "wrap": null });
    let apples = json!({ "item": item("apple"), "count": 3 });
    assert_eq!(items, json!([apples, { "item": item("pear"), "count": 1 }]));
    host.get("/ada/order").says(409, "apple is sold out");
    assert_eq!(host.get("/bob/items").ok(), "[]");
    host.get("/nowhere").says(404, "There is /{user}/add");
    // An error of the function is nobody's business but the log's.
    host.get("/ada/add").says(500, "Internal Server Error");
    host.log_with("say which sku");
}

#[test]
fn records_variants_and_enums_of_rust_come_and_go_as_json() {
    let host = Setup::new().class("Cart", "rust-shop").class("Stock", "rust-shop").start();
    assert_eq!(call(&host, "/Stock/apple/rpc/fill", json!([5])), (200, json!(5)));
    assert_eq!(call(&host, "/Stock/apple/rpc/take", json!([9])), (422, json!({ "error": { "left": 5 } })));
    assert_eq!(call(&host, "/Stock/pear/rpc/take", json!([1])), (422, json!({ "error": "sold-out" })));
    let apple = json!({ "sku": "apple", "unit-price": 30, "wrap": "gift-box" });
    let added = call(&host, "/Cart/ada/rpc/add", json!({ "item": apple, "count": 2 }));
    assert_eq!(added, (200, json!(2)));
    let line = json!({ "item": apple, "count": 2 });
    assert_eq!(call(&host, "/Cart/ada/rpc/items", json!([])), (200, json!([line])));
    let receipt = json!({ "lines": [line], "total": 560, "paid": ["EUR", 560] });
    assert_eq!(call(&host, "/Cart/ada/rpc/order", json!(["EUR"])), (200, receipt));
    assert_eq!(call(&host, "/Cart/ada/rpc/items", json!([])), (200, json!([])));
    // The construction reads what is left.
    let host = host.restart();
    assert_eq!(call(&host, "/Stock/apple/rpc/left", json!([])), (200, json!(3)));
}

#[test]
fn a_method_of_another_class_of_the_component_is_refused() {
    let host = trial();
    let (status, _) = call(&host, "/Trial/A/rpc/left", json!([]));
    assert_eq!(status, 500);
    host.log_with("This is a method of Stock, and not of Trial.");
    let host = Setup::new().class("Other", "rust-shop").start();
    assert_eq!(host.get("/Other/A/").status, 500);
    host.log_with("this component has no class Other (it has ");
}

#[test]
fn values_of_serde_are_stored_and_come_back() {
    let host = trial();
    assert_eq!(says(&host, "/values"), "true {\"one\": 1, \"two\": 2} true 1 Some(Guest)");
    assert_eq!(says(&host, "/bytes"), "Some([0, 255, 1]) [(\"raw\", [0, 255, 1])] None");
    assert!(says(&host, "/misfit").starts_with("what is stored as \"text\" does not fit: invalid type: string"));
}

#[test]
fn lists_have_all_options() {
    let host = trial();
    let said = says(&host, "/lists");
    assert!(said.starts_with("4 a:3,a:2 a:2,a:3 a:3,b:1 "), "{said}");
}

#[test]
fn a_transaction_by_a_closure_is_kept_or_undone() {
    let host = trial();
    assert_eq!(says(&host, "/transaction?a=fails"), "Err(Error { message: \"so it goes\", call: None }) None");
    assert_eq!(says(&host, "/transaction?a=works"), "Ok(7) Some(\"works\")");
    assert_eq!(says(&host.restart(), "/get?a=in-transaction"), "works");
}

#[test]
fn work_in_a_critical_section_is_alone_and_its_failure_resets_the_object() {
    let host = trial();
    let entered = at_once(2, |at| match at {
        0 => Some(says(&host, "/section")),
        _ => {
            std::thread::sleep(Duration::from_millis(100));
            says(&host, "/events");
            None
        }
    });
    assert_eq!(entered, [Some("0".to_string()), None], "an event came in between");
    says(&host, "/events");
    assert_eq!(host.get("/Trial/A/failed-section").status, 500);
    assert_eq!(says(&host, "/events"), "1", "a new life");
}

#[test]
fn work_goes_on_after_the_reply() {
    let host = trial();
    assert_eq!(says(&host, "/later"), "soon");
    let begin = Instant::now();
    while says(&host, "/get?a=later") != "done" {
        assert!(begin.elapsed() < PATIENCE, "it never was done");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_object_in_rust_has_alarms_by_name_and_by_schedule() {
    let host = trial();
    assert_eq!(says(&host, "/alarms"), r#"["", "a", "b"] true [true, true] [true, true, false] true"#);
    assert_eq!(fired(&host, 1), "\"b\" true 0 false None\n");
    // What fails is called again, here by a host that was killed meanwhile.
    assert_eq!(says(&host, "/alarm-in?a=100"), "set");
    fired(&host, 2);
    // It is only then that it is known to have failed, also to the next process.
    let data = host.setup.data();
    let runs = || dohost(["objects", "alarms", "Trial/A", "--data-dir", data.to_str().unwrap()]).stdout;
    let begin = Instant::now();
    while !runs().contains("not the first time") {
        assert!(begin.elapsed() < PATIENCE, "{}", runs());
        std::thread::sleep(Duration::from_millis(20));
    }
    let host = host.kill_and_start();
    assert!(fired(&host, 3).ends_with("\"\" true 0 false None\n\"\" true 1 true None\n"), "{}", fired(&host, 3));
}

#[test]
fn a_class_in_rust_without_a_handler_for_alarms_has_none() {
    let host = trial();
    let (status, said) = call(&host, "/Stock/A/rpc/remind", json!([]));
    assert!(status == 422 && said.to_string().contains("#[durable_object(alarm)]"), "{status} {said}");
}

/// Waits until so many alarms have fired, and gives what they left.
#[track_caller]
fn fired(host: &Host, count: usize) -> String {
    let begin = Instant::now();
    loop {
        let lines = says(host, "/fired");
        if lines.lines().count() >= count {
            return lines;
        }
        assert!(begin.elapsed() < PATIENCE, "only {lines}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn time_chance_variables_and_the_log_are_there() {
    let host = trial();
    let slept: u32 = says(&host, "/sleep").parse().expect("a number");
    assert!((99..5_000).contains(&slept), "{slept} ms");
    assert_eq!(says(&host, "/random"), "true");
    says(&host, "/log?a=this");
    host.log_with("said this");
    host.log_with("warned of this");
    assert_eq!(host.get("/Trial/A/var?a=NOT_THERE").status, 500);
    host.log_with("there is no variable NOT_THERE");
}

#[test]
fn a_panic_says_where_and_ends_the_life() {
    let host = trial();
    says(&host, "/events");
    assert_eq!(host.get("/Trial/A/panic?a=fall").status, 500);
    let log = host.log_with("asked to fall");
    assert!(log.contains("trial.rs:"), "{log}");
    assert_eq!(says(&host, "/events"), "1");
    assert_eq!(host.get("/Trial/A/abort").status, 500);
    assert_eq!(says(&host, "/events"), "1");
}

#[test]
fn requests_of_an_object_in_rust_arrive_whole() {
    let host = trial();
    let reply = host.connect().send("PUT", "/Trial/A/echo?b=%41&c", &[("content-type", "text/x")], b"body");
    assert_eq!(reply.ok(), "PUT http://example.com/echo?b=%41&c text/x body");
    let said = says(&host, "/other?a=B");
    assert_eq!(said, "POST http://other/echo none hello; B false true Trial");
    assert_eq!(says(&host, "/id"), "A true true Trial");
    assert_eq!(says(&host, "/stock-by-name?a=fig").split(" Err(").next(), Some("3 3"));
    assert!(says(&host, "/no-class").contains("NOBODY"));
}

#[test]
fn an_object_in_rust_reaches_the_network() {
    let outside = Outside::new();
    let host = outside.allowed(Setup::new().class("Trial", "rust-shop")).start();
    outside.release("hello");
    let url = encoded(&format!("http://{}/hello", outside.address));
    says(&host, &format!("/fetch?a={url}"));
    assert!(outside.has_arrived("hello"), "{:?}", outside.arrived());
}

#[test]
fn events_of_an_object_in_rust_with_the_sync_abi_come_one_after_the_other() {
    let host = Setup::new().guest("rust-sync").start();
    at_once(8, |_| assert_eq!(call(&host, "/rust-sync/A/rpc/increment-slowly", json!([])).0, 200));
    assert_eq!(host.get("/rust-sync/A/value").ok(), "8");
    assert_eq!(host.restart().get("/rust-sync/A/increment").ok(), "9");
}

#[test]
fn an_object_in_rust_has_websockets_that_hibernate() {
    let host = Setup::new().guest("room").with(["--idle-timeout", "1h"]).start();
    let said = |by: &str, text: &str| format!(r#""by":"{by}","text":"{text}""#);
    let mut ada = WebSocket::open(&host, "/room/r/join?as=ada");
    assert_eq!(ada.text(), r#"{"kind":"members","members":["ada"]}"#);
    let mut bob = WebSocket::open(&host, "/room/r/join?as=bob");
    for member in [&mut ada, &mut bob] {
        assert_eq!(member.text(), r#"{"kind":"members","members":["ada","bob"]}"#);
    }
    let data = host.setup.data();
    for text in ["hello", "äöü"] {
        let evicted = dohost(["objects", "--data-dir", data.to_str().unwrap(), "evict", "room/r"]);
        assert_eq!(evicted.stdout, "evicted\n", "{evicted:?}");
        ada.send(text);
        for member in [&mut ada, &mut bob] {
            assert!(member.text().contains(&said("ada", text)), "woken, it knows who speaks");
        }
    }
    ada.close(None);
    assert_eq!(bob.text(), r#"{"kind":"members","members":["bob"]}"#);
    bob.send("");
    assert!(bob.text().contains("refused"));
    let host = host.kill_and_start();
    let mut late = WebSocket::open(&host, "/room/r/join?as=late");
    assert!(late.text().contains(&said("ada", "hello")) && late.text().contains(&said("ada", "äöü")));
    assert_eq!(host.get("/room/r/join?as=x").status, 426);
    assert_eq!(WebSocket::try_open(&host, "/room/r/join", &[]).err(), Some(400));
}
