//! `dohost test`: scripts of requests, on a host of their own.

use crate::host::{Ended, Setup, guest, run};

const GOOD: &str = r#"
[[steps]]
request = "POST /counter/a/increment"
expect = { text = "1" }

[[steps]]
request = "POST /counter/a/rpc/increment"
json = { by = 2 }
expect = { json = 3, headers = { content-type = "application/json" } }

[[steps]]
evict = "counter/a"

[[steps]]
crash = true

[[steps]]
restart = true

[[steps]]
request = "GET /counter/a/value"
expect = { text = "3" }

[[steps]]
request = "GET /counter/a/nothing"
expect = { status = 404 }
"#;

/// Runs scripts of these names against the counter.
fn test<const N: usize>(scripts: [(&str, &str); N], arguments: &[&str]) -> Ended {
    let setup = Setup::new();
    let files = scripts.map(|(name, text)| setup.file(name, text));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dohost"));
    command.arg("test").args(files).arg(format!("--class=counter={}", guest("counter").display())).args(arguments);
    run(command)
}

#[test]
fn a_script_that_is_answered_as_expected_passes() {
    let ended = test([("good.toml", GOOD), ("again.toml", GOOD)], &[]);
    assert!(ended.status.success(), "{ended:#?}");
    assert!(ended.stdout.ends_with("2 passed, 0 failed\n"), "each has data of its own: {ended:#?}");
}

#[test]
fn a_request_is_sent_again_until_the_answer_is_as_expected() {
    let script = |text: &str, within: &str| {
        format!(
            "[[steps]]\nrequest = \"POST /counter/a/increment\"\nwithin = \"{within}\"\nexpect = {{ text = \"{text}\" }}"
        )
    };
    let ended = test([("good.toml", &script("3", "60s"))], &[]);
    assert!(ended.status.success(), "{ended:#?}");
    let ended = test([("bad.toml", &script("none", "300ms"))], &[]);
    assert_eq!(ended.status.code(), Some(1), "{ended:#?}");
}

#[test]
fn an_answer_that_is_not_as_expected_is_shown_with_its_place() {
    let bad = GOOD.replace(r#"text = "3""#, r#"text = "4""#);
    let ended = test([("bad.toml", &bad), ("good.toml", GOOD)], &[]);
    assert_eq!(ended.status.code(), Some(1), "{ended:#?}");
    for text in ["bad.toml:20:1: GET /counter/a/value", r#"text: expected "4", got "3""#, "1 passed, 1 failed", "log: "]
    {
        assert!(ended.stdout.contains(text), "it does not say {text:?}: {ended:#?}");
    }
}

#[test]
fn results_are_json_for_programs() {
    let ended = test([("bad.toml", "[[steps]]\nrequest = \"GET /counter/a/nothing\"")], &["--json"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:#?}");
    assert!(ended.stdout.contains(r#""passed":false"#), "{ended:#?}");
    assert!(ended.stdout.contains("status: expected 200 OK, got 404 Not Found"), "{ended:#?}");
}

#[test]
fn scripts_beside_the_configuration_are_run() {
    let setup = Setup::new().with_config();
    setup.file("dohost.toml", format!("[classes.counter]\ncomponent = {:?}", guest("counter")));
    setup.run(&["test"]).says(&["there are no scripts", "help: write one"]);
    std::fs::create_dir(setup.directory().join("tests")).expect("a directory");
    setup.file("tests/counter.toml", GOOD);
    setup.file("tests/README.md", "not a script");
    let ended = setup.run(&["test"]);
    assert!(ended.stdout.ends_with("1 passed, 0 failed\n"), "{ended:#?}");
}

#[test]
fn a_host_that_does_not_start_is_an_error() {
    let setup = Setup::new();
    let script = setup.file("good.toml", GOOD).display().to_string();
    let ended = setup.run(&["test", &script, "--class", "counter=nothing.wasm"]);
    assert_eq!(ended.status.code(), Some(1), "{ended:#?}");
    assert!(ended.stderr.contains("the host did not start"), "{ended:#?}");
    assert!(ended.stderr.contains("nothing.wasm"), "{ended:#?}");
}

#[test]
fn mistakes_in_a_script_are_shown_before_anything_runs() {
    let ended = test([("bad.toml", "[[steps]]\nrequest = \"GET\"\n[[steps]]\nevict = \"a\"")], &[]);
    ended.says(&["bad.toml:2:11: a request is a method and a path", "bad.toml:4:9: an object is given as CLASS/NAME"]);
}
