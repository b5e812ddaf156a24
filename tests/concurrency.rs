//! Many clients at once: no count is lost, none is given twice, and an object has one instance.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE, Setup};
use crate::http::at_once;
use crate::random::Random;

const CONNECTIONS: usize = 64;
const REQUESTS: usize = 1_000;

/// Short enough for many evictions in a test, long enough for a busy object to stay.
const IDLE_TIMEOUT: [&str; 2] = ["--idle-timeout", "200ms"];

/// Sends requests from many connections; `path` says where the n-th goes. Gives the numbers that came back.
fn numbers(host: &Host, requests: usize, path: impl Fn(usize) -> String + Sync) -> Vec<(usize, u64)> {
    let next = AtomicUsize::new(0);
    let replies = at_once(CONNECTIONS, |_| {
        let mut connection = host.connect();
        let mut replies = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return replies;
            }
            replies.push((number, connection.get(&path(number)).number()));
        }
    });
    replies.concat()
}

/// Asserts that these are the numbers from 1 on, each once.
#[track_caller]
fn assert_each_once(numbers: impl IntoIterator<Item = u64>, count: usize) {
    let numbers: Vec<u64> = numbers.into_iter().collect();
    assert_eq!(numbers.len(), count);
    let set: BTreeSet<u64> = numbers.into_iter().collect();
    assert_eq!(set, (1..=count as u64).collect());
}

fn a_thousand_increments_end_at_a_thousand(guest: &str) {
    let host = Setup::new().guest(guest).start();
    let replies = numbers(&host, REQUESTS, |_| format!("/{guest}/A/increment"));
    assert_each_once(replies.into_iter().map(|(_, count)| count), REQUESTS);
    assert_eq!(host.get(&format!("/{guest}/A/value")).number(), REQUESTS as u64);
    let host = host.restart();
    assert_eq!(host.get(&format!("/{guest}/A/value")).number(), REQUESTS as u64);
}

#[test]
fn a_thousand_concurrent_increments_end_at_a_thousand_with_the_async_abi() {
    a_thousand_increments_end_at_a_thousand("counter");
}

#[test]
fn a_thousand_concurrent_increments_end_at_a_thousand_with_the_sync_abi() {
    a_thousand_increments_end_at_a_thousand("counter-sync");
}

#[test]
fn a_thousand_increments_over_fifty_objects_are_all_counted() {
    let host = Setup::new().guest("counter").guest("counter-sync").start();
    for class in ["counter", "counter-sync"] {
        let replies = numbers(&host, REQUESTS, |number| format!("/{class}/object-{}/increment", number % 50));
        for object in 0..50 {
            let own = replies.iter().filter(|(number, _)| number % 50 == object);
            assert_each_once(own.map(|(_, count)| *count), REQUESTS / 50);
        }
    }
    let host = host.restart();
    for object in 0..50 {
        assert_eq!(host.get(&format!("/counter/object-{object}/value")).number(), REQUESTS as u64 / 50);
    }
}

#[test]
fn simultaneous_first_requests_start_one_instance() {
    let host = Setup::new().guest("probe").start();
    let connections: Vec<_> = (0..CONNECTIONS).map(|_| std::sync::Mutex::new(host.connect())).collect();
    for object in 0..10 {
        let path = format!("/probe/object-{object}/memory");
        let counts = at_once(CONNECTIONS, |number| connections[number].lock().unwrap().get(&path).number());
        assert_each_once(counts, CONNECTIONS);
    }
}

#[test]
fn simultaneous_first_increments_of_a_stored_counter_go_on_where_it_was() {
    let mut host = Setup::new().guest("counter").start();
    for round in 0..5 {
        let counts = at_once(CONNECTIONS, |_| host.get("/counter/A/increment").number());
        assert_each_once(counts.into_iter().map(|count| count - round * CONNECTIONS as u64), CONNECTIONS);
        host = host.restart();
    }
}

#[test]
fn an_idle_object_goes_and_its_state_stays() {
    let host = Setup::new().guest("probe").with(IDLE_TIMEOUT).start();
    assert_eq!(host.get("/probe/A/storage/increment?key=n").number(), 1);
    assert_eq!(host.get("/probe/A/memory").number(), 1);
    assert_eq!(host.get("/probe/A/memory").number(), 2);
    wait_until_fresh(&host, "A");
    assert_eq!(host.get("/probe/A/storage/increment?key=n").number(), 2);
}

/// Waits until the object was evicted: an instance counts how often it was asked.
fn wait_until_fresh(host: &Host, name: &str) {
    let deadline = Instant::now() + PATIENCE;
    while host.get(&format!("/probe/{name}/memory")).number() != 1 {
        assert!(Instant::now() < deadline, "it is never evicted");
        std::thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn an_object_that_waits_for_another_is_not_evicted() {
    let host = Setup::new().guest("probe").with(["--idle-timeout", "20ms", "--limit", "turn-cpu=400ms"]).start();
    // The other one spins until its CPU time is up, far longer than the idle timeout.
    let reply = host.get("/probe/A/namespace/call?class=probe&name=B&path=/spin");
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(reply.text().contains("remote false"), "{}", reply.text());
}

#[test]
fn hundreds_of_evictions_under_load_lose_nothing() {
    const OBJECTS: usize = 24;
    const ROUNDS: usize = 40;
    // Shorter than the pauses below, so that objects go and come back all the time.
    let host = Setup::new().guest("probe").with(["--idle-timeout", "5ms"]).start();
    let lives = at_once(16, |thread| {
        let mut random = Random::new(thread as u64);
        let mut connection = host.connect();
        let mut lives = 0;
        for _ in 0..ROUNDS {
            for _ in 0..OBJECTS / 4 {
                let object = random.below(OBJECTS);
                connection.get(&format!("/probe/object-{object}/storage/increment?key=n")).number();
                connection.get(&format!("/probe/object-{object}/storage/increment?key=by-{thread}")).number();
                lives += usize::from(connection.get(&format!("/probe/object-{object}/memory")).number() == 1);
            }
            std::thread::sleep(Duration::from_millis(random.below(40) as u64));
        }
        lives
    });
    let lives: usize = lives.into_iter().sum();
    assert!(lives > 300, "only {lives} lives of {OBJECTS} objects, the test means more evictions");
    let value = |object: usize, key: &str| {
        let reply = host.get(&format!("/probe/object-{object}/storage/get?key={key}"));
        if reply.status == 404 { 0 } else { reply.number() }
    };
    let all: u64 = (0..OBJECTS).map(|object| value(object, "n")).sum();
    assert_eq!(all, 16 * (ROUNDS * (OBJECTS / 4)) as u64);
    for object in 0..OBJECTS {
        let by_threads: u64 = (0..16).map(|thread| value(object, &format!("by-{thread}"))).sum();
        assert_eq!(by_threads, value(object, "n"), "object {object}");
    }
}

#[test]
fn more_objects_than_fit_into_memory_take_turns() {
    let host = Setup::new().guest("counter").with(["--max-resident", "8"]).start();
    let replies = numbers(&host, 600, |number| format!("/counter/object-{}/value", number % 4));
    assert!(replies.iter().all(|(_, count)| *count == 0));
    let mut connection = host.connect();
    for round in 1..=3 {
        for object in 0..60 {
            assert_eq!(connection.get(&format!("/counter/object-{object}/increment")).number(), round);
        }
    }
}

#[test]
fn events_of_an_async_object_overlap_where_it_waits_for_more_than_storage() {
    let host = Setup::new().guest("probe").start();
    at_once(32, |_| {
        let mut connection = host.connect();
        for _ in 0..10 {
            connection.get("/probe/A/storage/increment?key=n&pause=true").number();
        }
    });
    let most = host.get("/probe/A/overlap").number();
    assert!(most > 1, "events of one object never overlapped");
}

/// Of an object larger than what is held in memory, so that reads wait for the store.
#[test]
fn overlapping_increments_whose_reads_wait_lose_nothing() {
    let setup = Setup::new().guest("probe");
    let mut host = setup.start();
    let mut connection = host.connect();
    for part in 0..4 {
        let path = format!("/probe/A/storage/put-many?keys=x{part}a,x{part}b,x{part}c&value-len=20000");
        assert_eq!(connection.get(&path).ok(), "ok");
    }
    for restart in 0..3 {
        host = host.restart();
        for key in 0..6 {
            // The key is in nobody's memory: there is none of it, or it is from before the restart.
            let path = format!("/probe/A/storage/increment?key=n-{key}");
            let counts = at_once(CONNECTIONS, |_| host.get(&path).number());
            assert_each_once(counts.into_iter().map(|count| count - restart * CONNECTIONS as u64), CONNECTIONS);
        }
    }
}
