//! `dohost dev`: what changes is built and served, what is stored stays.

use std::time::Instant;

use crate::host::{Host, PATIENCE, Setup, guest};

const COPIED: &str = r#"
[build]
command = "test -e source.wasm && cp source.wasm built.wasm"
watch_dir = ["source.wasm"]

[classes.app]
component = "built.wasm"
"#;

fn put(setup: &Setup, name: &str) {
    // By way of a rename, so that the build never reads half a component.
    let whole = setup.file("whole", std::fs::read(guest(name)).expect("the guest was built"));
    std::fs::rename(whole, setup.directory().join("source.wasm")).expect("a file is renamed");
}

fn setup(toml: &str) -> Setup {
    let setup = Setup::new().with_config().dev();
    setup.file("dohost.toml", toml);
    setup
}

/// Waits until a request gets this status.
fn wait_for(host: &Host, path: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while host.get(path).status != status {
        assert!(Instant::now() < deadline, "{path} never gives {status}:\n{}", host.log());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn what_changes_is_built_and_served_and_what_is_stored_stays() {
    let setup = setup(COPIED);
    put(&setup, "counter");
    let host = setup.start();
    assert_eq!(host.get("/app/A/increment").number(), 1);
    assert_eq!(host.get("/app/A/steps?do=memory").status, 404, "the counter knows no steps");
    put(&host.setup, "probe");
    wait_for(&host, "/app/A/steps?do=memory", 200);
    put(&host.setup, "counter-sync");
    wait_for(&host, "/app/A/steps?do=memory", 404);
    assert_eq!(host.get("/app/A/value").number(), 1);
    let log = host.log();
    assert!(log.contains("source.wasm changed"), "{log}");
    assert!(log.contains("building: test -e source.wasm"), "{log}");
    assert!(log.contains("access: answered"), "each request is shown: {log}");
    assert!(host.stop().status.success());
}

#[test]
fn a_build_that_fails_changes_nothing() {
    let setup = setup(COPIED);
    put(&setup, "counter");
    let host = setup.start();
    assert_eq!(host.get("/app/A/increment").number(), 1);
    host.setup.file("source.wasm", "no component");
    host.log_with("the old code goes on");
    assert_eq!(host.get("/app/A/increment").number(), 2);
    std::fs::remove_file(host.setup.directory().join("source.wasm")).expect("it is there");
    host.log_with("the build failed: test -e source.wasm");
    assert_eq!(host.get("/app/A/increment").number(), 3);
    host.setup.file("dohost.toml", "[build]\ncomand = \"\"");
    host.log_with("there is no key comand here");
    host.setup.file("dohost.toml", COPIED);
    put(&host.setup, "counter-sync");
    host.log_with("new code for app");
    assert_eq!(host.get("/app/A/increment").number(), 4);
}

#[test]
fn components_that_something_else_builds_are_followed() {
    let setup = setup("[classes.app]\ncomponent = \"target/source.wasm\"");
    std::fs::create_dir(setup.directory().join("target")).expect("a directory");
    let replace = |name: &str| {
        let whole = setup.file("whole", std::fs::read(guest(name)).expect("the guest was built"));
        std::fs::rename(whole, setup.directory().join("target/source.wasm")).expect("a file is renamed");
    };
    replace("counter");
    let host = setup.start();
    replace("probe");
    wait_for(&host, "/app/A/steps?do=memory", 200);
}

#[test]
fn a_class_that_goes_takes_a_restart_which_comes_by_itself() {
    let two = format!("{COPIED}\n[classes.other]\ncomponent = \"built.wasm\"\n");
    let setup = setup(&two);
    put(&setup, "counter");
    let mut host = setup.start();
    assert_eq!((host.get("/app/A/increment").number(), host.get("/other/A/increment").number()), (1, 1));
    host.setup.file("dohost.toml", COPIED);
    host.log_with("the class other is served and not in the configuration any more: restarting");
    host.is_ready_again();
    assert_eq!(host.get("/app/A/increment").number(), 2);
    assert_eq!(host.get("/other/A/increment").status, 404);
    put(&host.setup, "probe");
    wait_for(&host, "/app/A/steps?do=memory", 200);
    assert!(host.stop().status.success());
}

#[test]
fn it_waits_for_a_first_build_that_works() {
    let setup = setup(COPIED);
    let late = setup.clone();
    let waiting = std::thread::spawn(move || late.start());
    // Long enough for it to have looked, whether it has or not.
    std::thread::sleep(std::time::Duration::from_millis(500));
    put(&setup, "counter");
    let host = waiting.join().expect("it starts");
    assert_eq!(host.get("/app/A/increment").number(), 1);
}
