//! How much one object may store: the limit `storage`, exact whatever of the object is in memory.

use crate::host::{Host, Setup};

fn start(limit: &str) -> Host {
    Setup::new().guest("probe").with(["--limit", limit]).start()
}

const TOO_LARGE: &str = "the limit storage";

#[test]
fn an_object_may_store_its_limit_to_the_byte_and_no_more() {
    let host = start("storage=1000");
    // A key of one byte and its value.
    assert_eq!(host.get("/probe/A/storage/put?key=a&value-len=999").ok(), "ok");
    host.get("/probe/A/storage/put?key=b&value-len=0").says(400, TOO_LARGE);
    assert_eq!(host.get("/probe/A/storage/get?key=b").status, 404, "a refused put has no effect");
    assert_eq!(host.get("/probe/A/storage/put?key=a&value-len=998").ok(), "ok", "less is always allowed");
    assert_eq!(host.get("/probe/A/storage/put?key=b&value-len=0").ok(), "ok");
    assert_eq!(host.get("/probe/B/storage/put?key=a&value-len=999").ok(), "ok", "another object has its own");
}

#[test]
fn what_is_deleted_makes_room() {
    let host = start("storage=1000");
    assert_eq!(host.get("/probe/A/storage/put-many?keys=a,b,c&value-len=300").ok(), "ok");
    host.get("/probe/A/storage/put?key=d&value-len=300").says(400, TOO_LARGE);
    assert_eq!(host.get("/probe/A/storage/delete?key=a").ok(), "true");
    assert_eq!(host.get("/probe/A/storage/put?key=d&value-len=300").ok(), "ok");
    assert_eq!(host.get("/probe/A/storage/delete-all?").ok(), "ok");
    assert_eq!(host.get("/probe/A/storage/put?key=e&value-len=999").ok(), "ok");
}

#[test]
fn a_put_of_many_that_does_not_fit_puts_none() {
    let host = start("storage=1000");
    host.get("/probe/A/storage/put-many?keys=a,b,c,d&value-len=300").says(400, TOO_LARGE);
    assert_eq!(host.get("/probe/A/storage/list?").ok(), "");
}

/// What replaces a large value twice makes room for it once.
#[test]
fn a_key_that_comes_twice_in_a_put_of_many_counts_once() {
    let host = start("storage=1000");
    assert_eq!(host.get("/probe/A/storage/put?key=a&value-len=900").ok(), "ok");
    let entries = format!("a%3D,a%3D,a%3D,b%3D{}", "x".repeat(1_000));
    host.get(&format!("/probe/A/storage/put-many?entries={entries}")).says(400, TOO_LARGE);
    assert_eq!(host.get("/probe/A/storage/put-many?entries=a%3D1,a%3D2,a%3D3").ok(), "ok");
    assert_eq!(host.get("/probe/A/storage/get?key=a").ok(), "3");
}

/// Larger than what is held in memory, so that old values are not known without asking.
#[test]
fn the_size_of_a_large_object_is_known_after_a_restart() {
    let host = start("storage=300000");
    for part in 0..5 {
        let path = format!("/probe/A/storage/put-many?keys={part}a,{part}b,{part}c&value-len=19998");
        assert_eq!(host.get(&path).ok(), "ok");
    }
    let host = host.restart();
    host.get("/probe/A/storage/put?key=x&value-len=0").says(400, TOO_LARGE);
    // What replaces a value of the same length fits, although nobody in memory knows the old one.
    assert_eq!(host.get("/probe/A/storage/put-many?keys=0a,1b,2c&value-len=19998").ok(), "ok");
    host.get("/probe/A/storage/put-many?keys=0a,1b,3a&value-len=19999").says(400, TOO_LARGE);
    assert_eq!(host.get("/probe/A/storage/put?key=0a&value-len=19997").ok(), "ok");
    assert_eq!(host.get("/probe/A/storage/put?key=x&value-len=0").ok(), "ok");
    host.get("/probe/A/storage/put?key=y&value-len=0").says(400, TOO_LARGE);
}

#[test]
fn a_class_has_its_own_limit() {
    let probe = crate::host::guest("probe");
    let class = format!("small={}", probe.display());
    let setup = Setup::new().guest("probe").with(["--class", &class, "--limit", "small:storage=100"]);
    let host = setup.with(["--limit", "storage=1000"]).start();
    host.get("/small/A/storage/put?key=a&value-len=500").says(400, TOO_LARGE);
    assert_eq!(host.get("/probe/A/storage/put?key=a&value-len=500").ok(), "ok");
    host.get("/probe/A/storage/put?key=b&value-len=500").says(400, TOO_LARGE);
}

/// The same where nobody in memory knows how much it is: right after a start, of an object that is not held whole.
#[test]
fn what_is_deleted_makes_room_for_what_is_written_in_the_same_turn() {
    let delete_and_put = |host: &Host| {
        let steps = ["delete-unconfirmed old", "put-large new 90000", "delete new", "put-large old 90000"];
        crate::script::lines(host, "probe/A", &steps)
    };
    let host = start("storage=100000");
    assert_eq!(host.get("/probe/A/storage/put?key=old&value-len=90000").ok(), "ok");
    assert_eq!(delete_and_put(&host), ["1", "ok", "true", "ok"]);
    assert_eq!(delete_and_put(&host.restart()), ["1", "ok", "true", "ok"]);
}
