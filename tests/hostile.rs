//! Guests that take all they can get. Whatever they do, on the one thread that everything runs on:
//!
//! - the host stays up, and an object beside them keeps counting without a mistake;
//! - they get a clear answer, and work again afterwards;
//! - what they used comes back once they are gone.
//!
//! How long a neighbour has to wait is not tested but measured: `benches/neighbours.py`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::host::{Host, PATIENCE, Setup};
use crate::http::{Reply, at_once};

/// What the host may keep of what a hostile guest made it use: caches, and memory that the allocator did not give back.
const KEPT_BYTES_MAX: u64 = 96 << 20;

/// Keys of the object with a million of them, and how many of them are written in one turn.
const MANY_KEYS: usize = 1_000_000;
const KEYS_AT_ONCE: usize = 50_000;

/// One thread, guests that may compute for a second, and objects that go soon when they are idle.
fn setup() -> Setup {
    Setup::new().guest("hostile").guest("probe").with([
        "--threads",
        "1",
        "--limit",
        "turn-cpu=1s",
        "--idle-timeout",
        "1s",
    ])
}

/// Runs an attack beside a neighbour, and then looks whether the host is what it was before.
#[track_caller]
fn survives(setup: &Setup, attack: impl FnOnce(&Host)) -> Host {
    let host = setup.start();
    assert_eq!(host.get("/hostile/A/hello").ok(), "hello");
    assert_eq!(host.get("/probe/neighbour/storage/increment?key=n").number(), 1);
    let before = host.memory();

    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let (mut connection, mut count) = (host.connect(), 1);
            // An attack may be over before it was heard once.
            while !is_over.load(Ordering::Relaxed) || count < 3 {
                count += 1;
                let reply = connection.get("/probe/neighbour/storage/increment?key=n");
                assert_eq!(reply.number(), count, "the neighbour was disturbed");
            }
        });
        // Also if the attack panics: the neighbour must not go on for ever.
        let _over = SetWhenDropped(&is_over);
        attack(&host);
        drop(_over);
        neighbour.join().expect("the neighbour does not panic");
    });

    assert_eq!(host.get("/hostile/A/hello").ok(), "hello", "it works again");
    let deadline = Instant::now() + PATIENCE;
    while host.memory() > before + KEPT_BYTES_MAX {
        let (now, before) = (host.memory() >> 20, before >> 20);
        assert!(Instant::now() < deadline, "the host has {now} MiB, before it had {before}");
        std::thread::sleep(Duration::from_millis(100));
    }
    host
}

struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[track_caller]
fn assert_reset(reply: &Reply) {
    reply.says(500, "the object was reset during the request");
    assert!(reply.header("x-request-id").is_some(), "{reply:?}");
}

#[test]
fn objects_that_take_all_their_memory_give_it_back() {
    survives(&setup(), |host| {
        for object in ["A", "B", "C", "D"] {
            let taken = host.get(&format!("/hostile/{object}/memory")).number();
            assert!((100..=128).contains(&taken), "it got {taken} MiB");
            assert_eq!(host.get(&format!("/hostile/{object}/memory")).number(), 0, "and then no more");
            assert_eq!(host.get(&format!("/hostile/{object}/hello")).ok(), "hello");
        }
    });
}

#[test]
fn objects_that_never_wait_are_stopped_and_nobody_notices() {
    survives(&setup(), |host| {
        for deed in ["spin", "yield", "yield?blocking=true"] {
            let replies = at_once(3, |object| host.get(&format!("/hostile/{object}/{deed}")));
            replies.iter().for_each(assert_reset);
            assert_eq!(host.get("/hostile/0/hello").ok(), "hello");
        }
    });
}

#[test]
fn objects_that_run_out_of_stack_again_and_again_disturb_nobody() {
    survives(&setup(), |host| {
        at_once(4, |object| {
            for _ in 0..10 {
                assert_reset(&host.get(&format!("/hostile/{object}/recurse")));
            }
        });
    });
}

#[test]
fn an_object_that_traps_at_its_start_disturbs_nobody() {
    let component = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/components/traps_at_start.wat");
    survives(&setup().with(["--class".to_string(), format!("start={component}")]), |host| {
        at_once(4, |object| {
            for _ in 0..10 {
                let reply = host.get(&format!("/start/{object}/"));
                reply.says(500, "the object did not start");
                let id = reply.header("x-request-id").expect("an error has a request id");
                host.log_with(id);
            }
        });
    });
}

#[test]
fn an_object_that_keeps_every_stub_is_reset_at_the_limit() {
    survives(&setup(), |host| {
        for _ in 0..3 {
            assert_eq!(host.get("/hostile/A/stubs?count=60000").number(), 60_000);
            assert_reset(&host.get("/hostile/A/stubs?count=60000"));
        }
    });
}

#[test]
fn a_flood_of_calls_to_a_thousand_objects_reaches_them_all() {
    survives(&setup(), |host| {
        assert_eq!(host.get("/hostile/A/calls?objects=1000&calls=1000").lines(), ["200 1000"]);
        let reply = host.get("/hostile/A/calls?objects=1000&calls=3000");
        assert_eq!(reply.lines(), ["200 1024", "overloaded 1976"], "an object may have 1,024 calls under way");
    });
}

#[test]
fn many_floods_of_calls_at_once_all_end() {
    survives(&setup(), |host| {
        let replies = at_once(16, |object| host.get(&format!("/hostile/{object}/calls?objects=16&calls=64")));
        assert!(replies.iter().all(|reply| reply.ok() == "200 64\n"), "{replies:?}");
    });
}

#[test]
fn a_flood_of_requests_to_the_network_is_refused_over_the_limit() {
    let server = Server::start();
    survives(&setup().with(["--allow-outgoing", "127.0.0.1"]), |host| {
        let reply = host.get(&format!("/hostile/A/outgoing?count=3000&authority={}", server.address));
        assert_eq!(reply.lines(), ["200 1024", "too-large 1976"]);
    });
}

/// A server on the network that answers 200 to everything.
struct Server {
    address: String,
}

impl Server {
    /// Its threads end with the process.
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(&stream).lines();
                    while let Some(Ok(line)) = lines.next() {
                        let ends_head = line.is_empty();
                        if ends_head && (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Server { address }
    }
}

#[test]
fn huge_replies_are_sent_and_forgotten() {
    survives(&setup(), |host| {
        at_once(3, |object| {
            for _ in 0..3 {
                assert_eq!(host.get(&format!("/hostile/{object}/body?bytes=40000000")).body.len(), 40_000_000);
            }
        });
    });
}

/// Somebody asks for a lot and reads none of it.
#[test]
fn replies_that_nobody_reads_are_forgotten_with_their_connections() {
    survives(&setup(), |host| {
        for object in 0..4 {
            let mut connection = host.connect();
            connection
                .write(format!("GET /hostile/{object}/body?bytes=40000000 HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
                .unwrap();
            assert_eq!(host.get(&format!("/hostile/{object}/hello")).ok(), "hello");
        }
    });
}

#[test]
fn an_object_full_of_events_that_wait_refuses_more_until_they_are_done() {
    survives(&setup().with(["--limit", "events=16"]), |host| {
        let replies = at_once(40, |_| host.get("/hostile/A/wait?ms=1000"));
        let (waited, refused): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status == 200);
        assert!(waited.len() >= 16 && !refused.is_empty(), "{} waited", waited.len());
        for reply in refused {
            reply.says(503, "the object is overloaded");
            assert_eq!(reply.header("retry-after"), Some("1"));
        }
    });
}

#[test]
fn what_a_guest_prints_without_end_is_dropped_where_nobody_can_read_so_fast() {
    // As long as it takes: that it takes long is not what is looked at.
    survives(&setup().with(["--limit", "turn-cpu=60s"]), |host| {
        let printed = at_once(2, |object| host.get(&format!("/hostile/{object}/print?mib=32")).number());
        assert_eq!(printed, [32, 32]);
    });
}

#[test]
fn a_million_keys_are_written_listed_and_deleted() {
    survives(&setup(), |host| {
        for from in (0..MANY_KEYS).step_by(KEYS_AT_ONCE) {
            let written = host.get(&format!("/hostile/A/keys?from={from}&count={KEYS_AT_ONCE}")).number();
            assert_eq!(written, KEYS_AT_ONCE as u64);
        }
        assert_eq!(host.get("/hostile/A/list?limit=1000").number(), 1000);
        // More than the guest's memory can hold is the guest's own fault, and its end.
        let all = host.get("/hostile/A/list");
        assert!(all.status == 500 || all.number() == MANY_KEYS as u64, "{}", all.text());
        assert_eq!(host.get("/hostile/A/list?limit=1").number(), 1, "it has lost nothing");
        assert_eq!(host.get("/hostile/A/delete-all").ok(), "ok");
        assert_eq!(host.get("/hostile/A/list").number(), 0);
    });
}

#[test]
fn a_list_that_is_too_large_is_refused_while_others_go_on() {
    let host = survives(&setup(), |host| {
        for part in 0..40 {
            let path = format!("/probe/large/storage/put?key=k{part:02}&value-len=1000000");
            assert_eq!(host.get(&path).ok(), "ok");
        }
        for _ in 0..5 {
            host.get("/probe/large/storage/list").says(400, "too-large: the list has more than 33554432 bytes");
        }
        assert_eq!(host.get("/probe/large/storage/list?limit=30").body.len(), 30 * 1_000_005);
    });
    assert_eq!(host.get("/probe/large/storage/list?limit=1").lines().len(), 1);
}
