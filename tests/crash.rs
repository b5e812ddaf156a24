//! kill -9 at any moment: what was acknowledged is there afterwards.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::host::{Host, Setup};
use crate::http::{Connection, NoReply, at_once};
use crate::random::Random;

const OBJECTS: usize = 5;
const CONNECTIONS: usize = 12;
const KILLS: usize = 25;

/// What the clients know of a counter.
#[derive(Default)]
struct Known {
    /// Requests that were sent, answered or not.
    sent: AtomicU64,
    /// Numbers that came back.
    acknowledged: Mutex<BTreeSet<u64>>,
}

impl Known {
    fn acknowledge(&self, number: u64) {
        assert!(self.acknowledged.lock().unwrap().insert(number), "{number} was given twice");
    }

    #[track_caller]
    fn check(&self, value: u64) {
        let highest = self.acknowledged.lock().unwrap().last().copied().unwrap_or(0);
        let sent = self.sent.load(Ordering::Relaxed);
        assert!(value >= highest, "{highest} was acknowledged, {value} is there");
        assert!(value <= sent, "{sent} requests were sent, {value} is there");
    }
}

/// Increments until the connection is gone.
fn increment_until_closed(address: &str, class: &str, seed: u64, known: &[Known]) {
    let mut random = Random::new(seed);
    let Ok(mut connection) = Connection::open(address) else { return };
    loop {
        let object = random.below(known.len());
        known[object].sent.fetch_add(1, Ordering::Relaxed);
        match connection.try_send("POST", &format!("/{class}/object-{object}/increment"), &[], b"") {
            Ok(reply) => known[object].acknowledge(reply.number()),
            Err(_) => return,
        }
    }
}

fn value(host: &Host, class: &str, object: usize) -> u64 {
    host.get(&format!("/{class}/object-{object}/value")).number()
}

fn acknowledged_increments_survive(class: &str, kills: usize) {
    let setup = Setup::new().guest(class);
    let known: Vec<Known> = (0..OBJECTS).map(|_| Known::default()).collect();
    let mut random = Random::new(1);
    let mut host = Some(setup.start());
    for round in 0..kills as u64 {
        let running = host.take().expect("a host runs at the start of each round");
        let address = running.address.clone();
        let doomed = Mutex::new(Some(running));
        let pause = Duration::from_millis(5 + random.below(75) as u64);
        at_once(CONNECTIONS + 1, |thread| {
            if thread == CONNECTIONS {
                std::thread::sleep(pause);
                doomed.lock().unwrap().take().expect("it is killed once").kill();
            } else {
                increment_until_closed(&address, class, round * 100 + thread as u64, &known);
            }
        });
        let restarted = setup.start();
        for (object, known) in known.iter().enumerate() {
            known.check(value(&restarted, class, object));
        }
        host = Some(restarted);
    }
    let all: usize = known.iter().map(|known| known.acknowledged.lock().unwrap().len()).sum();
    assert!(all > kills * OBJECTS, "only {all} increments were acknowledged, the test means more load");
}

#[test]
fn acknowledged_increments_survive_kill_9() {
    acknowledged_increments_survive("counter", KILLS);
}

#[test]
fn acknowledged_increments_of_a_sync_guest_survive_kill_9() {
    acknowledged_increments_survive("counter-sync", 5);
}

/// Two keys that one turn wrote are both there or both not, whatever happened in between.
#[test]
fn turns_stay_whole_through_kill_9() {
    let setup = Setup::new().guest("probe");
    for round in 0..8_u64 {
        let host = setup.start();
        let mut connection = host.connect();
        let pair = connection.get("/probe/A/storage/get-many?keys=left,right");
        let pair = pair.lines();
        let numbers: Vec<&str> = pair.iter().filter_map(|line| Some(line.split_once('=')?.1)).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] == pair[1]) && numbers.len() != 1, "a torn turn: {pair:?}");
        let start = numbers.first().map_or(0, |number| number.parse::<u64>().unwrap());
        let address = host.address.clone();
        let doomed = Mutex::new(Some(host));
        at_once(2, |thread| {
            if thread == 0 {
                std::thread::sleep(Duration::from_millis(10 + round * 9));
                return doomed.lock().unwrap().take().unwrap().kill();
            }
            let Ok(mut connection) = Connection::open(&address) else { return };
            for number in start + 1.. {
                let path = format!("/probe/A/storage/put-many?entries=left={number},right={number}");
                match connection.try_send("GET", &path, &[], b"") {
                    Ok(reply) => assert_eq!(reply.ok(), "ok"),
                    Err(NoReply::Closed(_) | NoReply::Broken(_)) => return,
                }
            }
        });
    }
}
