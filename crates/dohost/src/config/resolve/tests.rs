use std::fs;

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::args::{Args, Command};
use crate::config::plan::{ManagementPlan, Migration, MigrationStep, VariableValue};

/// A directory with a `dohost.toml` and files that look like components from the outside.
fn directory(toml: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["counter.wasm", "room.wasm", "front.wasm", "roots.pem"] {
        fs::write(directory.path().join(name), "").unwrap();
    }
    fs::write(directory.path().join(FILE_NAME), toml).unwrap();
    directory
}

fn environment(name: &str) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    match name {
        "API_KEY" => Some("hunter2".into()),
        "DOHOST_MANAGEMENT_TOKEN" => Some("token of the host".into()),
        "EMPTY" => Some("".into()),
        "BYTES" => Some(OsString::from_vec(vec![0xff])),
        _ => None,
    }
}

fn plan_of(directory: &Path, arguments: &[&str]) -> Result<Plan, Failures> {
    let file = directory.join(FILE_NAME);
    let line = [&["dohost", "serve", "--config", file.to_str().unwrap()], arguments].concat();
    let Command::Serve(serve) = Args::try_parse_from(line).unwrap().command else { panic!("it says serve") };
    plan(&serve.application, &environment, &|_| Ok(None))
}

fn good(toml: &str, arguments: &[&str]) -> Plan {
    let directory = directory(toml);
    plan_of(directory.path(), arguments).unwrap_or_else(|failures| panic!("{failures}"))
}

/// `line:column: text`, one for each error.
fn bad(toml: &str) -> Vec<String> {
    let directory = directory(toml);
    let Failures(failures) = plan_of(directory.path(), &[]).map(|plan| panic!("{plan:#?}")).unwrap_err();
    let file = format!("{}:", directory.path().join(FILE_NAME).display());
    let directory = format!("{}/", directory.path().display());
    let text = |failure: &Failure| failure.to_string().replace(&file, "").replace(&directory, "");
    failures.iter().map(text).collect()
}

const COUNTER: &str = "[classes.Counter]\ncomponent = \"counter.wasm\"\n";

#[test]
fn a_file_with_everything_is_a_plan_with_everything() {
    let toml = r#"
        listen = "127.0.0.1:9999"
        data_dir = "store"
        idle_timeout = "3s"
        shutdown_timeout = "4s"
        drain_timeout = "5s"
        threads = 2
        max_resident = 7
        store_cache = 2097152
        store_log = "8MiB"
        verify_store = true
        secrets = ["API_KEY"]

        [limits]
        memory = "64MiB"
        events = 100

        [vars]
        GREETING = "hello"
        NUMBER = 5
        TRUTH = true

        [classes.Counter]
        component = "counter.wasm"
        class = "Tally"
        concurrency = "serial"
        bindings = { ROOMS = "chat-room" }
        vars = { GREETING = "servus" }
        limits = { events = 10 }

        [classes.chat-room]
        component = "room.wasm"

        [workers.front]
        component = "front.wasm"
        routes = ["/api/*", "shop.example.com/*"]
        bindings = { room = "chat-room" }
        limits = { body = "1KiB" }

        [outgoing]
        allow = ["api.example.com", "*.test.org:443"]
        ca = "roots.pem"

        [management]
        socket = false
        listen = "127.0.0.1:8788"

        [[migrations]]
        tag = "v1"
        new_classes = ["Counter"]
        deleted_classes = ["Old"]
        renamed_classes = [{ from = "A", to = "B" }]
        transferred_classes = [{ from = "C", from_data_dir = "../other/.dohost", to = "D" }]
    "#;
    let directory = directory(toml);
    let here = directory.path();
    let plan = plan_of(here, &[]).unwrap();
    assert_eq!(plan.listen.to_string(), "127.0.0.1:9999");
    assert_eq!(plan.data_dir, here.join("store"));
    assert_eq!((plan.idle_timeout, plan.shutdown_timeout), (Duration::from_secs(3), Duration::from_secs(4)));
    assert_eq!(plan.drain_timeout, Duration::from_secs(5));
    assert_eq!((plan.threads, plan.max_resident, plan.verify_store), (Some(2), Some(7), true));
    assert_eq!((plan.store_cache, plan.store_log), (2 << 20, 8 << 20));

    let [counter, room] = &plan.classes[..] else { panic!("{:?}", plan.classes) };
    assert_eq!((counter.name.as_str(), counter.own_name.as_str(), counter.is_serial), ("Counter", "Tally", true));
    assert_eq!((room.name.as_str(), room.own_name.as_str(), room.is_serial), ("chat-room", "chat-room", false));
    assert_eq!(counter.component.path, here.join("counter.wasm"));
    assert_eq!((counter.limits.events_max, room.limits.events_max), (10, 100));
    assert_eq!(counter.limits.guest.memory_bytes_max, 64 << 20);
    let bindings = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, class)| (name.to_string(), class.to_string())).collect::<Vec<_>>()
    };
    let default = [("CHAT_ROOM", "chat-room"), ("COUNTER", "Counter")];
    assert_eq!(room.bindings.clone().into_iter().collect::<Vec<_>>(), bindings(&default));
    let of_counter = [default[0], default[1], ("ROOMS", "chat-room"), ("Tally", "Counter")];
    assert_eq!(counter.bindings.clone().into_iter().collect::<Vec<_>>(), bindings(&of_counter));
    let plain = |text: &str| Some(VariableValue::Plain(text.into()));
    assert_eq!(counter.variables.get("GREETING").cloned(), plain("servus"));
    assert_eq!(room.variables.get("GREETING").cloned(), plain("hello"));
    assert_eq!(room.variables.get("NUMBER").cloned(), plain("5"));
    assert_eq!(room.variables.get("TRUTH").cloned(), plain("true"));
    assert!(matches!(room.variables.get("API_KEY"), Some(VariableValue::Secret(key)) if key.expose() == "hunter2"));

    let [front] = &plan.workers[..] else { panic!("{:?}", plan.workers) };
    assert_eq!(front.routes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/api/*", "shop.example.com/*"]);
    assert_eq!((front.limits.body_bytes_max, front.limits.guest.memory_bytes_max), (1 << 10, 64 << 20));
    assert_eq!(front.bindings["room"], "chat-room");

    assert!(plan.outgoing.is_enabled);
    let allowed: Vec<String> = plan.outgoing.allow.iter().map(ToString::to_string).collect();
    assert_eq!(allowed, ["api.example.com", "*.test.org:443"]);
    assert_eq!(plan.outgoing.ca, Some(here.join("roots.pem")));
    let ManagementPlan { has_socket: false, listen: Some((address, token)) } = &plan.management else {
        panic!("{:?}", plan.management)
    };
    assert_eq!((address.to_string().as_str(), token.expose()), ("127.0.0.1:8788", "token of the host"));
    let steps = vec![
        MigrationStep::New("Counter".into()),
        MigrationStep::Deleted("Old".into()),
        MigrationStep::Renamed { from: "A".into(), to: "B".into() },
        MigrationStep::Transferred { from: "C".into(), from_data_dir: here.join("../other/.dohost"), to: "D".into() },
    ];
    assert_eq!(plan.migrations, [Migration { tag: "v1".into(), steps }]);
}

#[test]
fn what_the_file_does_not_say_is_as_without_a_file() {
    let plan = good(COUNTER, &[]);
    assert_eq!(plan.listen, crate::listen::DEFAULT);
    assert!(plan.data_dir.ends_with(".dohost") && plan.data_dir.is_absolute(), "next to the file");
    assert_eq!((plan.idle_timeout, plan.shutdown_timeout), (IDLE_TIMEOUT, SHUTDOWN_TIMEOUT));
    assert_eq!(plan.drain_timeout, DRAIN_TIMEOUT);
    assert!(plan.outgoing.is_enabled && plan.outgoing.allow.is_empty());
    assert!(plan.management.has_socket && plan.management.listen.is_none());
    let front = "[workers.front]\ncomponent = \"front.wasm\"\n";
    assert_eq!(good(front, &[]).workers[0].routes, ["*".parse().unwrap()]);
}

#[test]
fn the_command_line_wins() {
    let toml = format!(
        "listen = \"127.0.0.1:1\"\ndata_dir = \"a\"\nidle_timeout = \"1s\"\nthreads = 1\nmax_resident = 1\nmax_alarms = 1\nmax_connections = 1\nmax_websockets = 1\nstore_cache = \"1MiB\"\nstore_log = \"1MiB\"\n\
         [outgoing]\nenabled = false\n{COUNTER}limits = {{ events = 1, memory = \"1MiB\", calls = 1 }}"
    );
    let arguments = [
        ["--listen", "127.0.0.1:2"],
        ["--data-dir", "b"],
        ["--idle-timeout", "2s"],
        ["--threads", "2"],
        ["--max-resident", "2"],
        ["--max-alarms", "2"],
        ["--max-connections", "2"],
        ["--max-websockets", "2"],
        ["--store-cache", "2MiB"],
        ["--store-log", "2MiB"],
        ["--limit", "Counter:events=2"],
        ["--limit", "memory=2MiB"],
        ["--limit", "events=3"],
        ["--serial", "Counter"],
        ["--allow-outgoing", "b.com"],
    ];
    let plan = good(&toml, &arguments.concat());
    assert_eq!((plan.listen.port(), plan.data_dir), (2, PathBuf::from("b")));
    assert_eq!((plan.idle_timeout.as_secs(), plan.threads, plan.max_resident), (2, Some(2), Some(2)));
    assert_eq!((plan.max_alarms, plan.max_connections, plan.max_websockets), (2, 2, 2));
    assert_eq!((plan.store_cache, plan.store_log), (2 << 20, 2 << 20));
    let counter = &plan.classes[0];
    assert_eq!(counter.limits.guest.memory_bytes_max, 2 << 20);
    assert_eq!((counter.limits.events_max, counter.limits.calls_max, counter.is_serial), (2, 1, true));
    assert!(plan.outgoing.is_enabled);
    assert_eq!(plan.outgoing.allow.len(), 1);
    let allowed = format!("{COUNTER}[outgoing]\nallow = [\"a.com\"]");
    assert!(!good(&allowed, &["--no-outgoing"]).outgoing.is_enabled);
}

#[test]
fn an_error_says_where_and_what() {
    let table: &[(&str, &[&str])] = &[
        ("lisen = \"127.0.0.1:1\"", &["1:1: there is no key lisen here"]),
        ("\n[classes.A]\ncomponent = \"counter.wasm\"\nclas = \"A\"", &["4:1: there is no key clas here"]),
        ("[classes.A]\nclass = \"A\"", &["1:1: missing field `component`"]),
        ("[classes.A]\ncomponent = 5", &["2:13: invalid type: integer `5`, expected a string"]),
        ("threads = \"two\"", &["1:11: invalid type: string \"two\", expected u32"]),
        ("store_log = \"2GiB\"", &["1:13: a size such as 64MiB is expected, from 1.0 MiB to 1.0 GiB, not \"2GiB\""]),
        ("store_cache = true", &["1:15: a size such as 64MiB is expected, from 1.0 MiB to 1.0 TiB, not \"true\""]),
        (
            "[classes.\"a/b\"]\ncomponent = \"counter.wasm\"\nclass = \"Counter\"",
            &[
                "1:10: \"a/b\" cannot be the name of a class: only letters, digits, '-', '_' and '.' are allowed, and it must \
               not begin with '.'",
            ],
        ),
        ("x = [", &["1:6: unclosed array, expected `]`"]),
        ("listen = \"a\"\nlisten = \"b\"", &["2:1: duplicate key"]),
        (
            "[vars]\nA = 1.5",
            &["2:5: invalid type: floating point `1.5`, expected a string, a whole number, true or false"],
        ),
        ("", &["there is nothing to serve: dohost.toml has neither classes nor Workers"]),
        (
            "[classes.A]\ncomponent = \"counter.wasm\"\nconcurrency = \"parallel\"",
            &["3:15: there is no value parallel here"],
        ),
        (
            "[classes.A]\ncomponent = \"nope.wasm\"",
            &["2:13: cannot read nope.wasm: No such file or directory (os error 2)"],
        ),
        ("[classes.A]\ncomponent = \".\"", &["2:13: cannot read .: it is a directory"]),
        (
            "[classes.\"a b\"]\ncomponent = \"counter.wasm\"",
            &[
                "1:10: \"a b\" cannot be the name of a class: only letters, digits, '-', '_' and '.' are allowed, and it must \
               not begin with '.'",
            ],
        ),
    ];
    for (toml, expected) in table {
        let errors = bad(toml);
        assert_eq!(errors, *expected, "of:\n{toml}");
    }
}

/// The same for errors that a valid class comes with, two lines before them.
#[test]
fn an_error_about_what_fits_together_says_where_and_what() {
    let table: &[(&str, &[&str])] = &[
        ("bindings = { ROOMS = \"Room\" }", &["3:22: no class is called \"Room\""]),
        ("bindings = { \"a b\" = \"Counter\" }", &["3:14: \"a b\" cannot be the name of a binding"]),
        ("limits = { speed = 5 }", &["3:12: no limit is called speed"]),
        ("limits = { events = 0 }", &["3:21: events is a number, from 1 to 4294967295, not \"0\""]),
        ("limits = { events = \"many\" }", &["3:21: events is a number, from 1 to 4294967295, not \"many\""]),
        ("secrets = [\"NOPE\"]", &["3:12: the environment variable NOPE is not set"]),
        ("secrets = [\"BYTES\"]", &["3:12: the environment variable BYTES is not UTF-8"]),
        ("secrets = [\"API_KEY\"]\nvars = { API_KEY = \"x\" }", &["3:12: API_KEY is a variable and a secret"]),
        ("vars = { \"A=B\" = \"x\" }", &["3:10: \"A=B\" cannot be the name of an environment variable"]),
        (
            "[workers.a]\ncomponent = \"front.wasm\"\n[workers.b]\ncomponent = \"front.wasm\"",
            &["5:10: the route /* is given to a and to b"],
        ),
        (
            "[workers.a]\ncomponent = \"front.wasm\"\nroutes = [\"/x\", \"A.com/*\"]\n\
             [workers.b]\ncomponent = \"front.wasm\"\nroutes = [\"a.com/*\"]",
            &["8:11: the route a.com/* is given to a and to b"],
        ),
        (
            "[workers.a]\ncomponent = \"front.wasm\"\nroutes = [\"x\", \"/a*b\"]",
            &[
                "5:11: \"x\" is no route: the path is missing; end with /* for everything on a host",
                "5:16: \"/a*b\" is no route: a * can only be the first of the host and the last of the path",
            ],
        ),
        ("[workers.a]\ncomponent = \"front.wasm\"\nroutes = []", &["5:10: a Worker without routes gets no request"]),
        ("[workers.a]\ncomponent = \"front.wasm\"\nlimits = { events = 5 }", &["5:12: events is a limit of objects"]),
        ("[workers.\"a b\"]\ncomponent = \"front.wasm\"", &["3:10: \"a b\" cannot be the name of a Worker"]),
        (
            "[outgoing]\nenabled = false\nallow = [\"a.com\"]",
            &["4:11: requests to the network are turned off, and yet there is more about them"],
        ),
        ("[outgoing]\nallow = []", &["4:9: the list of allowed destinations is empty"]),
        (
            "[outgoing]\nallow = [\"a b\"]",
            &["4:10: \"a b\" is no destination; give HOST, *.HOST, HOST:PORT or an address"],
        ),
        ("[outgoing]\nca = \"nope.pem\"", &["4:6: cannot read nope.pem: No such file or directory (os error 2)"]),
        (
            "[management]\nlisten = \"127.0.0.1:1\"\ntoken_env = \"NOPE\"",
            &["5:13: the environment variable NOPE is not set"],
        ),
        (
            "[management]\nlisten = \"127.0.0.1:1\"\ntoken_env = \"EMPTY\"",
            &["5:13: the environment variable EMPTY is empty"],
        ),
        ("[management]\ntoken_env = \"API_KEY\"", &["4:13: a token is named and no address to listen on"]),
        ("[[migrations]]\ntag = \"v1\"", &["4:7: the migration \"v1\" does nothing"]),
        (
            "[[migrations]]\ntag = \"v1\"\nnew_classes = [\"A\"]\n[[migrations]]\ntag = \"v1\"\nnew_classes = [\"B\"]",
            &["7:7: two migrations have the tag \"v1\""],
        ),
        (
            "[[migrations]]\ntag = \"v1\"\nnew_classes = [\"A\"]\ndeleted_classes = [\"A\"]",
            &["6:20: one migration speaks of the class A twice"],
        ),
        (
            "[[migrations]]\ntag = \"v1\"\nrenamed_classes = [{ from = \"A\", to = \"A\" }]",
            &["5:39: the class A is renamed to what it is called", "5:39: one migration speaks of the class A twice"],
        ),
    ];
    for (toml, expected) in table {
        let errors = bad(&format!("{COUNTER}{toml}"));
        assert_eq!(errors, *expected, "of:\n{toml}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let errors = bad("listen = \"x\"\nidle_timeout = \"y\"\nthreads = 1025\n[classes.A]\ncomponent = \"nope\"");
    let places: Vec<&str> = errors.iter().filter_map(|error| error.split_once(": ")).map(|(place, _)| place).collect();
    assert_eq!(places, ["1:10", "2:16", "3:11", "5:13"], "{errors:#?}");
}

#[test]
fn a_secret_is_in_no_debug_output_and_no_error() {
    let toml = format!("secrets = [\"API_KEY\"]\n{COUNTER}[management]\nlisten = \"127.0.0.1:1\"");
    let shown = format!("{:?}", good(&toml, &[]));
    assert!(shown.contains("API_KEY"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("token of the host"), "{shown}");
}
