//! A disk that is full: writes are refused, nothing acknowledged is lost, and room is all it takes to go on.

use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE, Setup};
use crate::http::{Reply, at_once};
use crate::small_disk::SmallDisk;

/// Room for the store and a few large values.
const DISK_BYTES: usize = 12 << 20;

const TOO_BIG_PATH: &str = "/probe/big/storage/put-many?count=100&value-len=100000";

fn on_small_disk() -> Option<(Setup, std::sync::Arc<SmallDisk>)> {
    let disk = std::sync::Arc::new(SmallDisk::new(DISK_BYTES)?);
    Some((Setup::new().guest("probe").on(disk.clone()), disk))
}

/// Increments until one is refused; what was acknowledged last, and the refusal.
fn increment_until_refused(host: &Host, object: &str) -> (u64, Reply) {
    let mut connection = host.connect();
    let (deadline, mut acknowledged) = (Instant::now() + PATIENCE, 0);
    loop {
        let reply = connection.get(&format!("/probe/{object}/storage/increment?key=n"));
        if reply.status != 200 {
            return (acknowledged, reply);
        }
        acknowledged = reply.number();
        // Rows that grow the file, next to the counter.
        let path = format!("/probe/{object}/storage/put?key=fat-{acknowledged}&value-len=20000");
        let reply = connection.get(&path);
        if reply.status != 200 {
            return (acknowledged, reply);
        }
        assert!(Instant::now() < deadline, "the disk never gets full");
    }
}

fn wait_until_it_writes(host: &Host, object: &str) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = host.get(&format!("/probe/{object}/storage/increment?key=n"));
        if reply.status == 200 {
            return reply.number();
        }
        assert!(Instant::now() < deadline, "it does not recover: {}", reply.text());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_full_disk_refuses_writes_and_keeps_what_was_acknowledged() {
    let Some((setup, disk)) = on_small_disk() else { return };
    let host = setup.start();
    for count in 1..=20 {
        assert_eq!(host.get("/probe/steady/storage/increment?key=n").number(), count);
    }
    disk.fill();
    let results = at_once(4, |thread| increment_until_refused(&host, &format!("object-{thread}")));
    for (_, refusal) in &results {
        assert!(matches!(refusal.status, 500 | 503), "{refusal:?}");
        assert!(refusal.header("x-request-id").is_some(), "{refusal:?}");
    }
    assert_eq!(host.get("/probe/steady/storage/get?key=n").ok(), "20", "reads go on");
    host.log_with("a commit found the disk full");

    disk.free();
    for (thread, (acknowledged, _)) in results.iter().enumerate() {
        let object = format!("object-{thread}");
        let value = wait_until_it_writes(&host, &object);
        assert!(value > *acknowledged, "{object}: {acknowledged} was acknowledged, then came {value}");
    }
    assert_eq!(wait_until_it_writes(&host, "steady"), 21);

    // And the file is sound: another process finds the same in it.
    let host = host.restart();
    assert_eq!(host.get("/probe/steady/storage/get?key=n").ok(), "21");
    for (thread, (acknowledged, _)) in results.iter().enumerate() {
        assert!(host.get(&format!("/probe/object-{thread}/storage/get?key=n")).number() > *acknowledged);
    }
}

#[test]
fn a_write_that_does_not_fit_fails_alone_and_later_ones_go_on() {
    let Some((setup, _disk)) = on_small_disk() else { return };
    let host = setup.start();
    assert_eq!(host.get("/probe/A/storage/increment?key=n").number(), 1);
    let mut refusals = 0;
    // 10 MB in one turn, which a file on 12 MiB cannot take twice.
    for _ in 0..2 {
        let reply = host.get(TOO_BIG_PATH);
        refusals += usize::from(reply.status != 200);
    }
    assert!(refusals > 0, "the test means a write that does not fit");
    assert!(wait_until_it_writes(&host, "A") >= 2);
}

/// The turn has ended and nothing else comes: the object hears of the failure only from the next request, which must find
/// it in order.
#[test]
fn an_object_whose_commit_failed_answers_the_next_request() {
    let Some((setup, disk)) = on_small_disk() else { return };
    let host = setup.start();
    for object in ["asked-while-full", "asked-with-room", "other"] {
        assert_eq!(host.get(&format!("/probe/{object}/storage/increment?key=n")).number(), 1);
        assert_eq!(host.get(&format!("/probe/{object}/memory")).number(), 1);
    }
    disk.fill();
    for object in ["asked-while-full", "asked-with-room"] {
        let reply = host.get(&format!("/probe/{object}/storage/put-many?keys=n,fat&value-len=2000000"));
        assert_eq!(reply.status, 500, "the test means a commit that fails: {reply:?}");
    }
    assert_eq!(host.get("/probe/asked-while-full/storage/get?key=n").ok(), "1", "the failed write is not seen");
    assert_eq!(host.get("/probe/asked-while-full/memory").number(), 1, "it is a new life");

    disk.free();
    wait_until_it_writes(&host, "other");
    for object in ["asked-with-room", "asked-while-full"] {
        assert_eq!(host.get(&format!("/probe/{object}/storage/increment?key=n")).number(), 2, "{object}");
        assert_eq!(host.get(&format!("/probe/{object}/storage/get?key=fat")).status, 404, "{object}");
    }
    assert_eq!(host.get("/probe/asked-with-room/memory").number(), 1, "it is a new life");
}

#[test]
fn kill_9_on_a_full_disk_loses_nothing() {
    let Some((setup, disk)) = on_small_disk() else { return };
    let host = setup.start();
    disk.fill();
    let (acknowledged, _) = increment_until_refused(&host, "A");
    host.kill();
    disk.free();
    let value = setup.start().get("/probe/A/storage/get?key=n");
    let value = if value.status == 404 { 0 } else { value.number() };
    assert!((acknowledged..=acknowledged + 1).contains(&value), "{acknowledged} was acknowledged, {value} is there");
}

#[test]
fn a_start_on_a_full_disk_says_so() {
    let Some((setup, disk)) = on_small_disk() else { return };
    disk.fill();
    setup.fail().says(&["cannot use the data directory", "no space left on the disk", "help: Free some space"]);
    disk.free();
    assert_eq!(setup.start().get("/probe/A/storage/increment?key=n").number(), 1);
}
