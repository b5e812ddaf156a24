//! Objects with the handler of `wasi:http`: bodies are streamed, chunk by chunk, and every chunk passes the gates.

use std::sync::Arc;
use std::time::Duration;

use crate::host::{Host, PATIENCE, Setup};
use crate::http::{Connection, at_once, encoded};
use crate::outside::Outside;
use crate::small_disk::SmallDisk;

const A: &str = "/http-object/A";
/// A commit that takes a while: what does not wait for it leaves before it is done.
const PUT_A_LOT: [&str; 4] = ["put-large x 2000000", "put-large y 2000000", "put-large z 2000000", "put k 1"];
/// So much that reads of the store may have to wait.
const MANY: &str = "put-large large 100000";

fn object() -> Host {
    Setup::new().guest("http-object").start()
}

fn object_with<const N: usize>(arguments: [&str; N]) -> Host {
    Setup::new().guest("http-object").with(arguments).start()
}

/// The path of an event that does these steps after its head.
fn steps(steps: &[&str]) -> String {
    let steps: Vec<String> = steps.iter().map(|step| format!("do={}", encoded(step))).collect();
    format!("{A}/steps?{}", steps.join("&"))
}

/// The same that does others beside.
fn steps_beside(first: &[&str], beside: &[&str]) -> String {
    let beside: String = beside.iter().map(|step| format!("&beside={}", encoded(step))).collect();
    steps(first) + &beside
}

/// Asks for something and reads the head of the reply.
#[track_caller]
fn begin(host: &Host, path: &str) -> Connection {
    let mut connection = host.connect();
    connection.begin("POST", path);
    assert_eq!(connection.read_head().expect("a head").status, 200);
    connection
}

/// Reads what is left of a body; whether it ended well.
fn ends_well(connection: &mut Connection) -> bool {
    loop {
        match connection.read_chunk() {
            Ok(chunk) if chunk.is_empty() => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[test]
fn an_http_component_is_an_object() {
    let host = object();
    assert_eq!(host.get("/http-object/A/increment").number(), 1);
    assert_eq!(host.get("/http-object/A/increment").number(), 2);
    let host = host.kill_and_start();
    assert_eq!(host.get("/http-object/A/value").number(), 2);
    assert_eq!(host.get("/http-object/B/value").number(), 0);
    let reply = host.connect().send("PATCH", "/http-object/A/seen?a=b%20c", &[("x-one", "1"), ("te", "x")], b"");
    assert_eq!(reply.lines(), ["PATCH http://example.com/seen?a=b%20c", "x-one: 1"]);
}

#[test]
fn increments_of_an_http_component_lose_nothing() {
    let host = object();
    at_once(16, |_| {
        let mut connection = host.connect();
        (0..25).for_each(|_| assert!(connection.get("/http-object/A/increment").number() > 0));
    });
    assert_eq!(host.restart().get("/http-object/A/value").number(), 400);
}

#[test]
fn an_object_answers_a_chunk_before_the_next_one_comes() {
    let host = object();
    for path in ["/http-object/A/copy", "/http-object/A/echo"] {
        let mut connection = begin(&host, path);
        for word in ["one", "two", "three"] {
            connection.send_chunk(word.as_bytes()).unwrap();
            assert_eq!(connection.chunk(), word, "{path}");
        }
        connection.send_chunk(b"").unwrap();
        assert_eq!(connection.chunk(), "", "{path}");
        // The connection lives on.
        assert_eq!(connection.get("/http-object/A/value").number(), 0);
    }
}

#[test]
fn large_bodies_arrive_whole() {
    let host = object();
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n / 7) as u8).collect();
    for path in ["/http-object/A/copy", "/http-object/A/echo"] {
        assert!(host.connect().post(path, &body).body == body, "{path}");
    }
    assert_eq!(host.connect().post("/http-object/A/count", &body).ok(), "5000000 bytes");
    assert_eq!(host.get("/http-object/A/source?bytes=5000001&at-once=999983").body.len(), 5_000_001);
}

#[test]
fn a_reply_to_head_keeps_its_length() {
    let host = object();
    let reply = host.connect().send("HEAD", "/http-object/A/value", &[], b"");
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("1")));
}

#[test]
fn a_streamed_body_over_the_limit_is_refused_or_broken_off() {
    let host = object_with(["--limit", "body=1000"]);
    let mut connection = host.connect();
    assert_eq!(connection.post("/http-object/A/count", &[b'x'; 1_000]).ok(), "1000 bytes");
    connection.post("/http-object/A/count", &[b'x'; 1_001]).says(413, "the limit body");
    // Of a body that does not tell how long it is, it shows when it gets there.
    let mut connection = host.connect();
    connection.begin("POST", "/http-object/A/count");
    connection.send_chunk(&[b'x'; 600]).unwrap();
    connection.send_chunk(&[b'x'; 600]).unwrap();
    connection.read_reply(false).unwrap().says(413, "the limit body");
    let mut connection = begin(&host, "/http-object/A/copy");
    connection.send_chunk(&[b'x'; 600]).unwrap();
    assert_eq!(connection.chunk().len(), 600);
    connection.send_chunk(&[b'x'; 600]).unwrap();
    assert!(!ends_well(&mut connection), "the object knows that the body broke off");
}

#[test]
fn an_error_of_the_handler_is_an_exception_and_a_body_that_fails_is_broken_off() {
    let host = object();
    host.get("/http-object/A/call?class=none&name=x").says(500, "no class");
    assert!(!ends_well(&mut begin(&host, &steps(&["chunk a", "sleep 50", "fail"]))));
    assert!(ends_well(&mut begin(&host, &steps(&["chunk a"]))));
}

#[test]
fn a_reset_breaks_streams_off() {
    let host = object();
    let mut other = begin(&host, &steps(&["chunk a", "sleep 60000"]));
    assert_eq!(other.chunk(), "a\n");
    for last in ["trap", "abort"] {
        let mut connection = begin(&host, &steps(&["note x", "chunk a", "sleep 50", last]));
        assert_eq!(connection.chunk(), "a\n");
        assert!(!ends_well(&mut connection), "{last}");
        assert_eq!(begin(&host, &steps(&["notes"])).chunk(), "\n", "it was reset by {last}");
    }
    assert!(!ends_well(&mut other));
}

#[test]
fn a_chunk_leaves_after_the_write_before_it() {
    let host = object();
    let path = steps(&[&["chunk a"], &PUT_A_LOT[..], &["chunk b", "sleep 60000"]].concat());
    let mut connection = begin(&host, &path);
    assert_eq!((connection.chunk(), connection.chunk()), ("a\n".into(), "b\n".into()));
    let host = host.kill_and_start();
    assert_eq!(begin(&host, &steps(&["get k"])).chunk(), "1\n");
}

#[test]
fn the_head_of_a_streamed_reply_leaves_after_the_write_before_it() {
    let host = object();
    let before: String = PUT_A_LOT.iter().map(|step| format!("&before={}", encoded(step))).collect();
    let connection = begin(&host, &(steps(&["sleep 60000"]) + &before));
    let host = host.kill_and_start();
    drop(connection);
    assert_eq!(begin(&host, &steps(&["get k"])).chunk(), "1\n");
}

/// The end of a body says that nothing follows, which may depend on a write.
#[test]
fn the_end_of_a_body_leaves_after_the_write_before_it() {
    let host = object();
    let path = steps(&[&["chunk a"], &PUT_A_LOT[..]].concat());
    assert!(ends_well(&mut begin(&host, &path)));
    let host = host.kill_and_start();
    assert_eq!(begin(&host, &steps(&["get k"])).chunk(), "1\n");
}

/// None if the system gives us no disk of our own.
fn start_on_a_full_disk() -> Option<(Host, Arc<SmallDisk>)> {
    let disk = Arc::new(SmallDisk::new(12 << 20)?);
    let host = Setup::new().guest("http-object").on(disk.clone()).start();
    assert!(ends_well(&mut begin(&host, &steps(&["put before 1"]))));
    disk.fill();
    Some((host, disk))
}

#[test]
fn a_chunk_does_not_wait_for_a_write_after_it_and_never_comes_after_one_that_failed() {
    let Some((host, _disk)) = start_on_a_full_disk() else { return };
    let mut connection = begin(&host, &steps(&["sleep 1", "chunk a", "put-large k 2000000", "chunk b"]));
    assert_eq!(connection.chunk(), "a\n");
    assert!(connection.read_chunk().is_err(), "it left before the write that it depends on");
    let mut connection = begin(&host, &steps(&["sleep 1", "chunk a", "put-large k 2000000"]));
    assert!(!ends_well(&mut connection), "the end of a body is an output too");
    let mut connection = host.connect();
    connection.begin("POST", &format!("{A}/steps?before={}", encoded("put-large k 2000000")));
    assert_eq!(connection.read_head().unwrap().status, 500);
}

/// A host with an object that has too much for its reads to be answered from memory.
fn object_that_waits_for_its_reads() -> Host {
    let host = object();
    assert!(ends_well(&mut begin(&host, &steps(&[MANY]))));
    host.restart()
}

/// An increment reads twice, and its reads wait for the disk.
#[test]
fn chunks_that_come_in_do_not_get_between_two_calls_of_the_storage() {
    let host = object_that_waits_for_its_reads();
    at_once(4, |client| {
        if client % 2 == 0 {
            assert!(ends_well(&mut begin(&host, &steps(&["increment n 150"]))));
            return;
        }
        let mut connection = begin(&host, &steps(&["read", "increment n 1"].repeat(150)));
        for _ in 0..150 {
            connection.send_chunk(b"x").unwrap();
            assert_eq!(connection.chunk(), "x\n");
        }
        assert!(ends_well(&mut connection));
    });
    assert_eq!(begin(&host, &steps(&["get n"])).chunk(), "600\n");
}

/// The same for a guest that waits until its reader has taken something.
#[test]
fn room_for_a_chunk_does_not_get_between_two_calls_of_the_storage() {
    let host = object_that_waits_for_its_reads();
    at_once(4, |client| match client % 2 {
        0 => assert!(ends_well(&mut begin(&host, &steps(&["increment n 150"])))),
        _ => assert!(ends_well(&mut begin(&host, &steps(&["fill 1", "fill 1", "increment n 1"].repeat(150))))),
    });
    assert_eq!(begin(&host, &steps(&["get n"])).chunk(), "600\n");
}

#[test]
fn a_critical_section_may_read_and_write_bodies() {
    let host = object_with(["--limit", "section-time=5s"]);
    let mut inside = begin(&host, &steps(&["begin", "read", "fill 300000", "read", "note inside", "end"]));
    inside.send_chunk(b"a").unwrap();
    assert_eq!(inside.chunk(), "a\n");
    let mut other = host.connect();
    other.begin("POST", &steps(&["notes"]));
    inside.send_chunk(b"b").unwrap();
    assert!(ends_well(&mut inside));
    assert_eq!(other.read_head().unwrap().status, 200);
    assert_eq!(other.chunk(), "inside\n", "events wait for the end of the section");
}

#[test]
fn what_another_event_reads_waits_for_the_end_of_a_section() {
    let outside = Outside::new();
    let host = outside.allowed(Setup::new().guest("http-object")).start();
    let outside_is = format!("&outside={}", outside.address);
    let mut reader = begin(&host, &steps(&["chunk ready", "read", "notes"]));
    assert_eq!(reader.chunk(), "ready\n");
    let section = begin(&host, &(steps(&["begin", "ask x", "note section", "end"]) + &outside_is));
    outside.wait_for("x");
    reader.send_chunk(b"in").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    outside.release("x");
    assert_eq!((reader.chunk(), reader.chunk()), ("in\n".into(), "section\n".into()));
    drop(section);
}

#[test]
fn a_client_that_goes_away_ends_the_stream_and_not_the_object() {
    let host = object();
    let fill = ["fill 1000000"].repeat(50);
    let mut connection = begin(&host, &steps(&[&["chunk a"][..], &fill].concat()));
    assert_eq!(connection.chunk(), "a\n");
    drop(connection);
    wait_for_note(&host, "closed");
    let mut connection = begin(&host, &steps_beside(&["read", "chunk end"], &["note same"]));
    connection.send_chunk(b"half").unwrap();
    assert_eq!(connection.chunk(), "half\n");
    drop(connection);
    assert!(begin(&host, &steps(&["notes"])).chunk().contains("closed"), "the object has not gone");
}

#[track_caller]
fn wait_for_note(host: &Host, note: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !begin(host, &steps(&["notes"])).chunk().contains(note) {
        assert!(std::time::Instant::now() < deadline, "{note} is never noted");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_stream_whose_reader_takes_nothing_is_cut_off() {
    let host = object_with(["--limit", "stream-idle=300ms"]);
    let mut connection = begin(&host, &steps(&["fill 1000000"].repeat(50)));
    wait_for_note(&host, "closed");
    assert!(!ends_well(&mut connection));
    assert!(!host.log().contains("reset"), "{}", host.log());
}

#[test]
fn a_stream_that_gets_on_may_take_longer_than_an_event_and_keeps_the_object_resident() {
    let host = object_with(["--limit", "event-time=800ms", "--idle-timeout", "100ms"]);
    let mut connection = begin(&host, &steps(&["note x", "chunk a", "sleep 300", "chunk b"].repeat(6)));
    for line in ["a\n", "b\n"].repeat(6) {
        assert_eq!(connection.chunk(), line);
    }
    assert!(ends_well(&mut connection));
    let mut connection = begin(&host, &steps(&["chunk a", "sleep 60000"]));
    assert!(!ends_well(&mut connection), "nothing moves for too long");
    host.log_with("the limit event-time");
}

#[test]
fn a_body_with_trailers_ends_well_at_the_client_and_at_a_caller() {
    let host = object();
    assert!(ends_well(&mut begin(&host, &steps(&["chunk a", "end-well-with x-sum 7"]))));
}

#[test]
fn a_stop_lets_a_stream_end() {
    let host = object();
    let mut connection = begin(&host, &steps(&["chunk a", "sleep 500", "put k 1", "chunk b"]));
    assert_eq!(connection.chunk(), "a\n");
    let setup = host.setup.clone();
    let ended = std::thread::spawn(move || host.stop());
    assert_eq!(connection.chunk(), "b\n");
    assert!(ends_well(&mut connection));
    assert!(ended.join().unwrap().status.success());
    assert_eq!(begin(&setup.start(), &steps(&["get k"])).chunk(), "1\n");
}
