//! Looking after objects: `dohost objects`, `dohost stats` and the API behind them, with a host and without.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::host::{Ended, Host, PATIENCE, Setup, dohost};
use crate::http::Connection;

const TOKEN: &str = "0123456789abcdef";

/// Runs `dohost objects …` on the data of a set-up.
fn objects(setup: &Setup, arguments: &[&str]) -> Ended {
    let data = setup.data();
    let mut all = vec!["objects", "--data-dir", data.to_str().unwrap()];
    all.extend(arguments);
    dohost(all)
}

/// The same where it must work: what it printed.
#[track_caller]
fn ok(setup: &Setup, arguments: &[&str]) -> String {
    let ended = objects(setup, arguments);
    assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    ended.stdout
}

fn json(setup: &Setup, arguments: &[&str]) -> Value {
    let text = ok(setup, &[&["--json"], arguments].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn probe() -> Setup {
    Setup::new().guest("probe").with(["--idle-timeout", "1h"])
}

fn put(host: &Host, name: &str, key: &str, value: &str) {
    host.get(&format!("/probe/{name}/storage/put?key={key}&value={value}")).ok();
}

/// One request on the socket of a host, whose answer closes the connection.
fn on_socket(setup: &Setup, method: &str, target: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = UnixStream::connect(setup.data().join("management.sock")).expect("the socket is there");
    let head =
        format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n").expect("a reply has headers");
    let status = std::str::from_utf8(&reply[9..12]).unwrap().parse().unwrap();
    (status, reply[end + 4..].to_vec())
}

#[test]
fn every_command_says_the_same_with_a_host_and_without() {
    let setup = probe();
    let host = setup.start();
    put(&host, "A", "a", "1");
    put(&host, "A", "b", "22");
    put(&host, "B", "a", "3");
    for name in ["probe/A", "probe/B"] {
        assert_eq!(ok(&setup, &["evict", name]), "evicted\n");
        assert_eq!(ok(&setup, &["evict", name]), "it was not in memory\n");
    }
    let all: &[&[&str]] = &[
        &["list", "probe"],
        &["list", "probe", "--json"],
        &["list", "probe", "--prefix", "A"],
        &["show", "probe/A"],
        &["show", "probe/A", "--json"],
        &["keys", "probe/A"],
        &["keys", "probe/A", "--json"],
        &["get", "probe/A", "b"],
        &["get", "probe/A", "b", "--json"],
        &["put", "probe/A", "c", "333"],
        &["put", "probe/A", "c", "333"],
        &["put", "probe/New", "k", "-1"],
        &["delete", "probe/A", "c"],
        &["delete", "probe/A", "c"],
        &["delete", "probe/New", "--yes"],
        &["evict", "probe/A"],
        &["reset", "probe/A"],
    ];
    let without_times = |mut text: String| -> String {
        // 2026-11-22T10:25:09.123Z
        while let Some(end) = text.find("Z\"").or_else(|| text.find("Z ")).or_else(|| text.find("Z\n")) {
            text.replace_range(end - 23..=end, "");
        }
        text
    };
    let run = || all.iter().map(|arguments| without_times(ok(&setup, arguments))).collect::<Vec<_>>();
    let with_host = run();
    assert!(host.stop().status.success());
    assert!(!setup.data().join("management.sock").exists(), "the socket goes with the host");
    let without = run();
    assert_eq!(with_host, without);
    assert_eq!(ok(&setup, &["get", "probe/A", "b"]), "22\n");
    let errors: &[&[&str]] = &[
        &["show", "probe/Nobody"],
        &["get", "probe/A", "nothing"],
        &["delete", "probe/Nobody", "--yes"],
        &["delete", "probe/A"],
        &["list", "nothing"],
        &["show", "probe", "--id", "abc"],
        &["put", "probe/A", "k", "xyz", "--hex"],
    ];
    let fail = || errors.iter().map(|arguments| objects(&setup, arguments)).collect::<Vec<_>>();
    let without: Vec<String> = fail().into_iter().map(|ended| ended.stderr).collect();
    let host = setup.start();
    for (ended, without) in fail().into_iter().zip(without) {
        ended.says(&["help: "]);
        assert_eq!(ended.stderr, without);
    }
    drop(host);
}

#[test]
fn an_object_in_memory_sees_what_was_written_and_has_forgotten_what_it_remembered() {
    let setup = probe();
    let host = setup.start();
    put(&host, "A", "k", "old");
    assert_eq!(host.get("/probe/A/memory").number(), 1);
    assert_eq!(host.get("/probe/A/memory").number(), 2);
    assert_eq!(json(&setup, &["show", "probe/A"])["resident"], true);
    ok(&setup, &["put", "probe/A", "k", "new"]);
    assert_eq!(json(&setup, &["show", "probe/A"])["resident"], false);
    assert_eq!(host.get("/probe/A/storage/get?key=k").ok(), "new");
    assert_eq!(host.get("/probe/A/memory").number(), 1, "a new life");
    ok(&setup, &["delete", "probe/A", "k"]);
    assert_eq!(host.get("/probe/A/storage/get?key=k").status, 404);
    ok(&setup, &["delete", "probe/A", "--yes"]);
    objects(&setup, &["show", "probe/A"]).says(&["there is no such object"]);
    put(&host, "A", "k", "again");
    assert_eq!(host.restart().get("/probe/A/storage/get?key=k").ok(), "again");
}

#[test]
fn a_write_waits_for_what_runs_and_what_comes_waits_for_the_write() {
    let setup = probe();
    let host = setup.start();
    host.get("/probe/A/steps?do=put+n+1").ok();
    let address = host.address.clone();
    let slow = thread::spawn(move || {
        Connection::open(&address).unwrap().get("/probe/A/steps?do=sleep+700&do=put+n+2&do=get+n").ok().to_string()
    });
    wait_until(|| json(&setup, &["show", "probe/A"])["events"] == 1);
    let started = Instant::now();
    ok(&setup, &["put", "probe/A", "n", "3"]);
    assert!(started.elapsed() > Duration::from_millis(200), "the write waited for the event");
    assert_eq!(slow.join().unwrap(), "slept\nok\n2\n", "what ran was not disturbed");
    assert_eq!(host.get("/probe/A/storage/get?key=n").ok(), "3");
}

#[test]
fn writes_from_outside_and_from_objects_are_all_kept() {
    let setup = Setup::new().guest("counter");
    let host = setup.start();
    let address = host.address.clone();
    let counting = thread::spawn(move || {
        let mut connection = Connection::open(&address).unwrap();
        for _ in 0..300 {
            connection.get("/counter/A/increment").ok();
        }
    });
    for number in 0..20 {
        ok(&setup, &["put", "counter/A", &format!("k{number}"), "x"]);
    }
    counting.join().unwrap();
    assert_eq!(host.get("/counter/A/value").number(), 300);
    assert_eq!(ok(&setup, &["keys", "counter/A"]).lines().count(), 21);
    let host = host.kill_and_start();
    assert_eq!(host.get("/counter/A/value").number(), 300);
}

#[test]
fn a_reset_ends_what_runs_and_the_next_life_starts_from_what_is_durable() {
    let setup = probe();
    let host = setup.start();
    put(&host, "A", "k", "kept");
    let address = host.address.clone();
    let stuck = thread::spawn(move || Connection::open(&address).unwrap().get("/probe/A/steps?do=sleep+60000"));
    wait_until(|| json(&setup, &["show", "probe/A"])["events"] == 1);
    assert_eq!(ok(&setup, &["reset", "probe/A"]), "reset\n");
    stuck.join().unwrap().says(500, "the object was reset during the request");
    assert_eq!(host.get("/probe/A/storage/get?key=k").ok(), "kept");
    assert!(host.log().contains("the operator asked for it"));
}

#[test]
fn more_than_a_thousand_objects_are_listed_page_by_page() {
    let setup = Setup::new().guest("counter").with(["--idle-timeout", "50ms"]);
    let host = setup.start();
    let mut connection = host.connect();
    for number in 0..1_050 {
        connection.get(&format!("/counter/object-{number}/increment")).ok();
    }
    let list = |arguments: &[&str]| -> Vec<Value> {
        let text = ok(&setup, &[&["--json", "list", "counter"], arguments].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = list(&[]);
    let mut names: Vec<&str> = all.iter().map(|object| object["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((all.len(), names.len()), (1_050, 1_050), "each once");
    assert!(all.iter().all(|object| object["bytes"] == 6 && object["keys"] == 1));
    assert_eq!(list(&["--limit", "7"]).len(), 7);
    assert_eq!(list(&["--prefix", "object-104"]).len(), 11);
    let (status, body) = on_socket(&setup, "GET", "/v1/classes/counter/objects?limit=1000", b"");
    let page: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, page["objects"].as_array().unwrap().len()), (200, 1_000));
    let cursor = page["cursor"].as_str().unwrap();
    let (_, body) = on_socket(&setup, "GET", &format!("/v1/classes/counter/objects?cursor={cursor}"), b"");
    let page: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((page["objects"].as_array().unwrap().len(), &page["cursor"]), (50, &Value::Null));
    let stats: Value = {
        let data = setup.data();
        let ended = dohost(["stats", "--json", "--data-dir", data.to_str().unwrap()]);
        serde_json::from_str(&ended.stdout).unwrap()
    };
    assert_eq!((&stats["storedObjects"], &stats["storedBytes"]), (&1_050.into(), &(1_050 * 6).into()));
    assert_eq!(
        ok(&setup, &["list"]).lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>(),
        ["1050", "yes", "counter"]
    );
}

#[test]
fn values_are_any_bytes_and_names_any_text() {
    let setup = probe();
    let host = setup.start();
    let file = setup.file("value", [0, 0xff, b'\n', 7]);
    ok(&setup, &["put", "probe/ä/b c", "sch\u{f6}n/1", "--file", file.to_str().unwrap()]);
    let object = json(&setup, &["show", "probe/ä/b c"]);
    assert_eq!((&object["name"], &object["keys"], &object["bytes"]), (&"ä/b c".into(), &1.into(), &12.into()));
    let json_value = json(&setup, &["get", "probe/ä/b c", "sch\u{f6}n/1"]);
    assert_eq!(json_value["base64"], "AP8KBw==");
    let id = object["id"].as_str().unwrap();
    ok(&setup, &["put", "probe", "--id", id, "hex", "00ff", "--hex"]);
    ok(&setup, &["put", "probe", "--id", id, "base64", "AP8=", "--base64"]);
    for key in ["hex", "base64"] {
        assert_eq!(json(&setup, &["get", "probe", "--id", id, key])["base64"], "AP8=");
        let path = format!("/v1/classes/probe/objects/{id}/keys/{key}");
        assert_eq!(on_socket(&setup, "GET", &path, b""), (200, vec![0, 0xff]));
    }
    let reply = host.get("/probe/%C3%A4%2Fb%20c/storage/get?key=hex");
    assert_eq!((reply.status, reply.body), (200, vec![0, 0xff]));
    objects(&setup, &["put", "probe/A", &"k".repeat(2_049), "x"]).says(&["the key has 2049 bytes, the limit is 2048"]);
    let large = setup.file("large", vec![0; (2 << 20) + 1]);
    objects(&setup, &["put", "probe/A", "k", "--file", large.to_str().unwrap()])
        .says(&["the body has more than 2097152"]);
}

#[test]
fn the_limit_on_what_an_object_stores_holds_for_writes_from_outside() {
    let setup = probe().with(["--limit", "storage=1KiB"]);
    let _host = setup.start();
    let value = "x".repeat(900);
    ok(&setup, &["put", "probe/A", "a", &value]);
    objects(&setup, &["put", "probe/A", "b", &value]).says(&["the limit storage is 1024", "help: "]);
    ok(&setup, &["put", "probe/A", "a", &value[1..]]);
}

#[test]
fn the_socket_is_for_its_user_only_and_a_stale_one_is_replaced() {
    let setup = probe();
    let host = setup.start();
    let socket = setup.data().join("management.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let host = host.kill_and_start();
    assert_eq!(on_socket(&setup, "GET", "/v1/stats", b"").0, 200);
    host.kill();
    assert!(socket.exists(), "a kill leaves it");
    ok(&setup, &["list"]);
    let none = setup.clone().with(["--no-management"]).start();
    assert!(UnixStream::connect(&socket).is_err());
    objects(&setup, &["list"]).says(&["another process has it open", "--no-management"]);
    drop(none);
    objects(&Setup::new(), &["list"]).says(&["there is no data directory", "help: "]);
}

#[test]
fn a_data_directory_with_a_long_path_has_a_socket_too() {
    let setup = probe();
    let deep = setup.directory().join("d".repeat(90)).join("e".repeat(90));
    let setup = setup.data_dir(deep);
    let host = setup.start();
    put(&host, "A", "k", "v");
    assert_eq!(ok(&setup, &["get", "probe/A", "k"]), "v\n");
    assert_eq!(json(&setup, &["show", "probe/A"])["resident"], true);
}

#[test]
fn tcp_needs_a_token_at_the_start_and_in_every_request() {
    let setup = probe().with(["--management-listen", "127.0.0.1:0"]);
    setup.fail().says(&["needs a token of at least 16", "help: set DOHOST_MANAGEMENT_TOKEN"]);
    setup.clone().environment("DOHOST_MANAGEMENT_TOKEN", &TOKEN[1..]).fail().says(&["needs a token of at least 16"]);
    let without = probe().start();
    assert!(!without.ready_line.contains("management: http"), "closed by default");

    let host = setup.clone().environment("DOHOST_MANAGEMENT_TOKEN", TOKEN).start();
    let address = host.ready_line.rsplit_once("management: http://").expect("it says where").1.to_string();
    let send =
        |headers: &[(&str, &str)]| Connection::open(&address).unwrap().send("GET", "/v1/stats", headers, b"").status;
    let wrong = format!("Bearer {}x", &TOKEN[1..]);
    let longer = format!("Bearer {TOKEN}x");
    for headers in
        [&[][..], &[("authorization", wrong.as_str())], &[("authorization", &longer)], &[("authorization", TOKEN)]]
    {
        assert_eq!(send(headers), 401, "{headers:?}");
    }
    let right = format!("Bearer {TOKEN}");
    assert_eq!(send(&[("authorization", &right)]), 200);
    put(&host, "A", "k", "v");
    let url = format!("http://{address}");
    let remote = ["objects", "get", "probe/A", "k", "--url", &url, "--token", TOKEN];
    assert_eq!(dohost(remote).stdout, "v\n");
    dohost(["objects", "list", "--url", &url, "--token", &wrong]).says(&["the host at --url needs a token"]);
    dohost(["objects", "list", "--url", &url, "--token", "another-token-of-some-length"])
        .says(&["the token is missing or wrong"]);
    assert!(!host.log().contains(TOKEN));
}

#[test]
fn requests_that_make_no_sense_are_told_so() {
    let setup = probe();
    let _host = setup.start();
    for (method, target, status, says) in [
        ("GET", "/", 404, "there is nothing at GET /"),
        ("POST", "/v1/classes", 404, "there is nothing at POST"),
        ("GET", "/v1/classes/nope/objects", 404, "there is no class nope"),
        ("GET", "/v1/classes/probe/objects?limit=9", 400, "give a number from 10 to 10000"),
        ("GET", "/v1/classes/probe/objects?limits=10", 400, "is no parameter of this"),
        ("GET", "/v1/classes/probe/objects?cursor=x", 400, "must be 64 hex digits"),
        ("GET", "/v1/classes/probe/objects/name:A", 404, "there is no such object"),
        ("DELETE", "/v1/classes/probe/objects/name:A/keys/k", 404, "there is no such object"),
        ("GET", "/v1/deploy", 404, "there is nothing at GET"),
        ("POST", "/v1/migrations/plan", 400, "the body is no list of migrations"),
    ] {
        let (found, body) = on_socket(&setup, method, target, b"");
        let body: Value = serde_json::from_slice(&body).unwrap();
        let error = &body["error"];
        assert_eq!(found, status, "{method} {target}: {body}");
        assert!(error.to_string().contains(says), "{method} {target}: {body}");
        assert!(error["help"].is_string());
    }
}

/// Asks again until it is so.
fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came to be");
        thread::sleep(Duration::from_millis(10));
    }
}
