//! Migrations of classes, declared in `dohost.toml` and applied by a start.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use crate::host::{Ended, Host, Setup, dohost, guest};

/// A set-up in whose directory everything is, with classes and migrations as given.
fn setup() -> Setup {
    Setup::new().in_its_directory().with_config()
}

fn write(setup: &Setup, classes: &[&str], migrations: &str) {
    let mut toml = String::from("listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\n");
    for class in classes {
        toml += &format!("[classes.{class}]\ncomponent = \"{}\"\n", guest("probe").display());
    }
    setup.file("dohost.toml", toml + migrations);
}

fn start(setup: &Setup, classes: &[&str], migrations: &str) -> Host {
    write(setup, classes, migrations);
    setup.start()
}

fn check(setup: &Setup) -> Ended {
    let file = setup.directory().join("dohost.toml");
    dohost(["check", "--config", file.to_str().unwrap()])
}

fn classes(setup: &Setup) -> Vec<(String, u64)> {
    let data = setup.directory().join("data");
    let ended = dohost(["objects", "list", "--json", "--data-dir", data.to_str().unwrap()]);
    let classes: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    let class =
        |class: &serde_json::Value| (class["name"].as_str().unwrap().to_string(), class["objects"].as_u64().unwrap());
    classes["classes"].as_array().unwrap().iter().map(class).collect()
}

fn id_of(host: &Host, path: &str) -> String {
    host.get(&format!("/{path}/state")).lines()[0].to_string()
}

const RENAME: &str = "[[migrations]]\ntag = \"v1\"\nrenamed_classes = [{ from = \"Old\", to = \"New\" }]\n";
const DELETE: &str = "[[migrations]]\ntag = \"v1\"\ndeleted_classes = [\"Old\"]\n";

#[test]
fn a_renamed_class_keeps_ids_and_data_and_check_says_so_before() {
    let setup = setup();
    let host = start(&setup, &["Old"], "");
    host.get("/Old/A/storage/put?key=k&value=kept").ok();
    let id = id_of(&host, "Old/A");
    write(&setup, &["New"], RENAME);
    let checked = check(&setup);
    assert!(checked.stdout.contains("migration v1 renames the class Old to New"), "asked of the host: {checked:?}");
    assert!(host.stop().status.success());
    assert_eq!(check(&setup).stdout, checked.stdout, "and read from the data directory");
    let host = start(&setup, &["New"], RENAME);
    assert_eq!(host.get("/New/A/storage/get?key=k").ok(), "kept");
    assert_eq!(id_of(&host, "New/A"), id);
    assert!(!check(&setup).stdout.contains("renames"), "it was applied");
    let host = host.kill_and_start();
    assert_eq!(host.get("/New/A/storage/get?key=k").ok(), "kept");
    assert!(host.stop().status.success());
    write(&setup, &["New"], &RENAME.replace("\"New\"", "\"Newer\""));
    setup
        .fail()
        .says(&["the migration v1 was applied already, and did something else then", "help: leave it as it was"]);
}

#[test]
fn a_deletion_is_refused_until_it_is_allowed_and_says_what_would_go() {
    let setup = setup();
    let host = start(&setup, &["Old", "Other"], "");
    host.get("/Old/A/storage/put?key=k&value=gone").ok();
    host.get("/Other/A/storage/put?key=k&value=kept").ok();
    assert!(host.stop().status.success());
    write(&setup, &["Other"], DELETE);
    setup.fail().says(&["a migration would delete objects: Old (1 object, 5 bytes)", "--allow-delete"]);
    let refused = check(&setup);
    assert_eq!(refused.status.code(), Some(1), "as the start");
    let checked = refused.stdout;
    assert!(checked.contains("deletes the class Old with 1 object, 5 bytes") && checked.contains("--allow-delete"));
    assert_eq!(classes(&setup), [("Old".into(), 1), ("Other".into(), 1)]);
    let host = setup.clone().with(["--allow-delete"]).start();
    assert_eq!(classes(&setup), [("Other".into(), 1)]);
    assert_eq!(host.get("/Other/A/storage/get?key=k").ok(), "kept");
    assert!(host.stop().status.success());
    let host = start(&setup, &["Old", "Other"], DELETE);
    assert_eq!(host.get("/Old/A/storage/get?key=k").status, 404, "a class of that name begins anew");
}

#[test]
fn a_class_with_objects_that_nobody_serves_is_named_and_the_host_serves() {
    let setup = setup();
    let host = start(&setup, &["Old"], "");
    host.get("/Old/A/storage/put?key=k&value=v").ok();
    assert!(host.stop().status.success());
    let host = start(&setup, &["New"], "");
    host.log_with("a class has objects and is not served");
    assert_eq!(classes(&setup), [("New".into(), 0), ("Old".into(), 1)]);
}

#[test]
fn a_large_deletion_survives_kill_9_and_harms_nobody() {
    let setup = setup();
    let host = start(&setup, &["Old", "Other"], "");
    for object in 0..30 {
        host.get(&format!("/Old/{object}/storage/fill?count=2000&value-len=100")).ok();
    }
    host.get("/Other/A/storage/put?key=k&value=kept").ok();
    assert!(host.stop().status.success());
    write(&setup, &["Other"], DELETE);
    let setup = setup.with(["--allow-delete"]);
    for _ in 0..4 {
        // Killed as soon as it serves, while rows are still being removed.
        setup.start().kill();
    }
    let host = setup.start();
    assert_eq!(host.get("/Other/A/storage/get?key=k").ok(), "kept");
    assert_eq!(classes(&setup), [("Other".into(), 1)]);
}

#[test]
fn a_transfer_survives_kill_9_at_any_time() {
    let (there, here) = (setup(), setup());
    let host = start(&there, &["Room", "Rest"], "");
    for object in 0..20 {
        host.get(&format!("/Room/{object}/storage/fill?count=1000&value-len=200")).ok();
    }
    host.get("/Room/A/storage/put?key=k&value=kept").ok();
    host.get("/Rest/A/storage/put?key=k&value=stays").ok();
    let id = id_of(&host, "Room/A");
    let from = there.directory().join("data");
    let transfer = format!(
        "[[migrations]]\ntag = \"v1\"\ntransferred_classes = [{{ from = \"Room\", from_data_dir = {from:?}, to = \"Hall\" }}]\n"
    );
    write(&here, &["Hall"], &transfer);
    here.fail().says(&["the migration v1 transfers Room from", "another process has it open", "help: "]);
    assert!(host.stop().status.success());

    let mut was_killed_in_between = false;
    for round in 0..12 {
        let mut child = here.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // What is loaded is served next, after the transfer.
        let log = BufReader::new(child.stderr.take().unwrap());
        assert!(log.lines().map_while(Result::ok).any(|line| line.contains("loaded")), "it ended before");
        std::thread::sleep(Duration::from_millis(8 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let names: Vec<String> = classes(&there).into_iter().map(|(name, _)| name).collect();
        was_killed_in_between |= !names.contains(&"Room".to_string());
        let is_here =
            here.directory().join("data/store.redb").exists() && classes(&here).contains(&("Hall".into(), 21));
        assert!(!(is_here && names.contains(&"Room".to_string())), "live in both");
    }
    assert!(was_killed_in_between, "no kill came after it had begun");
    let host = start(&here, &["Hall"], &transfer);
    assert_eq!(host.get("/Hall/A/storage/get?key=k").ok(), "kept");
    assert_eq!(id_of(&host, "Hall/A"), id);
    assert_eq!(classes(&here), [("Hall".into(), 21)]);
    for object in 0..20 {
        let lines = host.get(&format!("/Hall/{object}/storage/list")).ok().lines().count();
        assert_eq!(lines, 1000, "object {object}");
    }
    write(&there, &["Rest"], "");
    assert_eq!(there.start().get("/Rest/A/storage/get?key=k").ok(), "stays");
    write(&there, &["Room", "Rest"], "");
    there.fail().says(&["register the class Room: it was transferred to another data directory"]);
}
