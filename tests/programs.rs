//! Programs in JavaScript and TypeScript, served as they are written.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

use crate::host::{Ended, Host, PATIENCE, Setup, cache, dohost};
use crate::http::{Connection, Reply, at_once};

const DOCUMENTED: &str = include_str!("programs/documented.js");
const COUNTERS: &str = include_str!("programs/counters.ts");
const HOSTILE: &str = include_str!("programs/hostile.js");

/// A set-up with these files in its directory, which serves the first of them.
pub fn program(files: &[(&str, &str)]) -> Setup {
    let setup = written(files);
    let file = setup.directory().join(files[0].0);
    setup.with([file])
}

fn written(files: &[(&str, &str)]) -> Setup {
    compile_the_runtime();
    let setup = Setup::new();
    for (name, text) in files {
        let path = setup.directory().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    setup
}

/// The first program that is served on a machine takes several seconds, which all tests would spend at once.
fn compile_the_runtime() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("first.js");
        std::fs::write(&file, DOCUMENTED).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dohost"));
        command.arg("check").arg(file).arg("--data-dir").arg(directory.path()).env("DOHOST_CACHE_DIR", cache());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    });
}

/// Calls a method over HTTP.
fn call(host: &Host, path: &str, arguments: &str) -> Reply {
    host.connect().send("POST", path, &[("content-type", "application/json")], arguments.as_bytes())
}

#[track_caller]
fn check(reply: Reply, status: u16, text: &str) {
    assert_eq!((reply.status, reply.text().trim_end()), (status, text));
}

#[test]
fn a_program_in_the_form_of_the_documentation_is_served_as_it_is() {
    let host = program(&[("counter.js", DOCUMENTED)]).start();
    assert!(host.ready_line.contains("classes: Counter behind the Worker "), "{}", host.ready_line);
    check(host.get("/increment"), 200, "1");
    check(host.get("/increment"), 200, "2");
    check(host.get("/other"), 404, "Not found");
    check(host.kill_and_start().get("/value"), 200, "2");
}

#[test]
fn a_worker_calls_methods_of_the_objects_that_it_names() {
    let toml = "[classes.Counter]\ncomponent = \"src/index.ts\"\n[workers.front]\ncomponent = \"src/index.ts\"\nbindings = { COUNTERS = \"Counter\" }\n";
    let setup = written(&[("dohost.toml", toml), ("src/index.ts", COUNTERS)]).with_config();
    let host = setup.start();
    check(host.get("/increment?name=A"), 200, "Counter 'A' is at 1");
    check(host.get("/increment?name=A"), 200, "Counter 'A' is at 2");
    check(host.get("/decrement?name=B"), 200, "Counter 'B' is at -1");
    check(host.get("/?name=A"), 200, "Counter 'A' is at 2");
    check(host.get("/"), 400, "Say which counter: ?name=A");
    check(host.get("/other?name=A"), 404, "Not found");
    check(host.kill_and_start().get("/?name=A"), 200, "Counter 'A' is at 2");
}

const CLASSES: &str = r#"
import { DurableObject } from "cloudflare:workers";

export class Counter extends DurableObject {
  async add(by, { twice } = {}) {
    const count = ((await this.ctx.storage.get("count")) ?? 0) + by * (twice ? 2 : 1);
    await this.ctx.storage.put("count", count);
    return count;
  }
  whoami() {
    return { class: this.constructor.name, name: this.ctx.id.name };
  }
  echo(value) {
    return value;
  }
  nothing() {}
  fail() {
    throw new RangeError("out of it");
  }
}

export class Shop extends DurableObject {
  async sell(name, by) {
    const counter = this.env.COUNTER.getByName(name);
    return { count: await counter.add(by, { twice: true }), counter: await counter.whoami() };
  }
  async values() {
    const sent = new Map([["a", new Set([1n, new Date(5)])], ["b", new Uint8Array([1, 2])]]);
    sent.set("itself", sent);
    const back = await this.env.COUNTER.getByName("x").echo(sent);
    return [back.get("itself") === back, [...back.get("a")].map((x) => x.toISOString?.() ?? String(x)), back.get("b").constructor.name];
  }
  async caught() {
    try {
      await this.env.COUNTER.getByName("x").fail();
    } catch (error) {
      return [error instanceof RangeError, error.message, error.remote];
    }
  }
}
"#;

#[test]
fn objects_of_one_program_call_each_other_and_are_called_from_outside() {
    let host = program(&[("app.js", CLASSES)]).start();
    check(
        call(&host, "/Shop/A/rpc/sell", r#"["x", 2]"#),
        200,
        r#"{"count":4,"counter":{"class":"Counter","name":"x"}}"#,
    );
    check(call(&host, "/Counter/x/rpc/add", "[3]"), 200, "7");
    check(call(&host, "/Shop/A/rpc/values", "[]"), 200, r#"[true,["1","1970-01-01T00:00:00.005Z"],"Uint8Array"]"#);
    check(call(&host, "/Shop/A/rpc/caught", ""), 200, r#"[true,"out of it",true]"#);
    check(call(&host, "/Counter/x/rpc/nothing", ""), 200, "null");
    let reply = call(&host, "/Counter/x/rpc/nope", "");
    let text = "class Counter has no method \"nope\"; it has add, echo, fail, nothing, whoami";
    check(reply, 404, text);
    assert_eq!(call(&host, "/Counter/x/rpc/add", "{\"by\": 1}").status, 400);
    assert_eq!(call(&host, "/Counter/x/rpc/add", "[1").status, 400);
    assert_eq!(host.get("/Counter/x/rpc/add").status, 405);
    let reply = call(&host, "/Counter/x/rpc/fail", "");
    assert_eq!(reply.status, 500);
    host.log_with("RangeError: out of it");
    let url = format!("http://{}", host.address);
    let ended = dohost(["call", "Counter", "x", "add", "[3]", "--url", &url]);
    assert_eq!(ended.stdout, "10\n", "{ended:?}");
    let document = host.get("/openapi.json");
    assert!(document.ok().contains("/Counter/{name}/rpc/add"), "{document:?}");
}

#[test]
fn the_answer_of_a_worker_is_not_taken_for_the_result_of_a_method() {
    let worker = format!("{CLASSES}\nexport default {{ fetch: () => new Response(\"41\") }};\n");
    let host = program(&[("app.js", &worker)]).start();
    let ended = dohost(["call", "Counter", "x", "add", "[3]", "--url", &format!("http://{}", host.address)]);
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    ended.says(&["no method has answered, but a Worker that gets this path", "routes in dohost.toml"]);
}

#[test]
fn the_log_says_in_one_line_why_a_worker_failed() {
    let program = program(&[("app.js", "export default { fetch() { throw new Error(\"boom\") } };")]);
    let host = program.start();
    assert_eq!(host.get("/").status, 500);
    let log = host.log_with("the Worker failed: Error: boom");
    assert!(!log.contains("InternalError"), "{log}");
}

const THROWS: &str = r#"import { DurableObject } from "cloudflare:workers";
import { type Options, check } from "./check";

interface Env {
  readonly COUNTER: unknown;
}

enum Kind {
  Small,
  Large,
}

export class Thrower extends DurableObject<Env> {
  constructor(
    private readonly state: any,
    env: Env,
  ) {
    super(state, env);
  }

  kind(): string {
    return Kind[Kind.Large];
  }

  async fail<T>(options: Options): Promise<T | undefined> {
    return check<T>(options);
  }
}
"#;

const CHECKS: &str = r#"export interface Options {
  how: string;
}

export function check<T>(options?: Options): T {
  const text: string = options!.how as string;
  throw new Error(`wrong: ${text}`);
}
"#;

#[test]
fn stack_traces_name_the_lines_of_the_typescript() {
    let host = program(&[("src/index.ts", THROWS), ("src/check.ts", CHECKS), ("package.json", "{}")]).start();
    check(call(&host, "/Thrower/A/rpc/kind", ""), 200, "\"Large\"");
    assert_eq!(call(&host, "/Thrower/A/rpc/fail", r#"[{ "how": "so" }]"#).status, 500);
    let log = host.log_with("src/check.ts:7:");
    assert!(log.contains("Error: wrong: so"), "{log}");
    assert!(log.contains("src/index.ts:26:"), "{log}");
}

#[test]
fn all_that_is_wrong_is_said_with_its_line_before_anything_is_served() {
    let b = "export const b = 1;\nconst c = ;\n";
    let setup =
        program(&[("a.js", "import { b } from './b.js';\nimport 'left-pad';\nexport default 1;\n"), ("b.js", b)]);
    let b_says = format!("{}:2:11: ", setup.directory().join("b.js").display());
    setup.fail().says(&["a.js:2:8: cannot find \"left-pad\"", " 2 | import 'left-pad';", &b_says, " 2 | const c = ;"]);

    let setup = program(&[("a.mjs", "export class A {\n  fetch() {}\n}\nnull.x;\n")]);
    setup.fail().says(&["a.mjs:4:", "TypeError", " 4 | null.x;"]);

    let setup = program(&[("a.js", "import fs from 'node:fs';\n")]);
    setup.fail().says(&["a.js:1:16: there is no module \"node:fs\"", "help: modules of Node.js are not there"]);

    program(&[("a.js", "export const a = 1;\n")])
        .fail()
        .says(&["there is nothing to serve in", "help: export a class"]);
    program(&[("a.js", "for (;;) {}\n")]).fail().says(&["were not evaluated within 5 s"]);
    let setup = written(&[("a.js", CLASSES)]);
    let class = format!("C={}#Conter", setup.directory().join("a.js").display());
    setup.with(["--class", &class]).fail().says(&["exports no class Conter", "help: did you mean Counter?"]);
}

#[test]
fn modules_of_files_and_packages_are_one_program() {
    let files = [
        (
            "src/main.js",
            "import { DurableObject } from 'cloudflare:workers';\nimport { name } from '#own';\nimport greet, { punctuation } from 'greetings';\nimport data from '../data.json';\nimport text from './text.txt';\nexport { Late } from './late.js';\nexport class Greeter extends DurableObject { hello() { return greet(name) + punctuation + data.n + text; } }\n",
        ),
        (
            "src/late.js",
            "import * as main from './main.js';\nexport class Late { fetch() { return new Response(typeof main.Greeter); } }\n",
        ),
        ("src/own.js", "export const name = 'you';\n"),
        ("src/text.txt", "`${x}`"),
        ("data.json", r#"{ "n": 3 }"#),
        ("package.json", r##"{ "imports": { "#own": "./src/own.js" } }"##),
        (
            "node_modules/greetings/package.json",
            r#"{ "type": "module", "exports": { ".": { "node": "./node.js", "import": "./lib/index.js" } } }"#,
        ),
        (
            "node_modules/greetings/lib/index.js",
            "export { default } from './greet.js';\nexport const punctuation = '!';\n",
        ),
        ("node_modules/greetings/lib/greet.js", "export default (name) => `Hello ${name}`;\n"),
    ];
    let host = program(&files).start();
    check(call(&host, "/Greeter/A/rpc/hello", ""), 200, "\"Hello you!3`${x}`\"");
    check(host.get("/Late/A/"), 200, "function");
}

#[test]
fn a_component_that_was_built_is_served_like_its_program() {
    let setup = written(&[("app.js", CLASSES)]);
    let (source, component) = (setup.directory().join("app.js"), setup.directory().join("built.wasm"));
    let ended = dohost(["build".as_ref(), source.as_os_str(), "-o".as_ref(), component.as_os_str()]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.stdout.contains("class Shop: caught, sell, values"), "{ended:?}");
    let described = |file: &Path| {
        let ended = dohost(["describe".as_ref(), file.as_os_str()]);
        ended.stdout.split_once('\n').expect("its name and more").1.to_string()
    };
    assert_eq!(described(&source), described(&component));
    assert!(described(&component).contains("class Counter\n  methods: add, echo, fail, nothing, whoami\n"));
    let host = setup.with([component]).start();
    check(call(&host, "/Counter/x/rpc/add", "[3]"), 200, "3");
    check(
        call(&host, "/Shop/A/rpc/sell", r#"["x", 2]"#),
        200,
        r#"{"count":7,"counter":{"class":"Counter","name":"x"}}"#,
    );
}

#[test]
fn the_same_program_is_the_same_component() {
    let build = || {
        let setup = written(&[("app.js", &format!("{CLASSES}\nconsole.log(Date.now());"))]);
        let component = setup.directory().join("app.wasm");
        let cache = setup.directory().join("cache");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_dohost"));
        command.arg("build").arg(setup.directory().join("app.js")).env("DOHOST_CACHE_DIR", cache);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        std::fs::read(component).unwrap()
    };
    assert!(build() == build());
}

/// Increments through the Worker until the connection is gone.
fn increment_until_closed(address: &str, sent: &AtomicU64, acknowledged: &Mutex<Vec<u64>>) {
    let Ok(mut connection) = Connection::open(address) else { return };
    loop {
        sent.fetch_add(1, Ordering::Relaxed);
        match connection.try_send("GET", "/increment", &[], b"") {
            Ok(reply) => acknowledged.lock().unwrap().push(reply.number()),
            Err(_) => return,
        }
    }
}

#[test]
fn increments_of_a_program_that_were_acknowledged_survive_kill_9() {
    const CLIENTS: usize = 64;
    const KILLS: u64 = 4;
    let setup = program(&[("counter.js", DOCUMENTED)]);
    let (sent, acknowledged) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    for round in 0..KILLS {
        let host = setup.start();
        let address = host.address.clone();
        let doomed = Mutex::new(Some(host));
        at_once(CLIENTS + 1, |thread| {
            if thread == CLIENTS {
                // In the middle of the work, however busy the machine is.
                let before = acknowledged.lock().unwrap().len();
                let deadline = Instant::now() + PATIENCE;
                while acknowledged.lock().unwrap().len() < before + CLIENTS && Instant::now() < deadline {
                    std::thread::sleep(Duration::from_millis(2 + round));
                }
                doomed.lock().unwrap().take().expect("it is killed once").kill();
            } else {
                increment_until_closed(&address, &sent, &acknowledged);
            }
        });
    }
    let value = setup.start().get("/value").number();
    let mut acknowledged = acknowledged.into_inner().unwrap();
    acknowledged.sort_unstable();
    assert!(acknowledged.windows(2).all(|pair| pair[0] < pair[1]), "a number was given twice");
    let highest = acknowledged.last().copied().unwrap_or_default();
    assert!((highest..=sent.into_inner()).contains(&value), "{highest} was acknowledged, {value} is there");
    assert!(acknowledged.len() > CLIENTS, "only {} were acknowledged", acknowledged.len());
}

#[test]
fn hostile_programs_harm_nobody_but_their_own_object() {
    let setup = program(&[("hostile.js", HOSTILE)]);
    let host = setup.with(["--limit", "turn-cpu=1s", "--limit", "memory=48MiB", "--limit", "event-time=3s"]).start();
    let increment =
        |name: &str| call(&host, &format!("/Hostile/{name}/rpc/increment"), "").text().trim_end().to_string();
    assert_eq!(increment("A"), "1");
    // What it wrote in the turn that never ended is gone.
    let reply = call(&host, "/Hostile/A/rpc/loop", "");
    assert!((500..=503).contains(&reply.status), "{reply:?}");
    assert_eq!(increment("A"), "2");
    for (method, status) in [("hog", 500), ("recurse", 500), ("fail", 500)] {
        let reply = call(&host, &format!("/Hostile/{method}/rpc/{method}"), "");
        assert_eq!(reply.status, status, "{method}: {reply:?}");
    }
    host.log_with("RangeError: Maximum call stack size exceeded");
    host.log_with("TypeError: as it is");
    check(call(&host, "/Hostile/A/rpc/reject", ""), 200, "\"fine\"");
    host.log_with("nobody waits for this");
    assert_eq!(call(&host, "/Hostile/B/rpc/never", "").status, 503);
    // What failed wrote before it did.
    assert_eq!(increment("fail"), "8");
    for name in ["hog", "recurse", "B"] {
        assert_eq!(increment(name), "1", "{name}");
    }
    assert_eq!(call(&host, "/Hostile/A/rpc/secret", "").status, 404);
    assert_eq!(call(&host, "/Hostile/A/rpc/constructor", "").status, 404);
    assert_eq!(call(&host, "/Hostile/A/rpc/toString", "").status, 404);
    assert_eq!(increment("A"), "3");
}

#[test]
fn a_program_that_was_changed_is_built_again_and_its_objects_keep_what_they_stored() {
    let counter = |by: u32| {
        format!(
            "import {{ DurableObject }} from 'cloudflare:workers';\nexport class Counter extends DurableObject {{\n  async add() {{\n    const n = ((await this.ctx.storage.get('n')) ?? 0) + {by};\n    await this.ctx.storage.put('n', n);\n    return n;\n  }}\n}}\n"
        )
    };
    let setup = program(&[("counter.js", &counter(1))]);
    let host = setup.start();
    check(call(&host, "/Counter/A/rpc/add", ""), 200, "1");
    setup.file("counter.js", counter(10));
    let changed = Instant::now();
    host.signal("HUP");
    host.log_with("deployed: ");
    check(call(&host, "/Counter/A/rpc/add", ""), 200, "11");
    assert!(changed.elapsed() < PATIENCE);
    setup.file("counter.js", "export class Counter {{\n");
    host.signal("HUP");
    let log = host.log_with("not deployed, everything is as it was");
    assert!(log.contains("counter.js:1:"), "{log}");
    check(call(&host, "/Counter/A/rpc/add", ""), 200, "21");
}

/// Each would go on for ever. What it goes through takes more of the engine's own stack than a call does.
const RECURSIONS: &str = r#"
import { DurableObject } from "cloudflare:workers";

const nested = (depth) => { let value = 0; for (let i = 0; i < depth; i++) value = [value]; return value; };

const recursions = {
  call() { const f = () => f() + 1; return f(); },
  getter() { const o = { get x() { return this.x + 1; } }; return o.x; },
  proxy() { const p = new Proxy({}, { get: (target, key, receiver) => receiver[key] }); return p.x; },
  replace() { const f = () => "aa".replace(/a/g, f); return f(); },
  sort() { const f = () => [1, 2].sort(f); return f(); },
  text() { const o = { toString: () => `${o}` }; return `${o}`; },
  constructor() { class A { constructor() { this.a = new A(); } } return new A(); },
  generator() { function* f() { yield* f(); } return f().next(); },
  toJSON() { const o = { toJSON: () => JSON.stringify(o) }; return JSON.stringify(o); },
  stringify() { return JSON.stringify(nested(100_000)); },
  flat() { return nested(100_000).flat(Infinity); },
  async async() { const f = async () => 1 + (await f()); return f(); },
};

export class Deep extends DurableObject {
  memory = 0;
  async all() {
    const wrong = [];
    for (const [name, recurse] of Object.entries(recursions)) {
      try {
        wrong.push(`${name} gave ${await recurse()}`);
      } catch (error) {
        if (!(error instanceof RangeError)) wrong.push(`${name}: ${error}`);
      }
      this.memory += 1;
    }
    return wrong;
  }
  lived() {
    return this.memory === Object.keys(recursions).length;
  }
}
"#;

#[test]
fn recursion_without_end_is_a_range_error_whatever_it_goes_through() {
    let host = program(&[("deep.js", RECURSIONS)]).start();
    check(call(&host, "/Deep/A/rpc/all", ""), 200, "[]");
    check(call(&host, "/Deep/A/rpc/lived", ""), 200, "true");
}

#[test]
fn a_deploy_that_takes_a_method_of_a_program_away_is_refused_unless_it_is_forced() {
    let methods = |methods: &str| {
        let head =
            "import { DurableObject } from 'cloudflare:workers';\nexport class Counter extends DurableObject {\n";
        format!("{head}{methods}\n}}\n")
    };
    let host = program(&[("counter.js", &methods("add() { return 1; } reset() {}"))]).start();
    check(call(&host, "/Counter/A/rpc/add", ""), 200, "1");
    host.setup.file("counter.js", methods("add() { return 2; } subtract() {}"));
    let data = host.setup.data();
    let deploy = |more: &[&str]| {
        let arguments = ["deploy", "--data-dir"].map(OsString::from).into_iter().chain([data.clone().into()]);
        dohost(arguments.chain(more.iter().map(OsString::from)))
    };
    deploy(&[]).says(&["the new code breaks callers of its methods:\n  Counter: reset: the method is gone", "--force"]);
    check(call(&host, "/Counter/A/rpc/add", ""), 200, "1");
    let forced = deploy(&["--force"]);
    assert!(forced.status.success(), "{forced:?}");
    check(call(&host, "/Counter/A/rpc/add", ""), 200, "2");
    host.setup.file("counter.js", methods("add() { return 3; } subtract() {} reset() {}"));
    let added = deploy(&[]);
    assert!(added.status.success(), "new methods break nobody: {added:?}");
    check(call(&host, "/Counter/A/rpc/add", ""), 200, "3");
}

#[test]
fn a_check_says_what_a_program_comes_to() {
    let toml = "[classes.Till]\ncomponent = \"app.js\"\nclass = \"Shop\"\n[classes.Counter]\ncomponent = \"app.js\"\n[workers.w]\ncomponent = \"app.js\"\n";
    let setup = written(&[("app.js", CLASSES), ("dohost.toml", toml)]);
    let check = || -> Ended {
        dohost(["check".into(), "--config".into(), setup.directory().join("dohost.toml").into_os_string()])
    };
    check().says(&["dohost.toml:7:13: ", "app.js is no Worker: it has no default export with fetch"]);
    setup.file("dohost.toml", toml.split_once("[workers").unwrap().0);
    let ended = check();
    assert!(ended.status.success() && ended.stdout.contains("Shop"), "{ended:?}");
}
