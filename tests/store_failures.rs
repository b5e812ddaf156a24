//! What becomes of objects when their store fails under them: damaged, gone, full, or not to be written.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::host::{Ended, Host, PATIENCE, Setup, run};
use crate::http::at_once;
use crate::random::Random;
use crate::small_disk::SmallDisk;

const OBJECTS: usize = 12;
const KEYS: usize = 8;
const DAMAGES: u64 = 16;
const PAGE_BYTES: u64 = 4096;
const FILE: &str = "store.redb";
const FILES: [&str; 3] = [FILE, "store.log0", "store.log1"];

fn setup() -> Setup {
    Setup::new().guest("probe")
}

/// What each key has: it tells object and key, and fills a good part of a page, so that objects are too large to be held
/// whole and a page in the wrong place is noticed.
fn value(object: usize, key: usize) -> String {
    format!("{object}.{key}.").repeat(2_500)
}

fn fill(host: &Host) {
    for object in 0..OBJECTS {
        let mut connection = host.connect();
        for key in 0..KEYS {
            let path = format!("/probe/{object}/storage/put?key=k{key}");
            assert_eq!(connection.post(&path, value(object, key).as_bytes()).ok(), "ok");
        }
    }
}

/// Reads everything: what is answered with 200 must be right. How many reads were refused.
#[track_caller]
fn read_all(host: &Host) -> usize {
    let mut refused = 0;
    for object in 0..OBJECTS {
        let mut connection = host.connect();
        for key in 0..KEYS {
            let reply = connection.get(&format!("/probe/{object}/storage/get?key=k{key}"));
            match reply.status {
                200 => assert!(reply.text() == value(object, key), "object {object} has a wrong value of key {key}"),
                500 | 503 => {
                    assert!(reply.header("x-request-id").is_some(), "{reply:?}");
                    refused += 1;
                }
                _ => panic!("key {key} of object {object}: {reply:?}"),
            }
        }
    }
    refused
}

/// Changes the file somewhere: a byte, a page, or its end. What was done, for the message of a failure.
fn damage(file: &Path, seed: u64) -> String {
    let mut random = Random::new(seed);
    let len = file.metadata().expect("the store has a file").len();
    let file = OpenOptions::new().read(true).write(true).open(file).expect("the file can be written");
    let page = random.below((len / PAGE_BYTES) as usize) as u64 * PAGE_BYTES;
    let place = page + random.below(PAGE_BYTES as usize) as u64;
    match seed % 4 {
        0 | 1 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, place).expect("it is in the file");
            file.write_all_at(&[byte[0] ^ 0x5a], place).expect("it can be written");
            format!("seed {seed}: another byte at {place} of {len}")
        }
        2 => {
            file.write_all_at(&[0; PAGE_BYTES as usize], page).expect("it can be written");
            format!("seed {seed}: no page at {page} of {len}")
        }
        _ => {
            file.set_len(page).expect("it can be made shorter");
            format!("seed {seed}: no more than {page} of {len} bytes")
        }
    }
}

/// Starts a host on a file that may be damaged: it refuses and says so, or serves nothing wrong. Whether it refused.
fn is_refused(setup: &Setup, what: &str) -> bool {
    match setup.try_start() {
        Ok(host) => {
            read_all(&host);
            let ended = host.stop();
            assert!(ended.status.success(), "{what}: {ended:?}");
            false
        }
        Err(ended) => {
            eprintln!("{what}");
            ended.says(&["cannot use the data directory", "help: "]);
            true
        }
    }
}

fn damage_and_start(end: impl Fn(Host)) {
    let original = setup();
    let host = original.start();
    fill(&host);
    end(host);
    let path = |file: &str| original.data().join(file);
    let sound = FILES.map(|file| std::fs::read(path(file)).expect("the store has these files"));
    let put_back = || {
        for (file, sound) in FILES.iter().zip(&sound) {
            std::fs::write(path(file), sound).expect("the file can be written");
        }
    };
    let mut refused = 0;
    for seed in 0..DAMAGES {
        put_back();
        let what = damage(&path(FILE), seed);
        refused += usize::from(is_refused(&original, &what));
    }
    assert!(refused > 0, "nothing of it was noticed");
    // And without damage everything is there.
    put_back();
    assert_eq!(read_all(&original.start()), 0);
}

#[test]
fn a_store_that_was_damaged_while_it_was_closed_is_refused_or_serves_nothing_wrong() {
    damage_and_start(|host| drop(host.stop()));
}

#[test]
fn a_store_that_was_damaged_in_a_crash_is_refused_or_serves_nothing_wrong() {
    damage_and_start(Host::kill);
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    for content in [&b"x"[..], &[b'x'; 100_000], b"redb\x1a\x0a\xa9\x0d\x0a"] {
        let setup = setup();
        std::fs::create_dir_all(setup.data()).unwrap();
        let file = setup.data().join(FILE);
        std::fs::write(&file, content).unwrap();
        setup.fail().says(&["cannot use the data directory", "help: "]);
        assert_eq!(std::fs::read(&file).unwrap(), content);
    }
}

/// The system keeps the file for those who have it open.
#[test]
fn a_file_that_is_deleted_under_the_host_is_served_until_it_stops() {
    let setup = setup();
    let host = setup.start();
    fill(&host);
    std::fs::remove_file(setup.data().join(FILE)).expect("it is there");
    assert_eq!(read_all(&host), 0);
    for count in 1..=50 {
        assert_eq!(host.get("/probe/other/storage/increment?key=n").number(), count);
    }
    assert_eq!(read_all(&host), 0);
    let ended = host.stop();
    assert!(ended.status.success(), "{ended:?}");
    // Without the rest of it, what follows is a store like on the first day.
    setup.fail().says(&["its files do not belong together", "help: Put back store.redb"]);
    FILES.iter().for_each(|file| std::fs::remove_file(setup.data().join(file)).expect("it is there"));
    assert_eq!(setup.start().get("/probe/other/storage/increment?key=n").number(), 1);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_refused() {
    let Some(disk) = SmallDisk::new(24 << 20) else { return };
    let setup = setup().on(Arc::new(disk));
    let disk = setup.disk().expect("it was given one");
    let host = setup.start();
    assert_eq!(host.get("/probe/A/storage/increment?key=n").number(), 1);
    assert!(host.stop().status.success());

    remount(disk, "ro");
    setup.fail().says(&["cannot use the data directory", "help: "]);
    remount(disk, "rw");
    assert_eq!(setup.start().get("/probe/A/storage/increment?key=n").number(), 2);
}

fn remount(disk: &SmallDisk, mode: &str) {
    let mut command = disk.command("mount");
    command.args(["-o", &format!("remount,{mode}")]).arg(disk.directory());
    let ended: Ended = run(command);
    assert!(ended.status.success(), "{ended:?}");
}

/// Who only reads does not notice, whether what it reads is in memory or has to be fetched; and with room, all write again.
#[test]
fn on_a_full_disk_readers_go_on_and_with_room_all_objects_write_again() {
    let Some(disk) = SmallDisk::new(24 << 20) else { return };
    let disk = Arc::new(disk);
    let setup = setup().with(["--idle-timeout", "200ms"]).on(disk.clone());
    let host = setup.start();
    fill(&host);
    let host = host.restart();
    disk.fill();
    at_once(6, |client| match client {
        0..3 => (0..10).for_each(|_| assert_eq!(read_all(&host), 0, "a reader noticed")),
        _ => {
            for _ in 0..10 {
                let path = format!("/probe/writer-{client}/storage/put-many?count=128&value-len=50000");
                let reply = host.get(&path);
                assert!(matches!(reply.status, 500 | 503), "there was room: {reply:?}");
            }
        }
    });
    disk.free();
    let deadline = Instant::now() + PATIENCE;
    for object in (0..OBJECTS).map(|object| object.to_string()).chain((3..6).map(|writer| format!("writer-{writer}"))) {
        loop {
            let reply = host.get(&format!("/probe/{object}/storage/increment?key=n"));
            if reply.status == 200 {
                assert_eq!(reply.number(), 1, "object {object}");
                break;
            }
            assert!(Instant::now() < deadline, "object {object} does not write again: {}", reply.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let host = host.restart();
    assert_eq!(read_all(&host), 0);
    assert_eq!(host.get("/probe/writer-3/storage/list?prefix=key-").ok(), "", "a refused write is no write");
}
