//! What guests can make the host hold in memory, and the limits that are in the way.

use crate::host::{Host, Setup};
use crate::http::{Reply, at_once};

/// More than the limits below add up to.
const MEMORY_MAX: u64 = 1 << 30;

/// More than the guests of the last test, what waits for the disk and what is being written take together, and less than
/// they take if nothing ever waits.
const MEMORY_OF_WRITERS_MAX: u64 = 576 << 20;

/// Bytes of one turn.
const TURN_BYTES_MAX: usize = 16 << 20;

fn probe() -> Host {
    Setup::new().guest("probe").start()
}

fn assert_memory(host: &Host, max: u64) {
    let peak = host.memory_peak();
    assert!(peak < max, "the host held {} MiB at a time", peak >> 20);
}

/// Headers count as bodies do: neither the calls that an object has under way nor the events that wait for one are a way
/// around the limit.
#[test]
fn calls_with_huge_headers_are_refused_over_the_limit() {
    const CALLS: usize = 10;
    let host = probe();
    let path = format!(
        "/probe/A/namespace/call?class=probe&name=B&at-once=true&header-len=20000000{}",
        "&path=/memory".repeat(CALLS)
    );
    let replies = at_once(8, |_| host.get(&path));
    let lines: Vec<&str> = replies.iter().flat_map(Reply::lines).collect();
    let (done, refused): (Vec<&str>, Vec<&str>) = lines.iter().partition(|line| line.starts_with("200 "));
    assert_eq!(done.len() + refused.len(), 8 * CALLS);
    assert!(!done.is_empty(), "one such call is fine");
    assert!(refused.len() >= CALLS - 64 / 20, "{lines:?}");
    for line in refused {
        assert!(line.starts_with("502 message ") && line.ends_with("overloaded true"), "{line}");
        assert!(line.contains("67108864 bytes"), "{line}");
    }
    assert_memory(&host, MEMORY_MAX);
    for object in ["A", "B"] {
        assert!(host.get(&format!("/probe/{object}/memory")).number() > 0);
    }
}

#[test]
fn the_largest_turn_is_16_mib_and_an_object_outlives_a_larger_one() {
    let host = probe();
    let mut connection = host.connect();
    let mut put =
        |value_len: usize| connection.get(&format!("/probe/A/storage/put-many?count=128&value-len={value_len}"));
    // What a key of 8 bytes and the host's own bookkeeping take is in it.
    let largest = TURN_BYTES_MAX / 128 - 8 - 64;
    assert_eq!(put(largest).ok(), "ok");
    put(TURN_BYTES_MAX / 128 - 8 + 1).says(400, "too-large: ");
    assert_eq!(put(largest - 1).ok(), "ok", "a refused turn leaves nothing behind");
    assert_eq!(host.get("/probe/A/memory").number(), 1);
    assert_eq!(host.get("/probe/A/memory").number(), 2);
    let host = host.restart();
    assert_eq!(host.get("/probe/A/storage/get?key=key-0127").ok().len(), largest - 1);
}

#[test]
fn a_turn_of_a_great_many_tiny_writes_is_refused_at_the_limit() {
    let host = probe();
    let refused = host.get("/probe/A/storage/fill?count=400000&value-len=0");
    refused.says(400, "too-large: more than 16777216 bytes written without waiting in between");
    let taken = refused.text().split_once("(after ").and_then(|(_, rest)| rest.strip_suffix(")")).expect("a count");
    let taken: usize = taken.parse().expect("a count");
    assert!((50_000..=TURN_BYTES_MAX / 64).contains(&taken), "{taken} writes were taken");
    assert_memory(&host, MEMORY_MAX);
    // What was taken is there, and the object lives on.
    assert_eq!(host.get("/probe/A/storage/get?key=aaaa").ok(), "");
    assert_eq!(host.get("/probe/A/storage/fill?count=1000&value-len=1").number(), 1_000);
    assert_eq!(host.get("/probe/A/storage/get?key=aaaa").ok(), "x");
}

/// Events that come together are handled one after the other without a pause. Each has its own turn, and so its own limit.
#[test]
fn what_other_events_write_does_not_count_against_a_turn() {
    let host = probe();
    for round in 0..3 {
        let replies = at_once(13, |client| match client {
            // Computes for a while, so that the others wait together.
            0 => host.get("/probe/A/namespace/in-order?class=probe&name=B&steps=s&spin=100000000"),
            _ => host.get(&format!("/probe/A/storage/put?key=k-{client}&value-len=2000000")),
        });
        let refused = replies.iter().find(|reply| reply.status != 200);
        assert!(refused.is_none(), "round {round}: {}", refused.map_or("", Reply::text));
    }
}

/// Large turns faster than the disk takes them: writers wait, nobody is refused, and what waits for the disk stays small.
#[test]
fn writers_wait_when_the_disk_falls_behind() {
    let host = probe();
    // Many at once for each object: the next turn of an object does not wait until the one before was answered.
    at_once(64, |client| {
        let path = format!("/probe/object-{}/storage/put-many?count=128&value-len=100000", client % 4);
        assert_eq!(host.get(&path).ok(), "ok");
    });
    assert_memory(&host, MEMORY_OF_WRITERS_MAX);
    for object in 0..4 {
        assert_eq!(host.get(&format!("/probe/object-{object}/storage/increment?key=n")).number(), 1);
    }
}
