//! `dohost conform`: what fits and behaves, and what is said of what does not.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

use crate::host::{Ended, Setup, cache, guest, run_within};

/// It starts hosts again and again.
const CONFORM_MAX: Duration = Duration::from_secs(300);

/// Its exit codes.
const CONFORMS: Option<i32> = Some(0);
const DOES_NOT: Option<i32> = Some(1);
const COULD_NOT_TELL: Option<i32> = Some(2);

fn conform(file: &Path, arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dohost"));
    command.arg("conform").arg(file).args(arguments).env("DOHOST_CACHE_DIR", cache());
    run_within(CONFORM_MAX, command)
}

/// The outcome and the text of a stage.
fn stage(ended: &Ended, stage: &str) -> (String, String) {
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"));
    let findings = report["findings"].as_array().expect("findings");
    let found = findings.iter().find(|finding| finding["stage"] == stage);
    let found = found.unwrap_or_else(|| panic!("nothing is said of {stage}: {ended:#?}"));
    (found["outcome"].as_str().expect("an outcome").to_string(), found.to_string())
}

/// Guests of this repository that fit without anything else, with the classes that they implement.
const GUESTS: &[(&str, &[&str])] = &[
    ("alarms", &[]),
    ("caller", &[]),
    ("chat", &["Room", "Limiter", "Lobby"]),
    ("constructed", &[]),
    ("counter", &[]),
    ("counter-sync", &[]),
    ("ensemble", &[]),
    ("hostile", &[]),
    ("http-object", &[]),
    ("probe", &[]),
    ("relay-sync", &[]),
    ("room", &[]),
    ("rust-counter", &[]),
    ("rust-shop", &["Cart", "Stock"]),
    ("rust-sync", &[]),
    ("sockets", &[]),
    ("streamer", &[]),
    ("types", &[]),
    ("types-sync", &[]),
];

#[test]
fn all_guests_fit() {
    for (name, classes) in GUESTS {
        let classes = classes.iter().flat_map(|class| ["--class", class]);
        let arguments: Vec<&str> = ["--static"].into_iter().chain(classes).collect();
        let ended = conform(&guest(name), &arguments);
        assert_eq!(ended.status.code(), CONFORMS, "{name}: {ended:#?}");
        for stage in ["parse", "world", "link"] {
            assert!(ended.stdout.contains(&format!("ok      {stage}")), "{name}: {ended:#?}");
        }
    }
}

const COUNTER: &str = r#"
[[steps]]
request = "POST /counter/a/increment"
expect = { text = "1" }

[[steps]]
request = "POST /counter/a/increment"

[[steps]]
crash = true

[[steps]]
request = "GET /counter/a/value"
expect = { text = "2" }
"#;

#[test]
fn a_counter_conforms_in_all_that_can_be_told() {
    let setup = Setup::new();
    let script = setup.file("counter.toml", COUNTER).display().to_string();
    let ended = conform(&guest("counter"), &["--json", "--script", &script]);
    assert_eq!(ended.status.code(), CONFORMS, "{ended:#?}");
    for name in
        ["parse", "world", "link", "start", "script", "evicted-twin", "crash-twin", "crash-inside", "crowd", "ceilings"]
    {
        assert_eq!(stage(&ended, name).0, "ok", "{name}: {ended:#?}");
    }
    assert_eq!(stage(&ended, "alarm-twice").0, "not-applicable");
    assert!(stage(&ended, "ceilings").1.contains("between"), "it says how much memory it takes: {ended:#?}");
}

/// A program of JavaScript that does one thing wrong.
fn program(setup: &Setup, members: &str) -> PathBuf {
    let text = format!(
        "import {{ DurableObject }} from 'cloudflare:workers';\n\
         export class Thing extends DurableObject {{\n{members}\n}}\n"
    );
    setup.file("thing.js", text)
}

const TWO_REQUESTS: &str = "[[steps]]\nrequest = \"POST /Thing/a/add\"\n[[steps]]\nrequest = \"POST /Thing/a/add\"\n";

fn conform_program(members: &str, script: &str) -> Ended {
    let setup = Setup::new();
    let file = program(&setup, members);
    let script = setup.file("script.toml", script).display().to_string();
    conform(&file, &["--json", "--script", &script])
}

#[test]
fn what_is_only_in_memory_is_missed_after_an_eviction_and_a_crash() {
    let ended = conform_program("count = 0; fetch() { return new Response(String(++this.count)); }", TWO_REQUESTS);
    assert_eq!(ended.status.code(), DOES_NOT, "{ended:#?}");
    for name in ["evicted-twin", "crash-twin"] {
        let (outcome, text) = stage(&ended, name);
        assert_eq!(outcome, "fails", "{ended:#?}");
        assert!(text.contains("undisturbed: 200 \\\"2\\\"") && text.contains("here:        200 \\\"1\\\""), "{text}");
    }
}

#[test]
fn answers_that_are_never_the_same_tell_nothing() {
    let ended = conform_program("fetch() { return new Response(crypto.randomUUID()); }", TWO_REQUESTS);
    assert_eq!(ended.status.code(), COULD_NOT_TELL, "{ended:#?}");
    for name in ["evicted-twin", "crash-twin", "crash-inside"] {
        assert_eq!(stage(&ended, name).0, "could-not-tell", "{ended:#?}");
    }
}

#[test]
fn an_object_that_only_copes_with_one_client_fails_in_a_crowd() {
    let members = "busy = false;\n\
        async fetch() {\n\
          if (this.busy) this.ctx.abort('two at once');\n\
          this.busy = true;\n\
          await new Promise((resolve) => setTimeout(resolve, 20));\n\
          this.busy = false;\n\
          return new Response('done');\n\
        }";
    let ended = conform_program(members, TWO_REQUESTS);
    assert_eq!(ended.status.code(), DOES_NOT, "{ended:#?}");
    assert_eq!(stage(&ended, "evicted-twin").0, "ok", "{ended:#?}");
    let (outcome, text) = stage(&ended, "crowd");
    assert_eq!(outcome, "fails", "{ended:#?}");
    assert!(text.contains("500 of the host"), "{text}");
}

#[test]
fn a_handler_that_does_more_the_second_time_is_told_of() {
    let alarm = |handler: &str| {
        let members = format!(
            "async fetch() {{ await this.ctx.storage.setAlarm(Date.now() + 3600000); return new Response('set'); }}\n\
             async alarm() {{ {handler} }}"
        );
        conform_program(&members, TWO_REQUESTS)
    };
    let counts = alarm("const n = (await this.ctx.storage.get('n')) ?? 0; await this.ctx.storage.put('n', n + 1);");
    assert_eq!(counts.status.code(), CONFORMS, "advice is no failure: {counts:#?}");
    let (outcome, text) = stage(&counts, "alarm-twice");
    assert_eq!(outcome, "advice", "{counts:#?}");
    assert!(text.contains("what is stored"), "{text}");
    let sets = alarm("await this.ctx.storage.put('n', 1);");
    assert_eq!(stage(&sets, "alarm-twice").0, "ok", "{sets:#?}");
}

#[test]
fn a_program_that_cannot_be_built_is_said_with_its_line() {
    let setup = Setup::new();
    let file = setup.file("broken.js", "export class Thing {\n  fetch( {\n}\n");
    let ended = conform(&file, &[]);
    assert_eq!(ended.status.code(), DOES_NOT, "{ended:#?}");
    assert!(ended.stdout.contains("FAILS   parse") && ended.stdout.contains("broken.js:4:1"), "{ended:#?}");
}

/// A component that is made of WIT alone; all it does is trap.
fn component_of(wit: &str) -> Vec<u8> {
    let mut resolve = Resolve { all_features: true, ..Resolve::default() };
    let package = resolve.push_str("mine.wit", wit).expect("it is WIT");
    let world = resolve.select_world(&[package], None).expect("it has one world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("the world fits");
    let mut encoder = ComponentEncoder::default().module(&module).expect("a module");
    encoder.encode().expect("a component")
}

#[test]
fn broken_components_are_refused_at_the_right_stage_with_a_reason() {
    let setup = Setup::new();
    let world = |wit: &str| component_of(&format!("package dohost:object@0.1.0; {wit}"));
    let handler = "interface handler { fetch: async func(request: string) -> string; }";
    let corpus: [(&str, Vec<u8>, &str, &[&str]); 8] = [
        ("text", b"hello".to_vec(), "parse", &["is not a WebAssembly component"]),
        ("module", b"\0asm\x01\0\0\0".to_vec(), "parse", &["is a core module", "wasm-tools component new"]),
        ("cut", component_of("package a:b; world w { export f: func(); }")[..60].to_vec(), "parse", &["not a valid"]),
        ("nothing", b"(component)".to_vec(), "world", &["does not export dohost:object/handler", "it exports nothing"]),
        (
            "import",
            component_of("package a:b; interface x { f: func(); } world w { import x; export g: func(); }"),
            "world",
            &["imports a:b/x, which dohost does not offer"],
        ),
        (
            "type",
            world(&format!("{handler} world w {{ export handler; }}")),
            "world",
            &[
                "exports fetch of dohost:object/handler@0.1.0 with another type",
                "component: fetch: async func(request: string) -> string",
                "dohost:    fetch: async func(request: request) -> result<response, exception>",
            ],
        ),
        (
            "missing",
            world("interface handler { other: func(); } world w { export handler; }"),
            "world",
            &["exports dohost:object/handler@0.1.0 without its function fetch"],
        ),
        (
            "traps",
            component_of("package a:b; world w { export g: func() -> u32; }"),
            "start",
            &["no method can be called"],
        ),
    ];
    for (name, bytes, stage, texts) in corpus {
        let file = setup.file(&format!("{name}.wasm"), bytes);
        let ended = conform(&file, &[]);
        assert_eq!(ended.status.code(), DOES_NOT, "{name}: {ended:#?}");
        assert!(ended.stdout.contains(&format!("FAILS   {stage}")), "{name}: {ended:#?}");
        for text in texts {
            assert!(ended.stdout.contains(text), "{name} does not say {text:?}: {}", ended.stdout);
        }
    }
}

#[test]
fn what_cannot_be_looked_at_is_neither_good_nor_bad() {
    let missing = conform(Path::new("nothing.wasm"), &[]);
    assert_eq!(missing.status.code(), COULD_NOT_TELL, "{missing:#?}");
    assert!(missing.stderr.contains("cannot read nothing.wasm"), "{missing:#?}");
    let setup = Setup::new();
    let script = setup.file("bad.toml", "[[steps]]\nrequest = \"GET\"").display().to_string();
    let bad = conform(&guest("counter"), &["--script", &script]);
    assert_eq!(bad.status.code(), COULD_NOT_TELL, "{bad:#?}");
    let knows = conform(&guest("alarms"), &["--json"]);
    assert_eq!(knows.status.code(), COULD_NOT_TELL, "nobody set an alarm: {knows:#?}");
}

#[test]
fn a_program_that_refuses_whatever_it_can_be_asked_tells_nothing_without_a_script() {
    let setup = Setup::new();
    let worker = "export default { fetch(request) {\n\
        const { pathname } = new URL(request.url);\n\
        return pathname === '/hello' ? new Response('hello') : new Response('not here', { status: 404 });\n\
        } };";
    let file = setup.file("worker.js", worker);
    let ended = conform(&file, &["--json"]);
    assert_eq!(ended.status.code(), COULD_NOT_TELL, "{ended:#?}");
    let (outcome, text) = stage(&ended, "start");
    assert_eq!(outcome, "could-not-tell", "{ended:#?}");
    assert!(text.contains("nothing could be probed") && text.contains("--script FILE"), "{text}");
    let script = setup.file("hello.toml", "[[steps]]\nrequest = \"GET /hello\"\n").display().to_string();
    let scripted = conform(&file, &["--json", "--script", &script]);
    assert_eq!(stage(&scripted, "start").0, "ok", "{scripted:#?}");
}

#[test]
fn a_script_that_is_answered_otherwise_is_a_failure() {
    let setup = Setup::new();
    let script = setup.file("counter.toml", COUNTER.replace("\"2\"", "\"3\"")).display().to_string();
    let ended = conform(&guest("counter"), &["--script", &script]);
    assert_eq!(ended.status.code(), DOES_NOT, "{ended:#?}");
    assert!(ended.stdout.contains("FAILS   script") && ended.stdout.contains("counter.toml:12:1"), "{ended:#?}");
}
