//! The Autobahn cases for WebSockets, which others wrote, through the runner `kosoku`: `cargo xtask autobahn`.
//!
//! The runner knows a host and no path, so a Worker in front passes everything on to one object. Cases 12 and 13 are about
//! compression, which is not offered.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use crate::host::{Host, Setup, dohost, run};

/// Names the runner.
const KOSOKU: &str = "DOHOST_KOSOKU";

/// Cases, without 9 (large messages), 12 and 13.
const CASES: usize = 247;
const LARGE_CASES: usize = 54;

const FRONT: &str = "export default { fetch(request, env) { return env.SOCKETS.getByName('a').fetch(request); } };";

fn start() -> Host {
    let setup = Setup::new().guest("sockets");
    let front = setup.file("front.js", FRONT);
    setup.with(["--worker".into(), front]).start()
}

/// Runs cases, all of which must pass.
#[track_caller]
fn all_pass(host: &Host, selection: &[&str], count: usize) {
    let mut command = Command::new(std::env::var(KOSOKU).expect("cargo xtask autobahn says where the runner is"));
    command.args(selection).arg("-o").arg(host.setup.directory().join("report")).arg(&host.address);
    let ended = run(command);
    assert!(ended.status.success() && ended.stdout.contains(&format!("{count} cases passed")), "{ended:?}");
}

/// Says so when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const USUAL: [&str; 6] = ["-x", "9.*", "-x", "12.*", "-x", "13.*"];

#[test]
#[ignore = "needs a runner from PyPI: cargo xtask autobahn"]
fn all_cases_pass() {
    let host = start();
    all_pass(&host, &USUAL, CASES);
    all_pass(&host, &["-i", "9.*"], LARGE_CASES);
}

#[test]
#[ignore = "needs a runner from PyPI: cargo xtask autobahn"]
fn all_cases_pass_while_the_object_is_evicted() {
    let host = start();
    let data = host.setup.data();
    let (is_over, evicted) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let ended = dohost(["objects", "--data-dir", data.to_str().unwrap(), "evict", "sockets/a"]);
                if ended.stdout == "evicted\n" {
                    evicted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        // Also if this panics.
        let _over = Over(&is_over);
        all_pass(&host, &USUAL, CASES);
    });
    let evicted = evicted.into_inner();
    assert!(evicted > 50, "the object was evicted {evicted} times only");
}
