//! New code for a host that runs: objects move to it between their events, and nobody outside notices.

use std::ffi::OsStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::host::{Ended, Host, Setup, dohost, guest};
use crate::http::at_once;
use crate::outside::Outside;
use crate::script::{Script, ask, let_arrive, line, notes};

/// What is logged when all went well.
const DEPLOYED: &str = "deployed: ";
/// What is logged when it did not.
const NOT_DEPLOYED: &str = "not deployed, everything is as it was";

/// A host whose class `app` is a file that can be replaced.
fn start_with<const N: usize>(guest: &str, arguments: [&str; N]) -> (Outside, Host) {
    let outside = Outside::new();
    let setup = Setup::new();
    let app = replace_app(&setup, guest);
    let setup = setup.guest("probe").with([format!("--class=app={app}")]).with(arguments);
    let host = outside.allowed(setup).start();
    (outside, host)
}

fn start(guest: &str) -> (Outside, Host) {
    start_with(guest, [])
}

pub fn replace_app(setup: &Setup, name: &str) -> String {
    replace_app_by_version(setup, name, 0)
}

/// A component that is another one and does the same: it has one more custom section.
pub fn replace_app_by_version(setup: &Setup, name: &str, version: u8) -> String {
    let mut bytes = std::fs::read(guest(name)).expect("the guest was built");
    let (custom, section) = (0, [1, b'v', version]);
    bytes.extend([custom, section.len() as u8]);
    bytes.extend(section);
    setup.file("app.wasm", bytes).display().to_string()
}

/// Asks for a deploy of such a component and waits until an object moves to try it, which it does when it is free.
fn begin_to_deploy(host: &Host, name: &str) {
    replace_app_by_version(&host.setup, name, 1);
    host.signal("HUP");
    host.log_with("moves to the new code to try it");
}

/// Asks for a deploy and gives what is logged until it says this once more.
fn deploy(host: &Host, says: &str) -> String {
    let count = |log: &str| log.matches(says).count();
    let before = count(&host.log());
    host.signal("HUP");
    let deadline = std::time::Instant::now() + crate::host::PATIENCE;
    while count(&host.log()) == before {
        assert!(std::time::Instant::now() < deadline, "{says:?} is not in the log again:\n{}", host.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    host.log()
}

/// Runs `dohost deploy` for the host.
fn deploy_by_command(host: &Host, arguments: &[&str]) -> Ended {
    let data = host.setup.data();
    let arguments = ["deploy".as_ref(), "--data-dir".as_ref(), data.as_os_str()]
        .into_iter()
        .chain(arguments.iter().map(OsStr::new));
    dohost(arguments)
}

#[test]
fn objects_that_are_resident_move_to_the_new_code_and_keep_what_they_stored() {
    let (_outside, host) = start("counter");
    assert_eq!(host.get("/app/A/increment").number(), 1);
    assert_eq!(host.get("/app/A/steps?do=memory").status, 404, "the counter knows no steps");
    replace_app(&host.setup, "probe");
    // The counter has methods and the probe has none.
    let forced = deploy_by_command(&host, &["--force"]);
    assert_eq!(forced.status.code(), Some(0), "{forced:?}");
    assert!(forced.stdout.contains("deployed: new code for app; tried by app/A"), "{forced:?}");
    assert_eq!(line(&host, "app/A", "memory"), "1");
    assert_eq!(host.get("/app/B/storage/increment?key=n").number(), 1, "others start with it too");
    replace_app(&host.setup, "counter");
    deploy(&host, DEPLOYED);
    assert_eq!(host.get("/app/A/increment").number(), 2);
}

#[test]
fn a_deploy_under_load_fails_no_request_and_closes_no_connection() {
    let (_outside, host) = start("probe");
    let has_ended = AtomicBool::new(false);
    let counts = at_once(9, |client| {
        if client == 8 {
            for version in 1..=5 {
                std::thread::sleep(Duration::from_millis(100));
                replace_app_by_version(&host.setup, "probe", version);
                deploy(&host, DEPLOYED);
            }
            has_ended.store(true, Ordering::Relaxed);
            return 0;
        }
        // Each on one connection. Some share an object, the others have one of their own, where events wait.
        let (mut connection, mut count) = (host.connect(), 0);
        let path = match client {
            0..4 => format!("/app/{}/storage/increment?key=n", client / 2),
            _ => format!("/app/{client}/storage/increment?key=n&pause=true"),
        };
        while !has_ended.load(Ordering::Relaxed) {
            connection.get(&path).number();
            count += 1;
        }
        count
    });
    assert!(counts[..8].iter().all(|count| *count > 5), "{counts:?}");
    let number = |object: usize| host.get(&format!("/app/{object}/storage/get?key=n")).number();
    assert_eq!([number(0), number(1)], [counts[0] + counts[1], counts[2] + counts[3]], "{counts:?}");
    assert_eq!([4, 5, 6, 7].map(number), counts[4..8], "{counts:?}");
}

#[test]
fn what_runs_is_finished_by_the_old_code_and_what_waits_goes_to_the_new() {
    let (outside, host) = start("probe");
    assert_eq!(line(&host, "app/A", "memory"), "1");
    let running = Script::of("app/A").does(&["fetch a", "memory"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    begin_to_deploy(&host, "probe");
    let waiting = ask(&host, "/app/A/steps?do=memory");
    let_arrive(&host);
    outside.release("a");
    assert_eq!(running.lines()[1], "2");
    assert_eq!(waiting.lines(), ["1"]);
    host.log_with(DEPLOYED);
}

#[test]
fn a_call_that_a_running_event_waits_for_is_let_in_while_the_object_moves() {
    let (outside, host) = start("probe");
    let back = Script::of("app/A").does(&["memory"]).as_call();
    let through = Script::of("probe/between").does(&[&back]).as_call();
    let running = Script::of("app/A").does(&["memory", "fetch a", &through, "memory"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    begin_to_deploy(&host, "probe");
    outside.release("a");
    let lines = running.lines();
    assert_eq!((lines[0].as_str(), lines[3].as_str()), ("1", "3"), "{lines:?}");
    assert!(lines[2].contains('2'), "the same instance answered: {lines:?}");
    host.log_with(DEPLOYED);
}

#[test]
fn an_object_that_does_not_finish_is_reset_after_the_drain_timeout() {
    let (outside, host) = start_with("probe", ["--drain-timeout", "500ms"]);
    let running = Script::of("app/A").does(&["fetch never"]).outside(&outside).ask(&host);
    outside.wait_for("never");
    replace_app_by_version(&host.setup, "probe", 1);
    deploy(&host, DEPLOYED);
    let reply = running.reply();
    assert_eq!(reply.status, 500);
    host.log_with("its code was updated");
    assert_eq!(line(&host, "app/A", "memory"), "1");
}

#[test]
fn what_is_no_component_leaves_the_old_code_serving() {
    let (_outside, host) = start("probe");
    assert_eq!(line(&host, "app/A", "memory"), "1");
    host.setup.file("app.wasm", "no component");
    let log = deploy(&host, NOT_DEPLOYED);
    assert!(log.contains("is not a WebAssembly component"), "{log}");
    assert_eq!(line(&host, "app/A", "memory"), "2", "and the object is the same");
}

#[test]
fn code_that_cannot_construct_a_resident_object_is_rejected() {
    let (_outside, host) = start("probe");
    for object in ["throws-9", "B", "C"] {
        assert_eq!(line(&host, &format!("app/{object}"), "memory"), "1");
    }
    // So that the one which will throw is the one that tries the new code.
    std::thread::sleep(Duration::from_millis(20));
    for object in ["B", "C"] {
        assert_eq!(line(&host, &format!("app/{object}"), "memory"), "2");
    }
    replace_app(&host.setup, "constructed");
    let log = deploy(&host, NOT_DEPLOYED);
    assert!(log.contains("app/throws-9 did not start with the new code: construction 1 threw"), "{log}");
    assert_eq!(line(&host, "app/throws-9", "memory"), "1", "it moved there and back");
    assert_eq!(line(&host, "app/B", "memory"), "3", "the others did not move");
    assert_eq!(line(&host, "app/D", "memory"), "1", "a new one has the old code");
    assert_eq!(host.get("/app/throws-9/storage/get?key=left-behind").status, 404, "what it wrote is gone");
}

#[test]
fn events_of_the_object_that_tries_code_in_vain_do_not_notice() {
    let (outside, host) = start("probe");
    let running = Script::of("app/throws-9").does(&["note old", "fetch a"]).outside(&outside).ask(&host);
    outside.wait_for("a");
    begin_to_deploy(&host, "constructed");
    let waiting: Vec<_> = (0..8).map(|n| ask(&host, &format!("/app/throws-9/steps?do=note%20{n}"))).collect();
    let_arrive(&host);
    outside.release("a");
    assert_eq!(running.reply().status, 200);
    for asked in waiting {
        assert_eq!(asked.lines(), ["ok"]);
    }
    host.log_with(NOT_DEPLOYED);
    let mut noted = notes(&host, "app/throws-9");
    noted.sort();
    assert_eq!(noted, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn without_resident_objects_the_first_to_start_decides() {
    let (_outside, host) = start("probe");
    replace_app(&host.setup, "constructed");
    let log = deploy(&host, DEPLOYED);
    assert!(log.contains("the first object of app to start will try it"), "{log}");
    assert_eq!(line(&host, "app/traps-9", "memory"), "1", "it was answered by the old code");
    host.log_with("the new code was rejected");
    assert_eq!(line(&host, "app/traps-9", "memory"), "2");
}

#[test]
fn once_code_has_proved_itself_an_object_that_fails_fails_alone() {
    let (_outside, host) = start("probe");
    assert_eq!(line(&host, "app/A", "memory"), "1");
    replace_app(&host.setup, "constructed");
    deploy(&host, DEPLOYED);
    assert_eq!(host.get("/app/throws-1/constructions").status, 500);
    assert_eq!(host.get("/app/A/constructions").number(), 1);
    assert!(!host.log().contains("rejected"), "{}", host.log());
}

#[test]
fn a_deploy_of_what_is_served_already_moves_nothing() {
    let (_outside, host) = start("probe");
    assert_eq!(line(&host, "app/A", "memory"), "1");
    deploy(&host, "deployed: nothing has changed");
    assert_eq!(line(&host, "app/A", "memory"), "2");
}

/// A host that serves what `dohost.toml` says; the guests lie beside it.
fn configured(toml: &str) -> Host {
    let setup = Setup::new().with_config();
    for name in ["ensemble", "counter", "probe"] {
        setup.file(&format!("{name}.wasm"), std::fs::read(guest(name)).expect("the guest was built"));
    }
    setup.file("dohost.toml", toml);
    setup.start()
}

const COUNTER: &str = "[classes.Counter]\ncomponent = \"counter.wasm\"\n";

#[test]
fn what_is_new_in_the_configuration_is_served_and_what_needs_a_restart_is_named() {
    let host = configured(COUNTER);
    let mut connection = host.connect();
    assert_eq!(connection.get("/Counter/A/increment").number(), 1);
    assert_eq!(connection.get("/role").status, 404);
    let (worker, class) = (
        "[workers.front]\ncomponent = \"ensemble.wasm\"\nroutes = [\"/role\", \"/environment\"]\nvars = { GREETING = \"hi\" }\n",
        "[classes.New]\ncomponent = \"ensemble.wasm\"\n",
    );
    host.setup.file("dohost.toml", format!("idle_timeout = \"99s\"\n{COUNTER}{class}{worker}"));
    let log = deploy(&host, DEPLOYED);
    assert!(log.contains("other Workers; at the next start: idle_timeout"), "{log}");
    assert_eq!(connection.get("/role").ok(), "worker", "on the connection that was there");
    assert_eq!(connection.get("/New/B/role").ok(), "object New B");
    assert_eq!(connection.get("/Counter/A/increment").number(), 2);

    host.setup.file("dohost.toml", format!("{COUNTER}{class}{}", worker.replace("\"hi\"", "\"hello\"")));
    deploy(&host, DEPLOYED);
    assert!(connection.get("/environment").ok().contains("GREETING=hello"));
}

#[test]
fn what_a_running_host_cannot_take_is_refused() {
    let both = format!("{COUNTER}[classes.Other]\ncomponent = \"counter.wasm\"\n");
    let host = configured(&both);
    for (toml, says) in [
        (COUNTER.to_string(), "the class Other is served and not in the configuration any more"),
        (format!("[limits]\nmemory = \"256MiB\"\n{both}"), "the limit memory is over the highest one"),
        (format!("{both}[[migrations]]\ntag = \"v1\"\nnew_classes = [\"Counter\"]\n"), "the migrations have changed"),
        (format!("{both}[classes.Bad]\ncomponent = \"nowhere.wasm\"\n"), "nowhere.wasm"),
        (format!("{both}colour = \"red\"\n"), "colour"),
    ] {
        host.setup.file("dohost.toml", toml);
        let log = deploy(&host, NOT_DEPLOYED);
        let line = log.lines().rfind(|line| line.contains(NOT_DEPLOYED)).unwrap_or_default();
        assert!(log[log.find(line).unwrap_or(0)..].contains(says), "{says}: {log}");
    }
    assert_eq!(host.get("/Other/A/increment").number(), 1);
}

#[test]
fn a_worker_that_does_not_start_leaves_the_old_one_serving() {
    let routes = "routes = [\"/*\"]\n";
    let toml = format!("{COUNTER}[workers.front]\ncomponent = \"ensemble.wasm\"\n{routes}");
    let host = configured(&toml);
    assert_eq!(host.get("/role").ok(), "worker");
    // No instance has so little memory.
    host.setup.file("dohost.toml", format!("{toml}[workers.front.limits]\nmemory = \"64KiB\"\n"));
    let log = deploy(&host, NOT_DEPLOYED);
    assert!(log.contains("the Worker front does not start"), "{log}");
    assert_eq!(host.get("/role").ok(), "worker");
}

#[test]
fn a_deploy_that_breaks_callers_of_methods_is_refused_unless_it_is_forced() {
    let (_outside, host) = start("counter");
    assert_eq!(host.get("/app/A/increment").number(), 1);
    replace_app(&host.setup, "counter-sync");
    let refused = deploy_by_command(&host, &[]);
    refused.says(&[
        "the new code breaks callers of its methods",
        "app: ",
        "the method is gone",
        "dohost deploy --force",
    ]);
    let log = deploy(&host, NOT_DEPLOYED);
    assert!(log.contains("breaks callers"), "a signal does not force it: {log}");
    assert_eq!(host.get("/app/A/increment").number(), 2);
    assert_eq!(deploy_by_command(&host, &["--force"]).status.code(), Some(0));
    assert_eq!(host.get("/app/A/increment").number(), 3);
    assert_eq!(
        host.connect().send("POST", "/app/A/rpc/increment", &[("content-type", "application/json")], b"[]").status,
        404
    );
    replace_app(&host.setup, "counter");
    assert_eq!(deploy_by_command(&host, &[]).status.code(), Some(0), "new methods break nobody");
}

#[test]
fn the_command_says_why_nothing_was_deployed() {
    let (_outside, host) = start("probe");
    host.setup.file("app.wasm", "no component");
    deploy_by_command(&host, &[]).says(&["is not a WebAssembly component"]);
    let setup = host.setup.clone();
    host.stop();
    let data = setup.data();
    let alone = dohost(["deploy".as_ref(), "--data-dir".as_ref(), data.as_os_str()]);
    alone.says(&["no host runs on the data directory"]);
}

#[test]
fn a_deploy_takes_the_place_of_one_that_nobody_has_tried_to_the_end() {
    let (_outside, host) = start("probe");
    replace_app(&host.setup, "constructed");
    deploy(&host, "the first object of app to start will try it");
    let waiting = ask(&host, "/app/sleeps-1500/steps?do=memory");
    // It is being constructed with the first code, which does not know those steps.
    std::thread::sleep(Duration::from_millis(300));
    replace_app_by_version(&host.setup, "probe", 1);
    deploy(&host, DEPLOYED);
    assert_eq!(waiting.lines(), ["1"], "the event went to the second code");
    assert_eq!(line(&host, "app/X", "memory"), "1");
    assert_eq!(line(&host, "app/sleeps-1500", "memory"), "2");
    assert!(!host.log().contains("the new code was rejected"), "{}", host.log());
}
