//! What a program runs on: dohost, or workerd.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use heck::ToShoutySnakeCase;
use tempfile::TempDir;

use crate::host::{Host, Setup};

use super::program::{Program, modules};

pub enum Runtime {
    Dohost,
    /// With the path of its binary.
    Workerd(PathBuf),
}

/// A program that is served. Dropped, it is killed.
pub enum Served {
    Dohost(Box<Host>),
    Workerd(Workerd),
}

/// What the programs may rely on; the date is that of the recorded answers.
const COMPATIBILITY_DATE: &str = "2026-10-01";

/// A variable that every program has in its `env`.
const VARIABLE: (&str, &str) = ("GREETING", "hello");

impl Runtime {
    pub fn serve(&self, program: &Program) -> Result<Served, String> {
        match self {
            Runtime::Dohost => serve_on_dohost(program),
            Runtime::Workerd(binary) => Workerd::start(binary, program).map(Served::Workerd),
        }
    }
}

impl Served {
    pub fn address(&self) -> &str {
        match self {
            Served::Dohost(host) => &host.address,
            Served::Workerd(workerd) => &workerd.address,
        }
    }

    /// Kills it and starts another one on the same data.
    pub fn restart(self) -> Result<Served, String> {
        match self {
            Served::Dohost(host) => {
                let setup = host.setup.clone();
                host.kill();
                start(&setup)
            }
            Served::Workerd(workerd) => workerd.restart().map(Served::Workerd),
        }
    }
}

fn serve_on_dohost(program: &Program) -> Result<Served, String> {
    let setup = Setup::new();
    let classes = program.classes();
    setup.file("dohost.toml", toml(&program.file, classes.iter().map(|(class, _)| class.as_str())));
    start(&setup.with_config())
}

/// Serves all programs as one: its Worker hands each request to the program of that host.
///
/// A program for each would take minutes to compile. They have to share one list of classes, so theirs are exported under
/// other names, and see their own under the names that they have.
pub fn serve_together(programs: &[&Program]) -> Result<Served, String> {
    let setup = Setup::new();
    let (mut module, mut table, mut classes) = (String::from(TOGETHER), String::new(), Vec::new());
    for program in programs {
        let name = program.name.replace('-', "_");
        let mut bindings = String::new();
        let _ = writeln!(module, "import * as {name} from {:?};", program.file);
        for (class, binding) in program.classes() {
            let exported = format!("{name}_{class}");
            let _ = write!(bindings, "{binding}: {:?}, ", exported.to_shouty_snake_case());
            let _ =
                writeln!(module, "export const {exported} = ofProgram({name}, {class:?}, (env) => {name}_env(env));");
            classes.push(exported);
        }
        let _ = writeln!(module, "const {name}_env = (env) => own(env, {{ {bindings}}});");
        let _ = writeln!(table, "  {:?}: [{name}.default, {name}_env],", program.host());
    }
    let _ = writeln!(module, "const programs = {{\n{table}}};");
    let module = setup.file("together.js", module);
    setup.file("dohost.toml", toml(&module, classes.iter().map(String::as_str)));
    start(&setup.with_config())
}

/// How the module of all programs begins.
const TOGETHER: &str = r#"
const own = (env, names) => {
  const own = { GREETING: env.GREETING };
  for (const [name, binding] of Object.entries(names)) own[name] = env[binding];
  return own;
};
const ofProgram = (program, name, environment) => ({
  [name]: class extends program[name] {
    constructor(ctx, env) {
      super(ctx, environment(env));
    }
  },
})[name];
export default {
  fetch(request, env, ctx) {
    const [program, environment] = programs[new URL(request.url).hostname];
    if (typeof program === "function") return new program(ctx, environment(env)).fetch(request);
    return program.fetch(request, environment(env), ctx);
  },
};
"#;

fn toml<'a>(file: &Path, classes: impl Iterator<Item = &'a str>) -> String {
    let mut toml = format!("[vars]\n{} = {:?}\n", VARIABLE.0, VARIABLE.1);
    for class in classes {
        let _ = writeln!(toml, "[classes.{class:?}]\ncomponent = {file:?}");
    }
    toml + &format!("[workers.front]\ncomponent = {file:?}\n")
}

fn start(setup: &Setup) -> Result<Served, String> {
    setup.try_start().map(|host| Served::Dohost(Box::new(host))).map_err(|ended| ended.stderr)
}

/// A workerd process with its configuration and data.
pub struct Workerd {
    binary: PathBuf,
    directory: TempDir,
    address: String,
    child: Child,
}

impl Workerd {
    fn start(binary: &Path, program: &Program) -> Result<Workerd, String> {
        let directory = tempfile::Builder::new().prefix("dohost-corpus-").tempdir().expect("a temporary directory");
        for folder in ["data", "lib"] {
            std::fs::create_dir(directory.path().join(folder)).expect("a directory");
        }
        std::fs::write(directory.path().join("config.capnp"), config(program)).expect("a file");
        // Cap'n Proto embeds files below its own only.
        for (name, file) in modules_of(program) {
            std::fs::copy(file, directory.path().join(name)).expect("a file");
        }
        Workerd::run(binary.to_path_buf(), directory)
    }

    fn run(binary: PathBuf, directory: TempDir) -> Result<Workerd, String> {
        // It tells the port on a file descriptor of choice, as JSON.
        let mut child = Command::new(&binary)
            .args(["serve", "config.capnp", "--socket-addr=http=127.0.0.1:0", "--control-fd=1"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let mut errors = child.stderr.take().expect("stderr is a pipe");
        // It must not wait for a reader of its logs.
        let log = std::thread::spawn(move || std::io::read_to_string(&mut errors).unwrap_or_default());
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let event: serde_json::Value = serde_json::from_str(&line).ok()?;
            (event["event"] == "listen").then(|| event["port"].as_u64()).flatten()
        });
        std::thread::spawn(move || lines.for_each(drop));
        let Some(port) = port else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(log.join().expect("a reader does not panic"));
        };
        Ok(Workerd { binary, directory, address: format!("127.0.0.1:{port}"), child })
    }

    fn restart(mut self) -> Result<Workerd, String> {
        self.kill();
        let directory = std::mem::replace(&mut self.directory, TempDir::new().expect("a temporary directory"));
        Workerd::run(self.binary.clone(), directory)
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Workerd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The entry first.
fn modules_of(program: &Program) -> Vec<(String, PathBuf)> {
    let entry = ("program.js".to_string(), program.file.clone());
    std::iter::once(entry).chain(modules()).collect()
}

fn config(program: &Program) -> String {
    let module = |(name, _): (String, PathBuf)| format!("    (name = {name:?}, esModule = embed {name:?}),\n");
    let all_modules: String = modules_of(program).into_iter().map(module).collect();
    let classes = program.classes();
    let namespaces: String = classes
        .iter()
        .map(|(class, _)| format!("    (className = {class:?}, uniqueKey = {class:?}, enableSql = true),\n"))
        .collect();
    let bindings: String = classes
        .iter()
        .map(|(class, binding)| format!("    (name = {binding:?}, durableObjectNamespace = {class:?}),\n"))
        .collect();
    let (variable, value) = VARIABLE;
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .program),
    (name = "data", disk = (path = "data", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const program :Workerd.Worker = (
  modules = [
{all_modules}  ],
  compatibilityDate = "{COMPATIBILITY_DATE}",
  durableObjectNamespaces = [
{namespaces}  ],
  durableObjectStorage = (localDisk = "data"),
  bindings = [
    (name = {variable:?}, text = {value:?}),
{bindings}  ],
);
"#
    )
}
