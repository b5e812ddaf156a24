//! What one meets in the first hour: what is typed wrong, what a log says of a program that fails, and what is done without being told.

use crate::host::{Ended, Host, Setup, guest, run};
use crate::programs::program;
use crate::websocket::WebSocket;

const FAILING: &str = r#"
import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/throw") deep();
    if (pathname === "/abort") this.ctx.abort("enough of it");
    if (pathname === "/loop") for (;;) {}
    if (pathname === "/ws") {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    if (pathname === "/codes") return new Response(refusedCodes());
    return new Response(stacks());
  }
}
function deep() {
  throw new RangeError("it's \"too\" deep");
}
function refusedCodes() {
  const refused = [];
  for (let code = 990; code < 5010; code += 1) {
    const { 0: socket } = new WebSocketPair();
    socket.accept();
    try { socket.close(code); } catch (error) { refused.push(error.name === "InvalidAccessError" ? code : error); }
  }
  return refused.join();
}
function stacks() {
  class Own extends Error {
    constructor(message) {
      super(message);
      this.name = "Own";
      Error.captureStackTrace(this, Own);
    }
  }
  const thrown = [() => { deep(); }, () => { null.x; }, () => { throw new Own("mine"); }, () => { throw new Error(); }];
  const caught = thrown.map((act) => { try { act(); } catch (error) { return error; } });
  return caught.map((error) => error.stack).join("\n--\n");
}
"#;

fn failing() -> Host {
    program(&[("room.js", FAILING)]).with(["--limit", "turn-cpu=300ms"]).start()
}

#[test]
fn a_stack_begins_with_the_exception_and_has_the_frames_of_the_program() {
    let host = failing();
    let stacks = host.get("/Room/a/").ok().to_string();
    let all: Vec<Vec<&str>> = stacks.split("\n--\n").map(|stack| stack.lines().collect()).collect();
    let first: Vec<&str> = all.iter().map(|stack| stack[0]).collect();
    assert_eq!(first[0], "RangeError: it's \"too\" deep");
    assert!(first[1].starts_with("TypeError: ") && first[1].len() > 20, "{first:?}");
    assert_eq!(first[2..], ["Own: mine", "Error"]);
    for stack in &all {
        assert!(stack.len() > 1 && stack[1..].iter().all(|line| line.starts_with("    at ")), "{stack:?}");
        assert!(stack[1..].iter().all(|line| line.contains("room.js:")), "{stack:?}");
    }
    assert!(all[0][1].contains("at deep (room.js:19:"), "{:?}", all[0]);
}

#[test]
fn a_program_closes_websockets_with_codes_that_clients_understand() {
    let host = failing();
    let expected: Vec<String> = [990..1000, 1004..1007, 1015..3000, 5000..5010]
        .into_iter()
        .flatten()
        .map(|code: u32| code.to_string())
        .collect();
    assert_eq!(host.get("/Room/a/codes").ok(), expected.join(","));
}

#[test]
fn a_log_says_in_words_of_the_program_why_it_failed() {
    let host = failing();
    for path in ["throw", "abort", "loop"] {
        assert_eq!(host.get(&format!("/Room/a/{path}")).status, 500);
    }
    let log = host.log_with("the limit turn-cpu");
    for text in [
        "Uncaught RangeError: it's \"too\" deep",
        "    at deep (room.js:19:",
        "the object threw an exception: Room/a: RangeError: it's \"too\" deep",
        "reset: enough of it",
        "reset: it ran for more than 300 ms without waiting for anything, the limit turn-cpu",
    ] {
        assert!(log.contains(text), "{text:?} is not in {log}");
    }
    for text in ["wasm", "Caused by", "\\'", "\\\""] {
        assert!(!log.contains(text), "{text:?} is in {log}");
    }
}

#[test]
fn messages_that_no_method_takes_are_told_of_once() {
    let host = failing();
    let mut socket = WebSocket::open(&host, "/Room/a/ws");
    socket.send("one");
    socket.send("two");
    socket.close(Some((1000, "")));
    let log = host.log_with("Room accepted a WebSocket with acceptWebSocket() and has no method webSocketMessage()");
    assert_eq!(log.matches("has no method webSocketMessage").count(), 1, "{log}");
}

#[test]
fn a_host_listens_on_localhost_and_on_a_port_alone() {
    let check = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dohost"));
        command.arg("check").arg(guest("counter")).args(arguments).env_remove("DOHOST_LISTEN");
        run(command)
    };
    assert!(check(&["--listen", "localhost:9123"]).stdout.contains(":9123"));
    assert!(check(&["--port", "9124"]).stdout.contains("127.0.0.1:9124"));
    assert!(check(&["--listen", "0.0.0.0:1", "--port", "9125"]).stdout.contains("0.0.0.0:9125"));
    for (wrong, said) in [
        ("8787", "127.0.0.1:8787 for this machine, 0.0.0.0:8787 for all"),
        ("127.0.0.1", "the port is missing, such as 127.0.0.1:8787"),
        ("localhost", "give an IP address with a port, such as 127.0.0.1:8787"),
    ] {
        let ended = check(&["--listen", wrong]);
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(ended.stderr.contains(said), "{ended:?}");
    }
}

#[test]
fn a_call_reaches_the_host_that_the_configuration_is_of() {
    let setup = Setup::new();
    let host = setup.clone().class("counter", "counter").start();
    let call = |setup: &Setup| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dohost"));
        command.args(["call", "counter", "A", "value"]).current_dir(setup.directory()).env_remove("DOHOST_LISTEN");
        run(command)
    };
    let port = host.address.rsplit_once(':').unwrap().1;
    setup.file("dohost.toml", format!("listen = \"0.0.0.0:{port}\"\n"));
    assert_eq!(call(&setup).stdout, "0\n");
    setup.file("dohost.toml", "listen = \"nowhere\"\n");
    call(&setup).says(&["\"nowhere\" is not an address to listen on", "dohost.toml:1:10"]);
}

const SHOP: &str = "import { DurableObject } from 'cloudflare:workers';\nexport class Counter extends DurableObject {\n  fetch() { return new Response('1'); }\n}\n";

fn in_directory(files: &[(&str, &str)], arguments: &[&str]) -> (Setup, Ended) {
    let setup = program(files);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dohost"));
    command.args(arguments).current_dir(setup.directory());
    let ended = run(command);
    (setup, ended)
}

#[test]
fn a_class_that_is_typed_wrong_is_not_another_name_for_the_only_one() {
    let toml = |name: &str| format!("[classes.{name}]\ncomponent = \"app.js\"\n");
    let check = |toml: &str| in_directory(&[("app.js", SHOP), ("dohost.toml", toml)], &["check"]).1;
    check(&toml("Countr")).says(&[
        "dohost.toml:1:10: app.js exports no class Countr",
        "help: did you mean Counter? To serve Counter as Countr, write class = \"Counter\" below",
    ]);
    for meant in [toml("counter"), toml("visits"), toml("Countr") + "class = \"Counter\"\n"] {
        let ended = check(&meant);
        assert!(ended.status.success(), "{meant}: {ended:?}");
    }
}

#[test]
fn a_build_without_a_file_builds_the_programs_of_the_configuration() {
    let toml = "[classes.Counter]\ncomponent = \"src/app.js\"\n[classes.Other]\ncomponent = \"src/app.js\"\nclass = \"Counter\"\n";
    let (setup, ended) = in_directory(&[("src/app.js", SHOP), ("dohost.toml", toml)], &["build"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stdout.matches("class Counter: fetch").count(), 1, "once: {ended:?}");
    assert!(setup.directory().join("src/app.wasm").exists());
    let (_setup, ended) = in_directory(&[("app.js", SHOP)], &["build"]);
    ended.says(&["there is nothing to build", "help: give a program of JavaScript: dohost build FILE"]);
}

#[test]
fn an_import_of_what_is_not_exported_is_said_with_its_line() {
    let main = "import { a } from './lib/a.js';\nimport {\n  a as again,\n  b,\n} from './lib/a.js';\nexport default { fetch() { return new Response(a + b + again); } };\n";
    let setup = program(&[("main.js", main), ("lib/a.js", "export const a = 1;\n")]);
    setup.fail().says(&["main.js:4:3: SyntaxError: Could not find export 'b'", " 4 |   b,"]);
}

#[test]
fn a_test_runs_against_a_file() {
    let script = "[[steps]]\nrequest = \"GET /Counter/a\"\nexpect = { text = \"1\" }\n";
    let (_setup, ended) = in_directory(&[("app.js", SHOP), ("one.toml", script)], &["test", "one.toml", "app.js"]);
    assert!(ended.stdout.ends_with("1 passed, 0 failed\n"), "{ended:?}");
    let (_setup, ended) = in_directory(&[("app.js", SHOP), ("tests/one.toml", script)], &["test", "app.js"]);
    assert!(ended.stdout.ends_with("1 passed, 0 failed\n"), "{ended:?}");
}
