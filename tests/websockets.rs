//! WebSockets: what a client sees, what the object hears, what survives, and what is refused.
//!
//! `guests/sockets` does what it is told on them, and keeps a line for each that has ended.

use std::net::Shutdown;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Message;

use crate::deploy::replace_app;
use crate::host::{Host, PATIENCE, Setup, dohost};
use crate::http::raw;
use crate::small_disk::SmallDisk;
use crate::websocket::WebSocket;

/// Room for the store, and for nothing that is large once it is filled.
const DISK_BYTES: usize = 12 << 20;

fn sockets() -> Setup {
    Setup::new().guest("sockets").with(["--idle-timeout", "1h"])
}

fn open(host: &Host) -> WebSocket {
    WebSocket::open(host, "/sockets/a/")
}

#[track_caller]
fn get(host: &Host, path: &str) -> String {
    host.get(&format!("/sockets/a/{path}")).ok().to_string()
}

/// Ends the life of an object, as if it had been idle for long.
#[track_caller]
fn evict(host: &Host, object: &str) {
    let data = host.setup.data();
    let ended = dohost(["objects", "--data-dir", data.to_str().unwrap(), "evict", object]);
    assert_eq!(ended.stdout, "evicted\n", "{ended:?}");
}

/// Asks until the answer is what it should be.
#[track_caller]
fn wait_for(host: &Host, path: &str, is_good: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get(host, path);
        if is_good(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} is still {answer:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn messages_go_both_ways() {
    let host = sockets().start();
    let mut socket = WebSocket::open(&host, "/sockets/a/?greet=hello");
    assert_eq!(socket.text(), "hello");
    assert_eq!(socket.ask("a text, äöü"), "a text, äöü");
    assert_eq!(socket.ask(""), "");
    let bytes: Vec<u8> = (0..200_000).map(|n| n as u8).collect();
    socket.send_message(Message::binary(bytes.clone()));
    assert_eq!(socket.message(), Message::binary(bytes));
    socket.send_message(Message::Ping("p".into()));
    assert_eq!(socket.message(), Message::Pong("p".into()));
    assert_eq!(socket.ask("!big 3000000").len(), 3_000_000);
    assert_eq!(socket.close(Some((1000, "bye"))), Some((1000, "bye".into())));
}

#[test]
fn the_object_chooses_the_subprotocol() {
    let host = sockets().start();
    let offered = [("sec-websocket-protocol", "chat, other")];
    let socket = WebSocket::try_open(&host, "/sockets/a/?protocol=chat", &offered).ok().unwrap();
    assert_eq!(socket.protocol.as_deref(), Some("chat"));
}

#[test]
fn an_object_sleeps_while_its_websockets_are_open_and_wakes_with_the_next_message() {
    let host = sockets().start();
    let mut one = WebSocket::open(&host, "/sockets/a/?tags=x,y,x");
    let mut two = WebSocket::open(&host, "/sockets/a/?tags=z");
    assert_eq!(one.ask("!attach mine"), "ok");
    assert_eq!(one.ask("!life"), "4");
    for _ in 0..3 {
        evict(&host, "sockets/a");
        assert_eq!(one.ask("!life"), "1", "this is another instance");
        assert_eq!(one.ask("!attached"), "mine");
        assert_eq!(one.ask("!tags"), "x,y");
        assert_eq!(two.ask("!attached"), "none");
        assert_eq!(two.ask("echo"), "echo");
    }
    evict(&host, "sockets/a");
    assert_eq!(host.get("/sockets/a/life").number(), 1, "a request wakes it as well");
    host.connect().post("/sockets/a/send?tag=y", b"to y").ok();
    assert_eq!(one.text(), "to y");
}

#[test]
fn an_idle_object_is_evicted_with_its_websockets_open() {
    let host = Setup::new().guest("sockets").with(["--idle-timeout", "100ms"]).start();
    let (mut sleepy, mut awake) = (open(&host), WebSocket::open(&host, "/sockets/b/?awake"));
    assert_eq!((sleepy.ask("!life"), awake.ask("!life")), ("2".into(), "2".into()));
    until_evicted(&mut sleepy);
    assert_eq!(awake.ask("!life"), "3", "a websocket that does not hibernate keeps its object awake");
    assert_eq!(awake.ask("!sleepy"), "ok");
    until_evicted(&mut awake);
}

/// Asks until the answer comes from another instance, more and more seldom, as asking keeps the object awake.
#[track_caller]
fn until_evicted(socket: &mut WebSocket) {
    let (deadline, mut pause) = (Instant::now() + PATIENCE, Duration::from_millis(400));
    while socket.ask("!life") != "1" {
        assert!(Instant::now() < deadline, "it is never evicted");
        std::thread::sleep(pause);
        pause *= 2;
    }
}

#[test]
fn websockets_are_found_by_tag_in_the_order_in_which_they_were_made() {
    let host = sockets().start();
    let mut all: Vec<WebSocket> =
        ["x", "y", "x,y"].iter().map(|tags| WebSocket::open(&host, &format!("/sockets/a/?tags={tags}"))).collect();
    let tags = |path: &str| -> Vec<String> {
        get(&host, path).lines().map(|line| line.split(' ').nth(2).unwrap().to_string()).collect()
    };
    assert_eq!(tags("list"), ["x", "y", "x,y"]);
    assert_eq!(tags("list?tag=x"), ["x", "x,y"]);
    assert_eq!(tags("list?tag=no"), [""; 0]);
    assert_eq!(all[1].ask("!retag w,x"), "Ok(())");
    assert_eq!(tags("list?tag=x"), ["x", "w,x", "x,y"]);
    all[0].close(None);
    wait_for(&host, "list?tag=x", |list| list.lines().count() == 2);
    assert!(get(&host, "log").contains("close 1005 \"\" true"));
    evict(&host, "sockets/a");
    assert_eq!(tags("list"), ["w,x", "x,y"]);
}

#[test]
fn another_object_has_nothing_to_do_with_a_websocket() {
    let host = sockets().start();
    let _socket = open(&host);
    let id = get(&host, "list").split(' ').next().unwrap().to_string();
    host.get(&format!("/sockets/b/describe?id={id}")).ok();
    assert!(host.get(&format!("/sockets/b/describe?id={id}")).ok().contains("Gone"));
    assert_eq!(host.get("/sockets/b/list").ok(), "");
}

#[test]
fn an_auto_response_does_not_wake_the_object() {
    let host = sockets().start();
    let mut socket = open(&host);
    assert_eq!(get(&host, "auto?request=ping&response=pong"), "ok");
    assert_eq!(get(&host, "settings"), "ping -> pong, None");
    assert!(get(&host, "list").ends_with("none\n"), "none was sent yet");
    evict(&host, "sockets/a");
    for _ in 0..3 {
        assert_eq!(socket.ask("ping"), "pong");
    }
    assert_eq!(socket.ask("Ping"), "Ping", "only the very text");
    socket.send_message(Message::binary("ping"));
    assert_eq!(socket.message(), Message::binary("ping"), "only text");
    assert_eq!(socket.ask("!life"), "3");
    let stamped = get(&host, "list");
    assert!(stamped.trim_end().rsplit(' ').next().unwrap().parse::<u64>().unwrap() > 1_700_000_000_000);
    assert_eq!(get(&host, "auto"), "ok");
    assert_eq!(socket.ask("ping"), "ping", "it was cleared");
    assert_eq!(get(&host, "list"), stamped, "the time stays");
    let long = "x".repeat(2_049);
    assert!(get(&host, &format!("auto?request={long}&response=x")).contains("TooLarge"));
    assert!(get(&host, &format!("auto?request=x&response={long}")).contains("TooLarge"));
    assert_eq!(get(&host, &format!("auto?request={}&response=x", &long[1..])), "ok");
}

#[test]
fn what_was_not_durable_is_not_sent() {
    let host = sockets().start();
    let mut socket = open(&host);
    assert_eq!(socket.ask("!add"), "1");
    socket.send("!write-then-abort");
    assert_eq!(socket.end(), Some((1011, "the object was reset".into())), "and nothing before it");
    assert_eq!(open(&host).ask("!add"), "2");
    let host = host.kill_and_start();
    assert_eq!(open(&host).ask("!add"), "3", "what was sent was durable");
}

#[test]
fn what_cannot_become_durable_is_never_sent() {
    let Some(disk) = SmallDisk::new(DISK_BYTES).map(Arc::new) else { return };
    let host = sockets().on(disk.clone()).start();
    let (mut one, mut two) = (open(&host), open(&host));
    assert_eq!((one.ask("!write 10"), two.ask("there")), ("wrote".into(), "there".into()));
    disk.fill();
    // Larger than any room that the store may have left in its file.
    one.send("!write 2000000");
    for socket in [&mut one, &mut two] {
        assert_eq!(socket.end(), Some((1011, "the object was reset".into())));
    }
}

#[test]
fn messages_of_one_websocket_start_in_order_and_interleave() {
    let host = sockets().start();
    let mut socket = open(&host);
    socket.send("!sleep 400");
    for n in 0..50 {
        socket.send(&format!("{n}"));
    }
    for n in 0..50 {
        assert_eq!(socket.text(), n.to_string());
    }
    assert_eq!(socket.text(), "slept 400");
    for n in 1..=50 {
        socket.send("!add");
        if n % 10 == 0 {
            socket.send("!life");
        }
    }
    let texts: Vec<String> = (0..55).map(|_| socket.text()).collect();
    let sums: Vec<u64> = texts.iter().filter_map(|text| text.parse().ok()).filter(|n| *n <= 50).collect();
    assert_eq!(sums, (1..=50).collect::<Vec<_>>());
}

#[test]
fn the_object_hears_how_a_websocket_ended() {
    let host = sockets().start();
    let log = || get(&host, "log");
    let wait_for_lines = |count: usize| wait_for(&host, "log", |log| log.lines().count() == count);
    assert_eq!(open(&host).close(Some((4001, "own reasons"))), Some((4001, "own reasons".into())));
    wait_for_lines(1);
    assert_eq!(open(&host).close(None), Some((1005, String::new())));
    wait_for_lines(2);
    let lost = open(&host);
    lost.stream().shutdown(Shutdown::Both).unwrap();
    wait_for_lines(3);
    evict(&host, "sockets/a");
    let mut tagged = WebSocket::open(&host, "/sockets/a/?tags=t");
    assert_eq!(tagged.ask("!attach mine"), "ok");
    evict(&host, "sockets/a");
    tagged.close(Some((1000, "")));
    wait_for_lines(4);
    let log = log();
    let lines: Vec<&str> = log.lines().map(|line| line.split('[').next().unwrap().trim_end()).collect();
    let lost = "WebSocket disconnected without sending Close frame.";
    let lost = format!("close 1006 {lost:?} false");
    let ends = ["close 4001 \"own reasons\" true", "close 1005 \"\" true", &lost, "close 1000 \"\" true"];
    assert_eq!(lines, ends);
    assert!(log.ends_with("closed t true 0 mine none]\n"), "its description and attachment are still there: {log}");
    assert_eq!(get(&host, "list"), "");
}

#[test]
fn the_object_closes_a_websocket() {
    let host = sockets().start();
    let mut socket = open(&host);
    socket.send("!close 4000 enough");
    assert_eq!(socket.end(), Some((4000, "enough".into())));
    let log = wait_for(&host, "log", |log| log.lines().count() == 2);
    assert!(log.contains("late: Error::NotAllowed(\"a message after close\")"), "{log}");
    assert!(log.contains("close 4000 \"enough\" true"), "the client answered: {log}");
    let mut socket = open(&host);
    assert!(socket.ask("!close 1005").contains("Invalid"));
    for code in [0, 999, 1004, 1006, 1015, 1016, 2000, 2999, 5000] {
        assert!(socket.ask(&format!("!close {code}")).contains("Invalid"), "{code}");
    }
    assert!(socket.ask("!close  reason").contains("Invalid"), "a reason without a code");
    assert!(socket.ask(&format!("!close 3000 {}", "x".repeat(124))).contains("Invalid"));
    socket.send("!close");
    assert_eq!(socket.end(), Some((1005, String::new())));
}

#[test]
fn what_is_no_websocket_frame_closes_with_its_code() {
    let host = sockets().with(["--limit", "websocket-message=100000"]).start();
    let masked = |first: u8, payload: &[u8]| {
        let mut frame = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        frame.extend(payload);
        frame
    };
    for (frame, code) in [
        (masked(0x81, b"\xff\xfe"), 1007),
        (masked(0x83, b"a reserved opcode"), 1002),
        (masked(0x80, b"a continuation of nothing"), 1002),
        (vec![0x81, 0x01, b'x'], 1002),
        (vec![0x82, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0x86, 0xa1, 0, 0, 0, 0], 1009),
    ] {
        let mut socket = open(&host);
        let errors = get(&host, "log").lines().count();
        socket.write_raw(&frame);
        assert_eq!(socket.end().map(|(code, _)| code), Some(code), "{frame:?}");
        let log = wait_for(&host, "log", |log| log.lines().count() == errors + 1);
        assert!(log.lines().last().unwrap().starts_with("error "), "{log}");
    }
    let mut socket = open(&host);
    let full = "x".repeat(100_000);
    assert_eq!(socket.ask(&full), full);
    socket.send("!big 100001");
    assert_eq!(socket.ask("still there"), "still there", "what is sent is refused, and nothing else happens");
}

#[test]
fn a_reset_closes_all_websockets_of_the_object_and_an_exception_closes_none() {
    let host = sockets().start();
    let mut other = WebSocket::open(&host, "/sockets/b/");
    for end in ["!trap", "!abort"] {
        let (mut one, mut two) = (open(&host), open(&host));
        one.send("!throw my own words");
        assert_eq!(one.ask("there"), "there");
        one.send(end);
        for socket in [&mut one, &mut two] {
            assert_eq!(socket.end(), Some((1011, "the object was reset".into())));
        }
        assert_eq!(get(&host, "list"), "");
    }
    assert!(host.log_with("threw an exception").contains("my own words"));
    assert_eq!(other.ask("there"), "there");
    let mut socket = open(&host);
    evict(&host, "sockets/a");
    let data = host.setup.data();
    let ended = dohost(["objects", "--data-dir", data.to_str().unwrap(), "reset", "sockets/a"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(socket.end(), Some((1011, "the object was reset".into())), "although it was asleep");
}

#[test]
fn a_websocket_has_an_event_timeout_if_the_object_sets_one() {
    let host = sockets().start();
    let mut socket = open(&host);
    assert_eq!(get(&host, "timeout?ms=604800001"), "Error::Invalid(\"an event timeout has at most 7 days\")");
    assert_eq!(get(&host, "timeout?ms=200"), "ok");
    assert_eq!(get(&host, "settings"), "none, Some(200)");
    assert_eq!(get(&host, "timeout?ms=0"), "ok");
    assert_eq!(get(&host, "settings"), "none, None");
    assert_eq!(socket.ask("!sleep 300"), "slept 300");
    assert_eq!(get(&host, "timeout?ms=200"), "ok");
    evict(&host, "sockets/a");
    socket.send("!sleep 60000");
    assert_eq!(socket.end(), Some((1011, "the object was reset".into())));
    host.log_with("its event timeout");
}

#[test]
fn new_code_keeps_websockets_and_a_stop_says_that_it_goes() {
    let setup = Setup::new().with(["--idle-timeout", "1h"]);
    let file = replace_app(&setup, "sockets");
    let host = setup.clone().with(["--class".to_string(), format!("sockets={file}")]).start();
    let mut socket = open(&host);
    assert_eq!(socket.ask("!attach mine"), "ok");
    crate::deploy::replace_app_by_version(&setup, "sockets", 1);
    host.signal("HUP");
    host.log_with("deployed");
    assert_eq!(socket.ask("!life"), "1");
    assert_eq!(socket.ask("!attached"), "mine");
    host.signal("TERM");
    assert_eq!(socket.end(), Some((1001, "the host is shutting down".into())));
    assert!(host.wait().status.success());
}

#[test]
fn who_sends_waits_for_a_client_that_reads_slowly() {
    let host = sockets().start();
    let mut socket = open(&host);
    let before = host.memory();
    const COUNT: usize = 200;
    socket.send(&format!("!steady {COUNT} 1000000"));
    std::thread::sleep(Duration::from_secs(1));
    let described = get(&host, "list");
    let buffered: u64 = described.split(' ').nth(4).unwrap().parse().unwrap();
    assert!((1 << 20..4 << 20).contains(&buffered), "{buffered} bytes wait for the client");
    let grown = host.memory().saturating_sub(before);
    assert!(grown < 100 << 20, "the host holds {grown} bytes more, of {COUNT} million");
    for _ in 0..COUNT {
        assert_eq!(socket.text().len(), 1_000_000);
    }
    assert_eq!(socket.text(), "done");
}

#[test]
fn a_client_that_reads_too_slowly_for_who_does_not_wait_is_given_up() {
    let host = sockets().start();
    let mut socket = open(&host);
    socket.send("!flood 60 1000000");
    let log = wait_for(&host, "log", |log| !log.is_empty());
    assert!(log.starts_with("error \"the client reads too slowly\""), "{log}");
    assert_eq!(get(&host, "list"), "");
}

#[test]
fn limits_of_websockets_have_names() {
    let host = sockets().with(["--limit", "websockets=3"]).start();
    let refused = |path: &str| host.connect().send("GET", path, &UPGRADE, b"").text().to_string();
    let tags = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let _ten = WebSocket::open(&host, &format!("/sockets/a/?tags={},0,1", tags(10)));
    assert!(refused(&format!("/sockets/a/?tags={}", tags(11))).contains("a websocket has more than 10 tags"));
    let _long = WebSocket::open(&host, &format!("/sockets/a/?tags={}", "x".repeat(256)));
    let long = refused(&format!("/sockets/a/?tags={}", "x".repeat(257)));
    assert!(long.contains("a tag has more than 256 characters"), "{long}");
    let mut third = open(&host);
    assert!(refused("/sockets/a/").contains("the object has 3 websockets, the limit websockets"));
    assert_eq!(third.ask("!attach-bytes 16384"), "Ok(())");
    assert!(third.ask("!attach-bytes 16385").contains("TooLarge"));
    third.close(None);
    wait_for(&host, "list", |list| list.lines().count() == 2);
    // It counts until the object has heard of its end.
    let deadline = Instant::now() + PATIENCE;
    let _third = loop {
        match WebSocket::try_open(&host, "/sockets/a/", &[]) {
            Ok(socket) => break socket,
            Err(status) => assert!(status == 400 && Instant::now() < deadline, "status {status}"),
        }
    };
    // Those that were lost count no more.
    let refused = refused("/sockets/a/");
    assert!(refused.contains("the limit websockets"), "{refused}");
}

#[test]
fn websockets_leave_open_files_to_other_requests() {
    let host = sockets().with_files_max(200).start();
    let mut all: Vec<WebSocket> = Vec::new();
    let refused = loop {
        match WebSocket::try_open(&host, "/sockets/a/", &[]) {
            Ok(socket) => all.push(socket),
            Err(status) => break status,
        }
    };
    assert_eq!((refused, all.len()), (400, 68));
    let reply = host.connect().send("GET", "/sockets/b/", &UPGRADE, b"");
    assert!(reply.text().contains("the host has 68 websockets"), "{reply:?}");
    assert_eq!(all[67].ask("there"), "there");
    host.log_with("there may be 68 websockets, not 100000: the system allows 200 open files");
}

#[test]
fn connections_leave_open_files_to_objects() {
    let host = Setup::new().guest("counter").with_files_max(100).start();
    let mut first = host.connect();
    let all: Vec<_> = (0..120).map(|_| host.connect()).collect();
    // They are all there before the object is: its instance needs a file.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(first.get("/counter/a/increment").ok(), "1");
    host.log_with("there may be 18 connections, not 10000: the system allows 100 open files");
    drop(all);
}

const UPGRADE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

#[test]
fn a_handshake_that_is_wrong_is_refused() {
    let host = sockets().start();
    let with = |name: &str, value: &str| {
        let headers: Vec<(&str, &str)> =
            UPGRADE.iter().map(|(key, old)| (*key, if *key == name { value } else { *old })).collect();
        host.connect().send("GET", "/sockets/a/", &headers, b"")
    };
    let other = with("sec-websocket-version", "8");
    assert_eq!((other.status, other.header("sec-websocket-version")), (426, Some("13")));
    assert_eq!(with("sec-websocket-key", "short").status, 400);
    assert_eq!(with("upgrade", "h2c").status, 404, "another protocol is not asked for here, and the object goes on");
    assert_eq!(with("connection", "close").status, 404);
    assert_eq!(with("upgrade", "h2c, websockets").status, 404);
    let lines: String = UPGRADE.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let agreed = |lines: &str| {
        let mut connection = host.connect();
        connection.write(format!("GET /sockets/a/ HTTP/1.1\r\nhost: x\r\n{lines}\r\n").as_bytes()).unwrap();
        connection.read_head().unwrap()
    };
    let of_several = agreed(&lines.replace("upgrade: websocket", "upgrade: h2c, WebSocket"));
    assert_eq!((of_several.status, of_several.header("upgrade")), (101, Some("websocket")));
    let good = agreed(&lines);
    assert_eq!((good.status, good.header("sec-websocket-accept")), (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    assert_eq!(good.header("dohost-websocket"), None);
    let old =
        raw(&host.address, b"GET /sockets/a/ HTTP/1.0\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    assert_eq!(old[0].status, 502, "the object agreed, but HTTP/1.0 has no upgrade");
    assert_eq!(host.get("/sockets/a/?forget").status, 404);
    let forgotten = host.connect().send("GET", "/sockets/a/?forget", &UPGRADE, b"");
    assert_eq!((forgotten.status, forgotten.text()), (200, "no websocket"));
}

#[test]
fn an_object_opens_websockets_to_servers_and_sleeps() {
    let server = sockets().start();
    let host = sockets().with(["--allow-outgoing", &server.address]).start();
    let address = &server.address;
    let answer = get(&host, &format!("connect?url={address}/sockets/b/&tags=out"));
    let parts: Vec<&str> = answer.split(' ').collect();
    assert_eq!(parts[1..], ["101", &format!("ws://{address}/sockets/b/"), ""], "{answer}");
    evict(&host, "sockets/a");
    // The guest echoes what is not told to it, so a text that both send would never rest.
    server.connect().post("/sockets/b/send", b"!life").ok();
    wait_for(&host, "life", |life| life.parse::<u32>().unwrap() > 1);
    assert_eq!(get(&host, "list?tag=out").lines().count(), 1);
    host.connect().post("/sockets/a/close?tag=out&code=4002&reason=done", b"").ok();
    let log = || server.get("/sockets/b/log").ok().to_string();
    let deadline = Instant::now() + PATIENCE;
    while !log().contains("close 4002 \"done\" true") {
        assert!(Instant::now() < deadline, "{}", log());
    }
    wait_for(&host, "log", |log| log.contains("close 4002"));

    assert_eq!(get(&host, &format!("connect?url={address}/nothing/b/")), "answered: 404");
    let denied = get(&host, "connect?url=192.0.2.1/");
    assert!(denied.starts_with("failed: Error::Denied"), "{denied}");
}

#[test]
fn an_object_connects_to_a_websocket_of_another_object_or_passes_it_on() {
    let host = sockets().start();
    let answer = get(&host, "peer?class=sockets&name=b&path=/&tags=peer");
    assert!(answer.contains("Err(Error::Gone"), "only once: {answer}");
    evict(&host, "sockets/a");
    evict(&host, "sockets/b");
    host.connect().post("/sockets/a/send?tag=peer", b"!add").ok();
    wait_for(&host, "life", |life| life.parse::<u32>().unwrap() > 1);
    assert_eq!(host.get("/sockets/b/put").number(), 2, "the other object has heard it");

    let mut through = WebSocket::open(&host, "/sockets/c/peer?class=sockets&name=d&path=/&pass-on");
    assert_eq!(through.ask("!add"), "1");
    assert_eq!(host.get("/sockets/c/list").ok(), "");
    assert_eq!(host.get("/sockets/d/list").ok().lines().count(), 1);
}

#[test]
fn websockets_are_seen_from_outside() {
    let host = sockets().start();
    let (mut one, _two) = (open(&host), open(&host));
    assert_eq!(one.ask("!add"), "1");
    evict(&host, "sockets/a");
    let data = host.setup.data();
    let data = data.to_str().unwrap();
    let shown = dohost(["objects", "--data-dir", data, "show", "sockets/a"]).stdout;
    assert!(shown.lines().any(|line| line.starts_with("websockets") && line.ends_with(" 2")), "{shown}");
    let stats = dohost(["stats", "--data-dir", data]).stdout;
    assert!(stats.lines().any(|line| line.starts_with("websockets") && line.ends_with(" 2")), "{stats}");
}

#[test]
fn an_auto_response_that_crosses_a_close_does_not_spoil_it() {
    let host = sockets().start();
    let mut socket = open(&host);
    assert_eq!(get(&host, "auto?request=ping&response=pong"), "ok");
    host.connect().post("/sockets/a/close?code=4000&reason=bye", b"").ok();
    socket.send("ping");
    assert_eq!(socket.end(), Some((4000, "bye".into())));
    let log = wait_for(&host, "log", |log| !log.is_empty());
    assert!(log.starts_with("close 4000 \"bye\" true"), "{log}");
}

#[test]
fn large_messages_leave_no_memory_behind() {
    const COUNT: usize = 20;
    const BYTES: usize = 10_000_000;
    let host = sockets().start();
    let mut sockets: Vec<WebSocket> = (0..COUNT).map(|_| open(&host)).collect();
    let large = "x".repeat(BYTES);
    let once = |socket: &mut WebSocket| assert_eq!(socket.ask(&large).len(), BYTES);
    // The instance has its memory from now on.
    once(&mut sockets[0]);
    let before = host.memory();
    sockets.iter_mut().for_each(once);
    let grown = host.memory().saturating_sub(before);
    assert!(grown < (COUNT * BYTES / 4) as u64, "{COUNT} idle websockets hold {grown} bytes");
}
