//! A whole application, as its `dohost.toml` serves it: `guests/chat` has three classes and a Worker in one component,
//! which call each other's methods.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::host::{Host, PATIENCE, Setup, dohost, guest};
use crate::http::{Connection, NoReply, Reply, at_once, encoded};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// So much that nobody is ever told to wait.
const NO_LIMIT: [(&str, u32); 3] = [("RATE", 1_000_000), ("BURST", 1_000_000), ("MESSAGES_KEPT", 100_000)];

/// The application as it is in `guests/chat`, with other values of its variables and a component that can be replaced.
fn chat(variables: &[(&str, u32)]) -> Setup {
    let setup = Setup::new();
    write_config(&setup, variables);
    write_component(&setup, 0);
    setup.with_config()
}

fn write_config(setup: &Setup, variables: &[(&str, u32)]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/chat/dohost.toml");
    let mut toml = std::fs::read_to_string(file).expect("the example has a configuration");
    for (name, value) in variables {
        let begin = format!("{name} = ");
        let line =
            toml.lines().find(|line| line.starts_with(&begin)).expect("the example has this variable").to_string();
        toml = toml.replace(&line, &format!("{begin}{value}"));
    }
    let component = "../../target/guests/chat.wasm";
    assert_eq!(toml.matches(component).count(), 4, "three classes and a Worker");
    setup.file("dohost.toml", toml.replace(component, "chat.wasm"));
}

/// Components of different versions differ in a custom section.
fn write_component(setup: &Setup, version: u8) {
    let mut bytes = std::fs::read(guest("chat")).expect("the guest was built");
    bytes.extend([0, 3, 1, b'v', version]);
    setup.file("chat.wasm", bytes);
}

fn messages_of(room: &str) -> String {
    format!("/rooms/{}/messages", encoded(room))
}

fn try_post(connection: &mut Connection, room: &str, author: &str, text: &str) -> Result<Reply, NoReply> {
    let body = json!({ "author": author, "text": text }).to_string();
    connection.try_send("POST", &messages_of(room), &JSON, body.as_bytes())
}

/// Posts a message that must be taken; its number.
#[track_caller]
fn post(connection: &mut Connection, room: &str, author: &str, text: &str) -> u64 {
    number_in(&try_post(connection, room, author, text).expect("a reply"))
}

#[track_caller]
fn number_in(reply: &Reply) -> u64 {
    assert_eq!(reply.status, 201, "{}", reply.text());
    let message: Json = serde_json::from_str(reply.text()).expect("a message is JSON");
    message["number"].as_u64().expect("a message has a number")
}

fn get(host: &Host, path: &str) -> Vec<Json> {
    serde_json::from_str(host.get(path).ok()).expect("a list in JSON")
}

/// Number, author and text of the messages in a room.
fn messages(host: &Host, room: &str) -> Vec<(u64, String, String)> {
    let text = |json: &Json| json.as_str().expect("text").to_string();
    let number = |json: &Json| json.as_u64().expect("a number");
    let messages = get(host, &messages_of(room));
    messages.iter().map(|it| (number(&it["number"]), text(&it["author"]), text(&it["text"]))).collect()
}

fn numbers(host: &Host, room: &str) -> Vec<u64> {
    messages(host, room).into_iter().map(|(number, ..)| number).collect()
}

fn rooms(host: &Host) -> Vec<String> {
    get(host, "/rooms").iter().map(|entry| entry["room"].as_str().expect("a name").to_string()).collect()
}

#[test]
fn messages_are_in_order_and_there_after_a_restart() {
    let host = chat(&NO_LIMIT).start();
    host.get("/").says(200, "<title>Chat</title>");
    assert_eq!(numbers(&host, "general"), [0; 0], "an empty room");
    let mut connection = host.connect();
    for number in 1..=12 {
        assert_eq!(post(&mut connection, "general", "ada", &format!("text {number}")), number);
    }
    post(&mut connection, "other", "bob", "<b>ü</b>");
    let host = host.restart();
    let expected: Vec<_> = (1..=12).map(|number| (number, "ada".to_string(), format!("text {number}"))).collect();
    assert_eq!(messages(&host, "general"), expected);
    assert_eq!(messages(&host, "other"), [(1, "bob".to_string(), "<b>ü</b>".to_string())]);
    assert_eq!(get(&host, "/rooms/general/messages?after=10").len(), 2);
    assert_eq!(post(&mut host.connect(), "general", "bob", "more"), 13);
}

#[test]
fn a_room_forgets_old_messages_and_who_wrote_them() {
    let host = chat(&[("BURST", 100), ("MESSAGES_KEPT", 3)]).start();
    let mut connection = host.connect();
    for author in ["ada", "ada", "eve", "bob", "ada"] {
        post(&mut connection, "general", author, "hello");
    }
    assert_eq!(numbers(&host, "general"), [3, 4, 5]);
    assert_eq!(call(&host, &["Room", "general", "members"]), "[\"ada\",\"bob\",\"eve\"]\n");
    write_config(&host.setup, &NO_LIMIT);
    let host = host.restart();
    assert_eq!(numbers(&host, "general"), [3, 4, 5], "they are gone and not just hidden");
    write_config(&host.setup, &[("MESSAGES_KEPT", 1)]);
    let host = host.restart();
    post(&mut host.connect(), "general", "bob", "hello");
    write_config(&host.setup, &NO_LIMIT);
    assert_eq!(numbers(&host.restart(), "general"), [6], "all that is too much goes with the next message");
}

#[test]
fn the_lobby_knows_every_room_and_the_last_used_one_is_first() {
    let host = chat(&NO_LIMIT).start();
    assert!(rooms(&host).is_empty());
    let mut connection = host.connect();
    for room in ["general", "a room/with ü?", "garden", "general"] {
        post(&mut connection, room, "ada", "hello");
        // Times are in milliseconds.
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(rooms(&host), ["general", "garden", "a room/with ü?"]);
    let mut after_a_crash = rooms(&host.kill_and_start());
    after_a_crash.sort();
    assert_eq!(after_a_crash, ["a room/with ü?", "garden", "general"]);
}

#[test]
fn who_posts_too_much_is_refused_until_there_is_a_token_again() {
    let host = chat(&[("RATE", 1), ("BURST", 3)]).start();
    let mut connection = host.connect();
    let mut taken = 0;
    let refused = loop {
        assert!(taken < 50, "50 messages of a user who may post 3, and one each second");
        let reply = try_post(&mut connection, "general", "ada", "hello").expect("a reply");
        if reply.status != 201 {
            break reply;
        }
        taken += 1;
    };
    assert!(taken >= 3, "only {taken} were taken");
    refused.says(429, "you post too much");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(numbers(&host, "general").len(), taken, "what was refused is not in the room");
    assert_eq!(
        post(&mut connection, "general", "bob", "hello") as usize,
        taken + 1,
        "another user has a limiter of his own"
    );
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(post(&mut connection, "general", "ada", "hello") as usize, taken + 2);
}

/// What `dohost call` prints.
#[track_caller]
fn call(host: &Host, arguments: &[&str]) -> String {
    let url = format!("http://{}", host.address);
    let ended = dohost(["call"].iter().chain(arguments).map(|text| text.to_string()).chain(["--url".to_string(), url]));
    assert!(ended.status.success(), "{ended:?}");
    ended.stdout
}

#[test]
fn methods_are_called_beside_the_worker_and_only_those_of_the_class() {
    let host = chat(&NO_LIMIT).start();
    let rpc = |path: &str, arguments: &str| host.connect().send("POST", path, &JSON, arguments.as_bytes());
    rpc("/Room/general/rpc/post", r#"{"author": "ada", "text": "hello"}"#).says(200, r#"{"number":1,"author":"ada""#);
    assert!(call(&host, &["Room", "general", "history"]).contains(r#""author":"ada","text":"hello""#));
    assert_eq!(numbers(&host, "general"), [1], "the Worker finds it too");
    assert_eq!(rooms(&host), ["general"], "and the lobby was told");
    rpc("/Room/general/rpc/post", r#"["", "hello"]"#).says(422, r#"{"error":{"bad-author":40}}"#);
    assert_eq!(call(&host, &["Limiter", "ada", "take", "[1]"]), "999999\n");
    rpc("/Limiter/ada/rpc/take", "[1000001]").says(422, r#"{"error":"never"}"#);

    rpc("/Room/general/rpc/take", "[1]").says(500, "the object was reset");
    host.log_with("This is a method of Limiter, and not of Room.");
    assert_eq!(numbers(&host, "general"), [1], "what it stored stays");
    host.get("/Room/general/").says(404, "A Room has methods only");
}

#[test]
fn requests_that_make_no_sense_are_told_so() {
    let host = chat(&NO_LIMIT).start();
    let send = |method: &str, path: &str, body: &str| host.connect().send(method, path, &JSON, body.as_bytes());
    let long = "x".repeat(41);
    send("POST", "/rooms/a/messages", "{}").says(400, "missing field `author`");
    send("POST", "/rooms/a/messages", r#"{"author": "ada", "text": ""}"#)
        .says(422, "the text has 1 to 2000 characters");
    send("POST", "/rooms/a/messages", r#"{"author": "", "text": "x"}"#).says(422, "the author has 1 to 40 characters");
    send("POST", &messages_of(&long), r#"{"author": "ada", "text": "x"}"#).says(422, "the room has");
    send("POST", "/rooms/a/messages", &" ".repeat(40_000)).says(413, "more than 32768 bytes");
    send("GET", "/rooms/a/messages?after=x", "").says(400, "after is not a number");
    send("GET", "/rooms/%ff/messages", "").says(400, "not UTF-8");
    send("GET", "/rooms/a", "").says(404, "there is /");
    send("DELETE", "/rooms", "").says(405, "only GET");
    host.connect().post("/rooms/a/messages", b"{}").says(415, "application/json");
    assert!(rooms(&host).is_empty(), "nothing of it is left");
}

const CLIENTS: usize = 8;

/// The room that a client posts to.
fn room_of(client: usize) -> String {
    format!("room {}", client % 3)
}

/// Asserts that each room has all these messages, by their number, and in each room the numbers have no gap.
#[track_caller]
fn assert_has_all(host: &Host, posted: &[Vec<(u64, String)>]) {
    for room in 0..3 {
        let there = messages(host, &room_of(room));
        let numbers: Vec<u64> = there.iter().map(|(number, ..)| *number).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "in {}", room_of(room));
        let texts: BTreeMap<u64, &String> = there.iter().map(|(number, _, text)| (*number, text)).collect();
        for (number, text) in posted.iter().skip(room).step_by(3).flatten() {
            assert_eq!(texts.get(number), Some(&text), "message {number} in {}", room_of(room));
        }
    }
}

#[test]
fn many_clients_at_once_lose_no_message() {
    let host = chat(&NO_LIMIT).start();
    let posted = at_once(CLIENTS, |client| {
        let mut connection = host.connect();
        let mut posted = Vec::new();
        for step in 0..25 {
            let text = format!("{client}: {step}");
            posted.push((post(&mut connection, &room_of(client), &client.to_string(), &text), text));
        }
        assert!(posted.is_sorted(), "what one client posts is in order");
        posted
    });
    assert_has_all(&host, &posted);
    let all: usize = (0..3).map(|room| messages(&host, &room_of(room)).len()).sum();
    assert_eq!(all, CLIENTS * 25, "and none is there twice");
    assert_eq!(rooms(&host).len(), 3);
}

#[test]
fn kills_in_between_lose_no_message_that_was_taken() {
    let mut host = chat(&NO_LIMIT).start();
    let mut posted = vec![Vec::new(); CLIENTS];
    for _ in 0..5 {
        let taken = post_until_killed(&host);
        host = host.kill_and_start();
        let known = rooms(&host);
        for (client, taken) in taken.into_iter().enumerate().filter(|(_, taken)| !taken.is_empty()) {
            assert!(known.contains(&room_of(client)), "the lobby was told before the reply left: {known:?}");
            posted[client].extend(taken);
        }
        assert_has_all(&host, &posted);
    }
}

/// What each client posted and was told so.
fn post_until_killed(host: &Host) -> Vec<Vec<(u64, String)>> {
    let taken = AtomicUsize::new(0);
    let mut posted = at_once(CLIENTS + 1, |client| {
        if client == CLIENTS {
            wait_until(|| taken.load(Ordering::Relaxed) >= 50);
            host.signal("KILL");
            return Vec::new();
        }
        let (mut connection, mut posted) = (host.connect(), Vec::new());
        loop {
            let text = format!("{client}: {}", posted.len());
            match try_post(&mut connection, &room_of(client), &client.to_string(), &text) {
                Ok(reply) => posted.push((number_in(&reply), text)),
                Err(_) => return posted,
            }
            taken.fetch_add(1, Ordering::Relaxed);
        }
    });
    posted.truncate(CLIENTS);
    posted
}

#[test]
fn a_deploy_in_between_fails_no_request_and_loses_no_message() {
    let host = chat(&NO_LIMIT).start();
    let (taken, has_ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    let posted = at_once(CLIENTS + 1, |client| {
        if client == CLIENTS {
            for version in 1..=3 {
                let before = taken.load(Ordering::Relaxed);
                wait_until(|| taken.load(Ordering::Relaxed) >= before + 50);
                write_component(&host.setup, version);
                let ended = dohost([Path::new("deploy"), Path::new("--data-dir"), &host.setup.data()]);
                assert!(ended.stdout.contains("deployed: new code for Limiter, Lobby, Room"), "{ended:?}");
            }
            has_ended.store(true, Ordering::Relaxed);
            return Vec::new();
        }
        let (mut connection, mut posted) = (host.connect(), Vec::new());
        while !has_ended.load(Ordering::Relaxed) {
            let text = format!("{client}: {}", posted.len());
            posted.push((post(&mut connection, &room_of(client), &client.to_string(), &text), text));
            taken.fetch_add(1, Ordering::Relaxed);
        }
        posted
    });
    assert_has_all(&host, &posted);
    let all: usize = (0..3).map(|room| messages(&host, &room_of(room)).len()).sum();
    assert_eq!(all, posted.iter().map(Vec::len).sum::<usize>(), "and none is there twice");
    assert_has_all(&host.restart(), &posted);
}

fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it takes too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}
