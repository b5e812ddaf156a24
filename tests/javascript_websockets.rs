//! WebSockets of programs in JavaScript, behind a Worker that hands them on.

use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::Message;

use crate::host::{Host, PATIENCE, Setup, dohost};
use crate::programs::program;
use crate::websocket::WebSocket;

const SOCKETS: &str = include_str!("programs/sockets.js");

fn sockets() -> Setup {
    program(&[("sockets.js", SOCKETS)])
}

fn room(host: &Host, name: &str) -> WebSocket {
    WebSocket::open(host, &format!("/ROOM/a/?name={name}"))
}

/// Ends the life of the room, as if it had been idle for long.
#[track_caller]
fn evict(host: &Host) {
    let data = host.setup.data();
    let ended = dohost(["objects", "--data-dir", data.to_str().unwrap(), "evict", "Room/a"]);
    assert_eq!(ended.stdout, "evicted\n", "{ended:?}");
}

/// Waits until the room has written so much about those that left.
#[track_caller]
fn log_is(host: &Host, log: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let is = host.get("/ROOM/a/log").ok().to_string();
        if is == log {
            return;
        }
        assert!(Instant::now() < deadline, "{is} is not {log}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn websockets_of_a_program_hibernate() {
    let host = sockets().with(["--idle-timeout", "1h"]).start();
    let mut ann = room(&host, "ann");
    let mut ben = room(&host, "ben");
    let life = ann.ask("life");
    assert_eq!(ben.ask("life"), life);
    evict(&host);
    assert_eq!(ann.ask("ping"), "pong");
    assert_ne!(ann.ask("life"), life);
    // The answer to `ping` has woken nobody.
    assert_eq!(ann.ask("lives"), "2");
    assert_eq!(ann.ask("answered"), "true");
    let me = r#"[{"name":"ann","since":"1970-01-01T00:00:00.000Z","heard":5},["ann","all"],true]"#;
    assert_eq!(ann.ask("me"), me);
    evict(&host);
    ben.send("say hello");
    assert_eq!((ann.text().as_str(), ben.text().as_str()), ("ben: hello", "ben: hello"));
    ann.send_message(Message::binary(vec![0, 255]));
    assert_eq!(ann.message(), Message::binary(vec![0, 255]));
}

#[test]
fn a_program_hears_how_a_websocket_ended() {
    let host = sockets().start();
    let mut ann = room(&host, "ann");
    assert_eq!(ann.close(Some((4001, "bye"))), Some((4001, "bye".into())));
    log_is(&host, r#"[["ann",["ann","all"],4001,"bye",true,3]]"#);
    let mut ben = room(&host, "ben");
    ben.send("close 1011 broken");
    assert_eq!(ben.end(), Some((1011, "broken".into())));
    log_is(&host, r#"[["ann",["ann","all"],4001,"bye",true,3],["ben",["ben","all"],1011,"broken",true,3]]"#);
    let cid = room(&host, "cid");
    drop(cid);
    let ends = r#",["cid",["cid","all"],1006,"WebSocket disconnected without sending Close frame.",false,3]]"#;
    let log = r#"[["ann",["ann","all"],4001,"bye",true,3],["ben",["ben","all"],1011,"broken",true,3]"#;
    log_is(&host, &format!("{log}{ends}"));
}

#[test]
fn an_exception_of_a_handler_closes_no_websocket() {
    let host = sockets().start();
    let mut ann = room(&host, "ann");
    let life = ann.ask("life");
    ann.send("throw");
    assert_eq!(ann.ask("life"), life);
}

#[test]
fn a_program_chooses_the_subprotocol_and_may_refuse() {
    let host = sockets().start();
    let socket = WebSocket::try_open(&host, "/ROOM/a/?name=x", &[("sec-websocket-protocol", "one, two")]);
    assert_eq!(socket.unwrap().protocol.as_deref(), Some("two"));
    host.get("/ROOM/a/").says(426, "a WebSocket is needed");
}

#[test]
fn a_websocket_with_listeners_keeps_its_object_awake() {
    let host = sockets().with(["--idle-timeout", "100ms"]).start();
    let mut socket = WebSocket::open(&host, "/PLAIN/a/");
    assert_eq!(socket.text(), "welcome");
    assert_eq!(socket.ask("a"), "1 a");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(socket.ask("b"), "2 b");
    socket.send("close");
    assert_eq!(socket.end(), Some((4000, "as asked".into())));
    std::thread::sleep(Duration::from_millis(500));
    let mut socket = WebSocket::open(&host, "/PLAIN/a/");
    assert_eq!(socket.text(), "welcome");
    assert_eq!(socket.ask("c"), "1 c");
}

#[test]
fn a_program_opens_websockets_to_servers() {
    let server = sockets().start();
    let host = sockets().with(["--allow-outgoing", &server.address]).start();
    let ask = |path: &str, target: &str| {
        let path = format!("/AWAY/a/{path}?to=http://{}{target}", server.address);
        host.get(&path).ok().to_string()
    };
    assert_eq!(ask("fetch", "/PLAIN/b/"), r#"["welcome","1 one","2 two",[1000,"enough"]]"#);
    assert_eq!(ask("fetch", "/ROOM/b/log"), "200 []");
    assert_eq!(ask("new", "/PLAIN/c/"), r#"[0,1,"welcome","1 one",[1000,"enough"]]"#);
    let refused = r#"[0,"error: true",[1006,"Failed to establish websocket connection"]]"#;
    assert_eq!(ask("new", "/ROOM/b/log"), refused);
}

#[test]
fn a_program_hands_a_websocket_of_a_server_on() {
    let server = sockets().start();
    let host = sockets().with(["--allow-outgoing", &server.address]).start();
    let mut socket = WebSocket::open(&host, &format!("/AWAY/a/through?to=http://{}/PLAIN/a/", server.address));
    assert_eq!(socket.text(), "welcome");
    assert_eq!(socket.ask("x"), "1 x");
    socket.send_message(Message::binary(vec![1, 2, 3]));
    assert_eq!(socket.message(), Message::binary(vec![1, 2, 3]));
    socket.send("close");
    assert_eq!(socket.end(), Some((4000, "as asked".into())));
}
