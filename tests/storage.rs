//! Every function of the store as a guest sees it, and every limit of it.

use crate::host::{Host, Setup};
use crate::http::{Connection, Reply};

const KEY_BYTES_MAX: usize = 2_048;
const VALUE_BYTES_MAX: usize = 2 << 20;

fn probe() -> Host {
    Setup::new().guest("probe").with(["--idle-timeout", "300s"]).start()
}

/// Calls a function of object A's store.
trait Storage {
    fn call(&mut self, call: &str) -> Reply;
}

impl Storage for Connection {
    fn call(&mut self, call: &str) -> Reply {
        self.get(&format!("/probe/A/storage/{call}"))
    }
}

/// Runs the same checks on an object that is held in memory whole, and on one whose reads go to the store.
fn on_small_and_large_objects(check: impl Fn(&mut Connection)) {
    check(&mut probe().connect_and_keep());
    let host = probe();
    let mut connection = host.connect();
    // Below all other keys, and gone before lists without bounds could find it: the rest is in the way of nobody.
    assert_eq!(connection.call("put?key=%00large&value-len=100000").ok(), "ok");
    drop(connection);
    check(&mut host.restart().connect_and_keep());
}

trait ConnectAndKeep {
    fn connect_and_keep(self) -> Connection;
}

impl ConnectAndKeep for Host {
    /// The host lives until the test process ends; a test that wants less says so.
    fn connect_and_keep(self) -> Connection {
        let connection = self.connect();
        KEPT.with_borrow_mut(|kept| kept.push(self));
        connection
    }
}

std::thread_local! {
    /// Hosts of the test that runs on this thread; they go with the thread.
    static KEPT: std::cell::RefCell<Vec<Host>> = const { std::cell::RefCell::new(Vec::new()) };
}

#[test]
fn a_value_is_what_was_put_last() {
    on_small_and_large_objects(|storage| {
        assert_eq!(storage.call("get?key=k").status, 404);
        for value in ["1", "", "%00%FF", "2"] {
            assert_eq!(storage.call(&format!("put?key=k&value={value}")).ok(), "ok");
            let got = storage.call("get?key=k");
            assert_eq!(got.status, 200);
            if value != "%00%FF" {
                assert_eq!(got.text(), value);
            }
        }
        assert_eq!(storage.call("put?key=&value=empty").ok(), "ok", "the empty key is a key");
        assert_eq!(storage.call("get?key=").ok(), "empty");
    });
}

#[test]
fn values_are_bytes() {
    let host = probe();
    let every_byte: Vec<u8> = (0..=255).collect();
    assert_eq!(host.connect().post("/probe/A/storage/put?key=k", &every_byte).ok(), "ok");
    assert_eq!(host.get("/probe/A/storage/get?key=k").body, every_byte);
    assert_eq!(host.restart().get("/probe/A/storage/get?key=k").body, every_byte);
}

#[test]
fn a_key_may_have_2048_bytes() {
    let mut storage = probe().connect_and_keep();
    for function in ["put?value=1&", "get?", "delete?"] {
        let with_key = |len: usize| format!("{function}key-len={len}");
        assert_eq!(storage.call(&with_key(KEY_BYTES_MAX)).status, 200, "{function}");
        storage.call(&with_key(KEY_BYTES_MAX + 1)).says(400, "too-large: the key has 2049 bytes, the limit is 2048");
    }
    let (longest, too_long) = ("k".repeat(KEY_BYTES_MAX), "k".repeat(KEY_BYTES_MAX + 1));
    assert_eq!(storage.call(&format!("put-many?value=1&keys=a,{longest}")).ok(), "ok");
    for function in ["put-many?value=2&", "get-many?", "delete-many?"] {
        storage.call(&format!("{function}keys=a,{too_long}")).says(400, "too-large: ");
    }
    assert_eq!(storage.call("get?key=a").ok(), "1", "all or none");
}

#[test]
fn a_value_may_have_2_mib() {
    let host = probe();
    let mut storage = host.connect();
    assert_eq!(storage.call(&format!("put?key=k&value-len={VALUE_BYTES_MAX}")).ok(), "ok");
    let refused = storage.call(&format!("put?key=k&value-len={}", VALUE_BYTES_MAX + 1));
    refused.says(400, "too-large: the value has 2097153 bytes, the limit is 2097152");
    storage.call(&format!("put-many?keys=a,b&value-len={}", VALUE_BYTES_MAX + 1)).says(400, "too-large: ");
    assert_eq!(storage.call("get?key=a").status, 404);
    assert_eq!(storage.call("get?key=k").body.len(), VALUE_BYTES_MAX);
    drop(storage);
    assert_eq!(host.restart().connect().call("get?key=k").body.len(), VALUE_BYTES_MAX);
}

#[test]
fn a_call_may_have_128_keys() {
    on_small_and_large_objects(|storage| {
        for function in ["put-many?value=v&", "get-many?", "delete-many?"] {
            assert_eq!(storage.call(&format!("{function}count=128")).status, 200, "{function}");
            let refused = storage.call(&format!("{function}count=129"));
            refused.says(400, "invalid: 129 keys in one call, the most is 128");
        }
        for (function, empty) in [("put-many?value=v&keys=", "ok"), ("get-many?keys=", ""), ("delete-many?keys=", "0")]
        {
            assert_eq!(storage.call(function).ok(), empty, "no keys are fine");
        }
    });
}

#[test]
fn get_many_gives_what_exists_in_key_order() {
    on_small_and_large_objects(|storage| {
        storage.call("put-many?entries=b=2,a=1,d=4,é=5,Z=0");
        let lines = storage.call("get-many?keys=%C3%A9,d,b,b,missing,a,Z,d");
        assert_eq!(lines.lines(), ["Z=0", "a=1", "b=2", "d=4", "é=5"]);
    });
}

#[test]
fn the_last_value_counts_where_a_key_comes_twice() {
    on_small_and_large_objects(|storage| {
        storage.call("put-many?entries=a=1,b=2,a=3");
        assert_eq!(storage.call("get-many?keys=a,b").lines(), ["a=3", "b=2"]);
    });
}

#[test]
fn delete_tells_what_was_there() {
    on_small_and_large_objects(|storage| {
        storage.call("put-many?keys=a,b,c,d&value=1");
        assert_eq!(storage.call("delete?key=a").ok(), "true");
        assert_eq!(storage.call("delete?key=a").ok(), "false");
        assert_eq!(storage.call("delete?key=never").ok(), "false");
        assert_eq!(storage.call("delete-many?keys=a,b,b,c,never").ok(), "2");
        assert_eq!(storage.call("get-many?keys=a,b,c,d").lines(), ["d=1"]);
        assert_eq!(storage.call("put?key=a&value=2").ok(), "ok");
        assert_eq!(storage.call("delete?key=a").ok(), "true");
    });
}

#[test]
fn list_takes_bounds_prefix_direction_and_limit() {
    on_small_and_large_objects(|storage| {
        storage.call("put-many?keys=a,b,ba,bb,bc,c,d&value=");
        for (options, keys) in [
            ("start=a", "a b ba bb bc c d"),
            ("start=b", "b ba bb bc c d"),
            ("start=b0", "ba bb bc c d"),
            ("start-after=b", "ba bb bc c d"),
            ("start-after=b0", "ba bb bc c d"),
            ("start=a&end=b", "a"),
            ("start=a&end=ba", "a b"),
            ("start=a&end=a", ""),
            ("start=c&end=a", ""),
            ("start-after=d", ""),
            ("start=e", ""),
            ("prefix=b", "b ba bb bc"),
            ("prefix=bb", "bb"),
            ("prefix=x", ""),
            ("prefix=b&start=bb", "bb bc"),
            ("prefix=b&start=a", "b ba bb bc"),
            ("prefix=b&start-after=b", "ba bb bc"),
            ("prefix=b&end=bb", "b ba"),
            ("prefix=b&end=z", "b ba bb bc"),
            ("prefix=b&start=c", ""),
            ("prefix=b&end=a", ""),
            ("start=a&reverse=true", "d c bc bb ba b a"),
            ("start=b&end=c&reverse=true", "bc bb ba b"),
            ("start-after=b&end=c&reverse=true", "bc bb ba"),
            ("prefix=b&reverse=true", "bc bb ba b"),
            ("start=a&limit=1", "a"),
            ("start=a&limit=3", "a b ba"),
            ("start=a&limit=100", "a b ba bb bc c d"),
            ("start=a&limit=2&reverse=true", "d c"),
            ("prefix=b&limit=2&reverse=true", "bc bb"),
            ("start=a&limit=4294967295", "a b ba bb bc c d"),
        ] {
            let reply = storage.call(&format!("list?{options}"));
            let listed: Vec<&str> = reply.lines().iter().map(|line| line.trim_end_matches('=')).collect();
            assert_eq!(listed.join(" "), keys, "{options}");
        }
    });
}

#[test]
fn list_options_that_make_no_sense_are_refused() {
    on_small_and_large_objects(|storage| {
        storage.call("put?key=a&value=1");
        storage.call("list?start=a&start-after=a").says(400, "invalid: ");
        storage.call("list?limit=0").says(400, "invalid: ");
        storage.call("list?limit=0&prefix=x").says(400, "invalid: ");
    });
}

#[test]
fn lists_are_in_the_order_of_utf_8_bytes() {
    let mut storage = probe().connect_and_keep();
    // In UTF-16, as in JavaScript, the last two would change places.
    storage.call("put-many?keys=%F0%9F%A6%80,%EF%BF%BD,%C3%A9,z,A,10,9,a&value=");
    let reply = storage.call("list?");
    let keys: Vec<&str> = reply.lines().iter().map(|line| line.trim_end_matches('=')).collect();
    assert_eq!(keys, ["10", "9", "A", "a", "z", "é", "\u{fffd}", "🦀"]);
}

#[test]
fn delete_all_leaves_nothing_and_the_object_goes_on() {
    let host = probe();
    let mut storage = host.connect();
    storage.call("put-many?count=100&value-len=2000");
    assert_eq!(storage.call("delete-all").ok(), "ok");
    assert_eq!(storage.call("list?").ok(), "");
    assert_eq!(storage.call("get?key=key-0001").status, 404);
    drop(storage);
    let host = host.restart();
    let mut storage = host.connect();
    assert_eq!(storage.call("list?").ok(), "");
    assert_eq!(storage.call("put?key=new&value=1").ok(), "ok");
    assert_eq!(storage.call("list?").lines(), ["new=1"]);
    assert_eq!(storage.call("delete-all").ok(), "ok");
    assert_eq!(storage.call("delete-all").ok(), "ok");
    assert_eq!(storage.call("put?key=newer&value=2").ok(), "ok");
    drop(storage);
    assert_eq!(host.restart().connect().call("list?").lines(), ["newer=2"]);
}

#[test]
fn a_store_of_many_pages_is_listed_whole() {
    let host = probe();
    let mut storage = host.connect();
    // More entries than one read takes from the store.
    for batch in 0..20 {
        let keys: Vec<String> = (0..128).map(|number| format!("{batch:02}-{number:03}")).collect();
        assert_eq!(storage.call(&format!("put-many?keys={}&value-len=100", keys.join(","))).ok(), "ok");
    }
    drop(storage);
    let host = host.restart();
    let mut storage = host.connect();
    let reply = storage.call("list?");
    let lines = reply.lines();
    assert_eq!(lines.len(), 20 * 128);
    assert!(lines.is_sorted() && lines.iter().all(|line| line.len() == 7 + 100));
    let reply = storage.call("list?reverse=true&start=03-000&end=15-000&limit=1500");
    let lines = reply.lines();
    assert_eq!(lines.len(), 1500);
    assert!(lines[0].starts_with("14-127=") && lines[1499].starts_with("03-036="), "{} {}", lines[0], lines[1499]);
    storage.call("delete-many?keys=00-000,19-127");
    storage.call("put?key=10-0635&value=between");
    let reply = storage.call("list?");
    assert_eq!(reply.lines().len(), 20 * 128 - 1);
    let key = |line: &&str| line.split_once('=').map(|(key, _)| key.to_string());
    assert!(reply.lines().is_sorted_by_key(key));
}

#[test]
fn a_list_that_is_too_large_is_told_how_to_walk() {
    let host = probe();
    let mut storage = host.connect();
    for batch in 0..5 {
        let keys: Vec<String> = (0..7).map(|number| format!("{batch}{number}")).collect();
        assert_eq!(storage.call(&format!("put-many?keys={}&value-len=1000000", keys.join(","))).ok(), "ok");
    }
    storage.call("list?").says(400, "too-large: the list has more than 33554432 bytes; ask with a limit");
    assert_eq!(storage.call("list?limit=3").lines().len(), 3);
}

#[test]
fn one_turn_may_write_16_mib() {
    let mut storage = probe().connect_and_keep();
    assert_eq!(storage.call("put-many?count=100&value-len=160000").ok(), "ok");
    let refused = storage.call("put-many?count=128&value-len=160000");
    refused.says(400, "too-large: more than 16777216 bytes written without waiting in between");
    assert_eq!(storage.call("get?key=key-0127").status, 404, "all or none");
    assert_eq!(storage.call("get?key=key-0099").body.len(), 160_000);
}

#[test]
fn stores_of_two_objects_never_mix() {
    let host = probe();
    for name in ["A", "B", "AB", "A%00"] {
        assert_eq!(host.get(&format!("/probe/{name}/storage/put?key=own&value={name}")).ok(), "ok");
    }
    assert_eq!(host.get("/probe/A/storage/delete-all").ok(), "ok");
    let host = host.restart();
    assert_eq!(host.get("/probe/A/storage/list").ok(), "");
    assert_eq!(host.get("/probe/B/storage/list").lines(), ["own=B"]);
    assert_eq!(host.get("/probe/AB/storage/list").lines(), ["own=AB"]);
    assert_eq!(host.get("/probe/A%00/storage/list").ok(), "own=A\0\n");
}

#[test]
fn sync_returns() {
    let mut storage = probe().connect_and_keep();
    assert_eq!(storage.call("sync").ok(), "ok");
    storage.call("put?key=k&value=1");
    assert_eq!(storage.call("sync").ok(), "ok");
}
