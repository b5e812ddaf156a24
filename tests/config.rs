//! `dohost.toml`: what it says is served, what the command line says wins, and what is wrong is said with its place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::host::{Ended, Host, Setup, dohost, guest};
use crate::http::{Reply, raw};

/// A set-up whose directory has this `dohost.toml`, in which `{name}` stands for the component of a guest.
fn configured(toml: &str) -> Setup {
    let setup = Setup::new();
    setup.file("dohost.toml", with_guests(toml));
    setup.with_config()
}

fn with_guests(toml: &str) -> String {
    let mut text = toml.to_string();
    for name in ["counter", "ensemble", "hostile", "probe", "tutorial"] {
        text = text.replace(&format!("{{{name}}}"), guest(name).to_str().expect("a path that is text"));
    }
    text
}

fn check(setup: &Setup, arguments: &[&str]) -> Ended {
    let file = setup.directory().join("dohost.toml");
    dohost(["check", "--config", file.to_str().unwrap()].iter().chain(arguments))
}

const ENSEMBLE: &str = r#"
    [vars]
    GREETING = "hello"

    [classes.Alpha]
    component = "{ensemble}"
    vars = { GREETING = "servus", COLOUR = "red" }

    [classes.Beta]
    component = "{ensemble}"
    class = "Gamma"
    bindings = { FIRST = "Alpha" }

    [workers.front]
    component = "{ensemble}"
    routes = ["/front/*"]
    bindings = { SECOND = "Beta" }
"#;

#[test]
fn the_file_in_the_current_directory_is_served() {
    let toml = "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\n[classes.Counter]\ncomponent = \"{counter}\"";
    let setup = configured(toml).in_its_directory();
    let host = setup.start();
    assert_eq!(host.get("/Counter/A/increment").number(), 1);
    assert!(host.ready_line.ends_with("· classes: Counter · data: data"), "{}", host.ready_line);
    assert!(setup.directory().join("data/store.redb").is_file());
    assert_eq!(host.restart().get("/Counter/A/value").number(), 1);
}

#[test]
fn without_a_file_and_without_components_there_is_nothing_to_serve() {
    let ended = Setup::new().in_its_directory().fail();
    ended.says(&["error: there is nothing to serve", "dohost.toml"]);
}

#[test]
fn paths_are_relative_to_the_file() {
    let setup = Setup::new();
    let inner = setup.directory().join("inner");
    std::fs::create_dir(&inner).unwrap();
    std::fs::copy(guest("counter"), inner.join("counter.wasm")).unwrap();
    let toml = "listen = \"127.0.0.1:0\"\n[classes.Counter]\ncomponent = \"counter.wasm\"";
    std::fs::write(inner.join("app.toml"), toml).unwrap();
    let host = setup.clone().in_its_directory().with(["--config", "inner/app.toml"]).start();
    assert_eq!(host.get("/Counter/A/increment").number(), 1);
    assert!(inner.join(".dohost/store.redb").is_file(), "data is next to the file too");
}

#[test]
fn the_command_line_wins_over_the_file() {
    let toml = "listen = \"127.0.0.1:1\"\ndata_dir = \"nowhere\"\n\
                [classes.probe]\ncomponent = \"{probe}\"\nlimits = { body = 5 }";
    let setup = configured(toml);
    let host = setup.start();
    assert!(!host.address.ends_with(":1"), "{}", host.address);
    host.connect().post("/probe/A/body", b"123456").says(413, "more than 5 bytes");
    assert!(!setup.directory().join("nowhere").exists());
    drop(host);
    let host = setup.with(["--limit", "body=6"]).start();
    assert_eq!(host.connect().post("/probe/A/body", b"123456").ok(), "123456");
    host.connect().post("/probe/A/body", b"1234567").says(413, "more than 6 bytes");
}

#[test]
fn a_file_and_components_on_the_command_line_do_not_mix() {
    let setup = configured("[classes.Counter]\ncomponent = \"{counter}\"");
    let ended = setup.guest("counter").fail();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("cannot be used with"), "{ended:?}");
}

#[test]
fn one_component_is_two_classes_and_a_worker() {
    let host = configured(ENSEMBLE).start();
    assert_eq!(host.get("/Alpha/A/role").ok(), "object Alpha A");
    assert_eq!(host.get("/Beta/B/role").ok(), "object Gamma B", "what the component calls it");
    assert_eq!(host.get("/front/role").ok(), "worker");
    assert_eq!(host.get("/Alpha/A/count").ok(), "1");
    assert_eq!(host.get("/Alpha/A/count").ok(), "2");
    assert_eq!(host.get("/Beta/A/count").ok(), "1", "another class, another object");
    assert_eq!(host.log().matches("loaded").count(), 1, "it is compiled once: {}", host.log());
}

#[test]
fn a_class_is_called_by_its_name_and_by_its_bindings() {
    let host = configured(ENSEMBLE).start();
    for (caller, class, role) in [
        ("/Alpha/A", "Beta", "object Gamma X"),
        ("/Alpha/A", "BETA", "object Gamma X"),
        ("/Alpha/A", "ALPHA", "object Alpha X"),
        ("/Beta/B", "FIRST", "object Alpha X"),
        ("/Beta/B", "Gamma", "object Gamma X"),
        ("/front", "SECOND", "object Gamma X"),
        ("/front", "BETA", "object Gamma X"),
        ("/front", "Alpha", "object Alpha X"),
    ] {
        let reply = host.get(&format!("{caller}/call?class={class}&name=X&path=/role"));
        assert_eq!(reply.ok(), role, "{caller} calls {class}");
    }
    for (caller, class) in [("/Alpha/A", "FIRST"), ("/Alpha/A", "SECOND"), ("/Alpha/A", "Gamma"), ("/front", "FIRST")] {
        let reply = host.get(&format!("{caller}/call?class={class}&name=X&path=/role"));
        reply.says(400, "is served, and no binding means one");
        assert!(reply.text().contains(class), "{}", reply.text());
    }
}

#[test]
fn classes_on_the_command_line_have_bindings_too() {
    let host = Setup::new().class("chat-room", "ensemble").class("other", "ensemble").start();
    let reply = host.get("/other/A/call?class=CHAT_ROOM&name=X&path=/role");
    assert_eq!(reply.ok(), "object chat-room X");
}

#[test]
fn a_guest_sees_its_variables_and_nothing_of_the_environment_of_the_host() {
    let host = configured(ENSEMBLE).environment("HOST_ONLY", "x").start();
    assert_eq!(host.get("/Alpha/A/environment").ok(), "COLOUR=red\nGREETING=servus\n");
    assert_eq!(host.get("/Beta/A/environment").ok(), "GREETING=hello\n");
    assert_eq!(host.get("/front/environment").ok(), "GREETING=hello\n");
    let without = Setup::new().guest("ensemble").environment("HOST_ONLY", "x").start();
    assert_eq!(without.get("/ensemble/A/environment").ok(), "");
}

#[test]
fn a_guest_sees_its_variables_in_wasi_0_2() {
    let toml = "[classes.hostile]\ncomponent = \"{hostile}\"\nvars = { A = 1, B = \"two words\" }";
    let host = configured(toml).start();
    assert_eq!(host.get("/hostile/A/environment").ok(), "A=1\nB=two words\n");
}

#[test]
fn a_secret_reaches_its_guest_and_nobody_else() {
    let toml = "[classes.Alpha]\ncomponent = \"{ensemble}\"\nsecrets = [\"API_KEY\"]\n\
                [classes.Beta]\ncomponent = \"{ensemble}\"";
    let setup = configured(toml).environment("API_KEY", "hunter2");
    let host = setup.clone().with(["--log", "trace"]).start();
    assert_eq!(host.get("/Alpha/A/environment").ok(), "API_KEY=hunter2\n");
    assert_eq!(host.get("/Beta/A/environment").ok(), "");
    let log = host.stop().stderr;
    assert!(!log.contains("hunter2"), "{log}");
    for arguments in [&["check"][..], &["check", "--json"]] {
        let checked = setup.run(arguments);
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
        assert!(checked.stdout.contains("API_KEY") && !checked.stdout.contains("hunter2"), "{checked:?}");
    }
}

#[test]
fn a_secret_that_is_not_set_is_named_with_its_place() {
    let setup = configured("secrets = [\"NO_SUCH_KEY\"]\n[classes.Counter]\ncomponent = \"{counter}\"");
    setup.fail().says(&[
        "dohost.toml:1:12: the environment variable NO_SUCH_KEY is not set",
        " 1 | secrets = [\"NO_SUCH_KEY\"]\n   |            ^^^^^^^^^^^^^",
        "help: set it where dohost is started",
    ]);
}

#[test]
fn a_deploy_reads_the_file_again() {
    let toml =
        |colour: &str| format!("[classes.Alpha]\ncomponent = \"{{ensemble}}\"\nvars = {{ COLOUR = \"{colour}\" }}");
    let host = configured(&toml("red")).start();
    assert_eq!(host.get("/Alpha/A/environment").ok(), "COLOUR=red\n");
    host.setup.file("dohost.toml", with_guests(&toml("blue")));
    host.signal("HUP");
    host.log_with("deployed: new code for Alpha");
    assert_eq!(host.get("/Alpha/A/environment").ok(), "COLOUR=blue\n");
    host.setup.file("dohost.toml", with_guests(&toml("green\\")));
    host.signal("HUP");
    host.log_with("not deployed, everything is as it was");
    assert_eq!(host.get("/Alpha/A/environment").ok(), "COLOUR=blue\n");
}

/// A request for a path of this host.
fn get(host: &Host, name: &str, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
    raw(&host.address, request.as_bytes()).remove(0)
}

/// Which of two Workers got it is seen from their variables.
#[test]
fn the_most_specific_route_gets_the_request() {
    let toml = r#"
        [classes.Alpha]
        component = "{ensemble}"
        [workers.one]
        component = "{ensemble}"
        routes = ["/api/*", "shop.example.com/*", "/exact/environment"]
        vars = { NAME = "one" }
        [workers.two]
        component = "{ensemble}"
        routes = ["/api/v2/*", "*.example.com/api/*"]
        vars = { NAME = "two" }
    "#;
    let host = configured(toml).start();
    assert!(host.ready_line.contains("behind the Workers one, two"), "{}", host.ready_line);
    for (host_header, path, name) in [
        ("a", "/api/environment", "one"),
        ("a", "/api/v2/environment", "two"),
        ("a", "/api/v2x/environment", "one"),
        ("a", "/exact/environment", "one"),
        ("shop.example.com", "/api/v2/environment", "one"),
        ("SHOP.example.com:8787", "/x/environment", "one"),
        ("www.example.com", "/api/environment", "two"),
    ] {
        assert_eq!(get(&host, host_header, path).ok(), format!("NAME={name}\n"), "{host_header}{path}");
    }
    assert_eq!(host.get("/Alpha/A/role").ok(), "object Alpha A", "what takes no route reaches an object");
    get(&host, "www.example.com", "/exact/environment/x").says(404, "no object there");
    let absolute = get(&host, "other", "http://shop.example.com/environment");
    assert_eq!(absolute.ok(), "NAME=one\n", "the host of the URL comes before the header");
}

#[test]
fn each_worker_has_its_own_limits() {
    let toml = "[workers.one]\ncomponent = \"{ensemble}\"\nroutes = [\"/one/*\"]\nlimits = { body = 10 }\n\
                [workers.two]\ncomponent = \"{ensemble}\"\nroutes = [\"/two/*\"]";
    let host = configured(toml).start();
    host.connect().post("/one/role", &[b'x'; 11]).says(413, "more than 10 bytes, the limit body");
    assert_eq!(host.connect().post("/two/role", &[b'x'; 11]).ok(), "worker");
}

#[test]
fn what_only_an_object_has_traps_in_a_worker_and_says_so() {
    let host = configured(ENSEMBLE).start();
    for (path, interface) in [("count", "storage"), ("section", "concurrency")] {
        host.get(&format!("/front/{path}")).says(500, "the Worker failed");
        host.log_with(&format!("dohost:object/{interface} is for objects; this instance is a Worker"));
    }
    assert_eq!(host.get("/front/role").ok(), "worker", "the next one gets a new instance");
}

#[test]
fn a_worker_can_wait() {
    let host = configured(ENSEMBLE).start();
    let started = std::time::Instant::now();
    assert_eq!(host.get("/front/wait?ms=100").ok(), "waited");
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert_eq!(host.get("/Alpha/A/wait?ms=1").ok(), "waited");
}

#[test]
fn a_check_prints_the_plan_and_changes_nothing() {
    let toml = "listen = \"127.0.0.1:9\"\n\
                [classes.Counter]\ncomponent = \"{counter}\"\nlimits = { events = 100 }\nvars = { A = \"b c\" }\n\
                [workers.front]\ncomponent = \"{tutorial}\"\nroutes = [\"/api/*\"]\nbindings = { counter = \"Counter\" }\n\
                [[migrations]]\ntag = \"v1\"\nnew_classes = [\"Counter\"]";
    let setup = configured(toml);
    let checked = check(&setup, &[]);
    assert_eq!((checked.status.code(), checked.stderr.as_str()), (Some(0), ""), "{checked:?}");
    let lines: Vec<String> =
        checked.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "listen 127.0.0.1:9",
        "outgoing to every public address",
        "class Counter",
        "concurrency interleaved",
        "bindings COUNTER → Counter",
        "vars A=\"b c\"",
        "limits events 100",
        "Worker front",
        "routes /api/*",
        "bindings COUNTER → Counter, counter → Counter",
        "migration v1: new Counter",
    ] {
        assert!(lines.contains(&line.to_string()), "{line:?} is not in {}", checked.stdout);
    }
    let json = check(&setup, &["--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap_or_else(|error| panic!("{error}: {json:?}"));
    assert_eq!(json["classes"][0]["name"], "Counter");
    assert_eq!(json["classes"][0]["limits"]["events"], "100");
    assert_eq!(json["workers"][0]["routes"][0], "/api/*");
    assert_eq!(json["workers"][0]["bindings"]["counter"], "Counter");
    assert_eq!(json["migrations"][0]["tag"], "v1");
    let files: Vec<_> = std::fs::read_dir(setup.directory()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["dohost.toml"]);
}

#[test]
fn a_check_is_possible_while_a_host_serves() {
    let setup = configured("[classes.Counter]\ncomponent = \"{counter}\"");
    let host = setup.start();
    let ended = setup.run(&["check"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(host.get("/Counter/A/increment").number(), 1);
}

#[test]
fn a_check_says_which_line_is_wrong_and_what_is_meant() {
    let setup = configured("[classes.Counter]\ncomponent = \"{counter}\"\nconcurency = \"serial\"");
    for ended in [check(&setup, &[]), setup.fail()] {
        ended.says(&[
            "dohost.toml:3:1: there is no key concurency here",
            " 3 | concurency = \"serial\"\n   | ^^^^^^^^^^",
            "help: did you mean concurrency?",
        ]);
    }
}

#[test]
fn a_component_that_does_not_fit_is_named_with_its_line() {
    let setup = configured("[classes.A]\ncomponent = \"empty.wasm\"\n[workers.b]\ncomponent = \"{counter}\"");
    setup.file("empty.wasm", "(component)");
    for ended in [check(&setup, &[]), setup.fail()] {
        ended.says(&[
            "dohost.toml:2:13: ",
            "empty.wasm does not export dohost:object/handler@0.1.0",
            "dohost.toml:4:13: ",
            "counter.wasm does not export wasi:http/handler@0.3",
        ]);
    }
}

#[test]
fn a_check_of_components_on_the_command_line_needs_no_file() {
    let counter = guest("counter");
    let ended = dohost(["check", counter.to_str().unwrap(), "--serial", "counter"]);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("this can be served\n"), "{ended:?}");
    assert!(ended.stdout.contains("serial"), "{ended:?}");
    assert_eq!(dohost(["check", "--jason"]).status.code(), Some(2));
}

/// The examples: a guest's folder may have one.
fn examples(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.join("dohost.toml")).filter(|file| file.is_file()).collect()
}

#[test]
fn every_example_can_be_served() {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests");
    let examples = examples(&guests);
    assert!(!examples.is_empty());
    for example in examples {
        let text = std::fs::read_to_string(&example).unwrap();
        let schema = text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).expect("its schema");
        assert!(example.with_file_name(schema).is_file(), "{} has no {schema}", example.display());
        let ended = dohost([Path::new("check"), Path::new("--config"), &example]);
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
}

#[test]
fn the_example_of_the_tutorial_counts() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/tutorial/dohost.toml");
    let host = Setup::new().with([Path::new("--config"), &file]).start();
    assert_eq!(host.get("/increment?name=A").ok(), "Durable Object 'A' count: 1");
}

#[test]
fn the_schema_for_editors_is_that_of_this_version() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dohost.schema.json");
    let schema = dohost(["check", "--schema"]).stdout;
    let text = std::fs::read_to_string(committed).expect("docs/dohost.schema.json");
    assert!(schema == text, "run `dohost check --schema > docs/dohost.schema.json`");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert!(
        schema["properties"]["classes"].is_object() && schema["$defs"]["Limits"]["properties"]["memory"].is_object()
    );
}
