//! The command line: help, the ready line, and logs where logs belong.

use std::path::Path;

use crate::host::{Setup, dohost, run};

#[test]
fn help_says_what_it_is_and_what_it_can_do() {
    for flag in ["--help", "-h"] {
        let ended = dohost([flag]);
        assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
        for text in
            ["Durable Objects on a machine you own", "Usage: dohost <COMMAND>", "serve", "Serve objects over HTTP"]
        {
            assert!(ended.stdout.contains(text), "{text:?} is not in {}", ended.stdout);
        }
    }
    assert!(dohost(["--version"]).stdout.starts_with("dohost 0."));
}

#[test]
fn help_for_serve_shows_examples() {
    let ended = dohost(["serve", "--help"]);
    assert_eq!(ended.status.code(), Some(0));
    for text in [
        "Examples:",
        "dohost serve counter.wasm\n",
        "dohost serve counter.wasm --worker tutorial.wasm",
        "/{class}/{name}/{path}",
        "--listen",
        "[default: 127.0.0.1:8787]",
        "--data-dir",
        "--idle-timeout",
        "--log-format",
    ] {
        assert!(ended.stdout.contains(text), "{text:?} is not in {}", ended.stdout);
    }
    assert!(dohost(["serve", "-h"]).stdout.contains("`dohost serve --help` shows examples."));
}

#[test]
fn arguments_that_make_no_sense_are_exit_code_2() {
    for arguments in
        [&["nope"][..], &["serve", "--nope"], &["serve", "--listen", "here"], &["serve", "--threads", "0"], &[]]
    {
        let ended = dohost(arguments);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stdout.is_empty() && !ended.stderr.is_empty(), "{ended:?}");
    }
    let ended = Setup::new().guest("counter").with(["--log", "a=b=c"]).fail();
    ended.says(&["cannot read the log filter \"a=b=c\"", "help: give a level"]);
}

#[test]
fn the_ready_line_says_where_what_and_with_which_data() {
    let setup = Setup::new().guest("counter").class("room", "probe");
    let host = setup.start();
    let (data, port) = (setup.data(), host.address.strip_prefix("127.0.0.1:").expect("an address with a port"));
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0));
    let expected = format!("dohost serves http://127.0.0.1:{port} · classes: counter, room · data: {}", data.display());
    assert_eq!(host.ready_line, expected);
    assert!(data.is_dir());
}

#[test]
fn stdout_has_nothing_but_the_ready_line() {
    let host = Setup::new().guest("probe").with(["--log", "trace"]).start();
    for path in ["state", "trap", "exception?message=x", "storage/increment?key=n"] {
        host.get(&format!("/probe/A/{path}"));
    }
    host.get("/nope");
    // The ready line was read before; these are the rest.
    assert_eq!(host.stop().stdout, "");
}

#[test]
fn a_json_log_is_one_object_per_line() {
    let host = Setup::new().guest("probe").with(["--log-format", "json", "--log", "info,access=debug"]).start();
    for path in ["state", "trap", "recurse", "exception?message=a%0Ab%22c"] {
        host.get(&format!("/probe/A/{path}"));
    }
    let stderr = host.stop().stderr;
    let lines: Vec<serde_json::Value> = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(lines.len() > 5, "{stderr}");
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "no {field}: {line}");
        }
    }
    let answered: Vec<_> = lines.iter().filter(|line| line["target"] == "access").collect();
    assert_eq!(answered.len(), 4, "{stderr}");
    assert!(answered.iter().all(|line| line["status"].is_u64() && line["uri"].is_string()), "{answered:?}");
}

#[test]
fn a_text_log_has_no_colours_when_it_goes_to_a_pipe() {
    let host = Setup::new().guest("probe").start();
    host.get("/probe/A/trap");
    assert!(!host.stop().stderr.contains('\u{1b}'));
}

#[test]
fn the_environment_sets_what_arguments_do_not() {
    let setup = Setup::new().guest("counter").with(["--log", "off"]);
    let host = setup.start();
    host.get("/counter/A/increment");
    assert_eq!(host.stop().stderr, "", "nothing is logged");
    // An argument is stronger than the environment; a bad value in there shows that it is read at all.
    let mut command = std::process::Command::new("env");
    command.args(["DOHOST_LISTEN=nowhere", env!("CARGO_BIN_EXE_dohost"), "serve", "counter.wasm"]);
    let ended = run(command);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("nowhere"), "{ended:?}");
}

#[test]
fn data_goes_where_it_is_told_and_nowhere_else() {
    let setup = Setup::new().guest("counter");
    let host = setup.start();
    host.get("/counter/A/increment");
    let files = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(files(setup.directory()), ["data"]);
    assert_eq!(files(&setup.data()), ["management.sock", "store.log0", "store.log1", "store.redb"]);
    use std::os::unix::fs::PermissionsExt;
    for file in ["store.log0", "store.log1", "store.redb"] {
        let mode = std::fs::metadata(setup.data().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "what objects store is nobody else's business");
    }
}
