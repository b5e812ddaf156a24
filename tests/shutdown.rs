//! SIGTERM: who was answered counts, who is being answered is answered, nobody gets half a reply.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::host::Setup;
use crate::http::{Connection, NoReply, at_once};

const CONNECTIONS: usize = 16;
const OBJECTS: usize = 4;

#[test]
fn a_stop_under_load_breaks_no_reply_and_keeps_every_answer() {
    let setup = Setup::new().guest("counter");
    let known: Vec<(AtomicU64, AtomicU64)> = (0..OBJECTS).map(|_| Default::default()).collect();
    let answered = AtomicUsize::new(0);
    for round in 0..4 {
        let host = setup.start();
        at_once(CONNECTIONS + 1, |thread| {
            if thread == CONNECTIONS {
                std::thread::sleep(Duration::from_millis(30 + 40 * round));
                return host.signal("TERM");
            }
            let Ok(mut connection) = Connection::open(&host.address) else { return };
            for request in 0.. {
                let (sent, highest) = &known[(thread + request) % OBJECTS];
                let path = format!("/counter/object-{}/increment", (thread + request) % OBJECTS);
                sent.fetch_add(1, Ordering::Relaxed);
                match connection.try_send("POST", &path, &[], b"") {
                    Ok(reply) if reply.status == 503 => reply.says(503, "the host is shutting down"),
                    Ok(reply) => {
                        highest.fetch_max(reply.number(), Ordering::Relaxed);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    // The connection was closed between two requests.
                    Err(NoReply::Closed(_)) => return,
                    Err(NoReply::Broken(reason)) => panic!("a broken reply: {reason}"),
                }
            }
        });
        let ended = host.wait();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
    let host = setup.start();
    for (object, (sent, highest)) in known.iter().enumerate() {
        let value = host.get(&format!("/counter/object-{object}/value")).number();
        let (sent, highest) = (sent.load(Ordering::Relaxed), highest.load(Ordering::Relaxed));
        assert!((highest..=sent).contains(&value), "object {object}: {value} is not in {highest}..={sent}");
    }
    assert!(answered.into_inner() > 100, "the test means more load");
}

#[test]
fn a_request_that_is_on_its_way_is_answered_after_the_signal() {
    let host = Setup::new().guest("probe").start();
    let mut slow = host.connect();
    slow.write(b"POST /probe/A/storage/put?key=k HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n01234").unwrap();
    // Long enough for the host to have seen the beginning; if it has not, the test proves less but does not fail.
    std::thread::sleep(Duration::from_millis(100));
    host.signal("TERM");
    host.log_with("stopping");
    slow.write(b"56789").unwrap();
    assert_eq!(slow.read_reply(false).unwrap().ok(), "ok");
    assert!(slow.is_closed(), "a connection is closed after its last reply");
    let setup = host.setup.clone();
    assert_eq!(host.wait().status.code(), Some(0));
    assert_eq!(setup.start().get("/probe/A/storage/get?key=k").ok(), "0123456789");
}

#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let host = Setup::new().guest("counter").start();
    let mut idle = host.connect();
    assert_eq!(idle.get("/counter/A/increment").ok(), "1");
    let _silent = host.connect();
    host.signal("TERM");
    assert!(idle.is_closed());
    let ended = host.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(!ended.stderr.contains("cut off"), "{}", ended.stderr);
}

#[test]
fn a_client_that_never_finishes_is_cut_off_after_the_shutdown_timeout() {
    let host = Setup::new().guest("counter").with(["--shutdown-timeout", "300ms"]).start();
    let mut stuck = host.connect();
    stuck.write(b"POST /counter/A/increment HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n01234").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let ended = host.stop();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("1 connections were cut off"), "{}", ended.stderr);
    assert!(stuck.is_closed());
}

#[test]
fn a_stop_takes_no_longer_than_the_shutdown_timeout_whatever_runs() {
    let host = Setup::new().guest("probe").with(["--shutdown-timeout", "4s"]).start();
    let mut waiting = host.connect();
    waiting.write(b"POST /probe/A/steps?do=sleep+60000 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let since = Instant::now();
    let ended = host.stop();
    assert_eq!(ended.status.code(), Some(0));
    for text in ["1 connections were cut off after 4s", "objects were still running after 4s and were stopped"] {
        assert!(ended.stderr.contains(text), "{}", ended.stderr);
    }
    // Twice the timeout, if connections and objects had it one after the other.
    assert!(since.elapsed() < Duration::from_millis(7_500), "{:?}", since.elapsed());
}

#[test]
fn two_signals_at_once_are_one() {
    let host = Setup::new().guest("probe").start();
    let mut slow = host.connect();
    slow.write(b"POST /probe/A/storage/put?key=k HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    // By one shell, which needs no time in between.
    let id = host.process_id();
    let both = format!("kill -INT {id}; kill -TERM {id}");
    assert!(std::process::Command::new("sh").args(["-c", &both]).status().unwrap().success());
    host.log_with("stopping");
    slow.write(b"1").unwrap();
    assert_eq!(slow.read_reply(false).unwrap().ok(), "ok");
    assert_eq!(host.wait().status.code(), Some(0));
}

#[test]
fn sigint_stops_as_sigterm_does() {
    let host = Setup::new().guest("counter").start();
    host.get("/counter/A/increment");
    host.signal("INT");
    let ended = host.wait();
    assert_eq!(ended.status.code(), Some(0));
    assert!(ended.stderr.contains("stopped"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let host = Setup::new().guest("counter").start();
    let mut stuck = host.connect();
    stuck.write(b"POST /counter/A/increment HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n01234").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    host.signal("TERM");
    host.log_with("stopping");
    // Two at once would be one.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(host.stop().status.code(), Some(1));
}

#[test]
fn a_stop_ends_guests_that_never_give_way() {
    let host = Setup::new().guest("probe").with(["--shutdown-timeout", "500ms"]).start();
    let mut spinning = host.connect();
    spinning.write(b"GET /probe/A/spin HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let ended = host.stop();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}
