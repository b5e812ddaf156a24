//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use dohost_egress::Destination;

use crate::limit::LimitSetting;
use crate::listen;
use crate::new::Language;
use crate::objects::args::{Deploy, Objects, Stats};
use crate::size;

/// Durable Objects on a machine you own, in any language that compiles to WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "dohost", version, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(Box<Serve>),
    Build(Build),
    Call(Call),
    Describe(Describe),
    Types(Box<Types>),
    Check(Box<Check>),
    Objects(Box<Objects>),
    Stats(Stats),
    Deploy(Deploy),
    New(New),
    Test(Test),
    Conform(Conform),
    Dev(Box<Dev>),
    /// List the limits of an object, with their defaults and what happens when they are hit.
    Limits,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  Serve the objects of one component; /counter/A/increment reaches the object named A
      dohost serve counter.wasm

  Serve every class of a program in JavaScript or TypeScript, and its default export as the Worker
      dohost serve counter.js

  Serve what dohost.toml in this directory says, on another port
      dohost serve --listen 127.0.0.1:9000

  Two classes, one of them under another name than its file, and data elsewhere
      dohost serve counter.wasm --class room=build/chat.wasm --data-dir /var/lib/dohost

  A Worker in front: it gets every request and calls the objects
      dohost serve counter.wasm --worker tutorial.wasm

  Smaller objects, and a class with other limits than the rest
      dohost serve counter.wasm chat.wasm --limit memory=32MiB --limit chat:events=10000

  On all addresses, logs as JSON
      dohost serve counter.wasm --listen 0.0.0.0:8787 --log-format json";

/// Serve objects over HTTP.
///
/// What is served says the file dohost.toml, or else the arguments: each FILE is a WebAssembly component built for the world
/// dohost:object/object; it becomes a class named like the file. Or it is a program in JavaScript or TypeScript: each class
/// that it exports is served under its name, and its default export is the Worker. A request for /{class}/{name}/{path} reaches the object of
/// that name, which sees /{path}. Objects start when they are first asked, go to sleep when they are idle, and keep what they
/// stored.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = SERVE_EXAMPLES, after_help = "`dohost serve --help` shows examples.")]
pub struct Serve {
    #[command(flatten)]
    pub application: Application,

    /// Apply migrations that delete classes with all of their objects
    #[arg(long)]
    pub allow_delete: bool,

    /// How log lines look; they go to stderr
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "DOHOST_LOG_FORMAT")]
    pub log_format: LogFormat,

    /// What is logged: a level, or targets with levels such as info,access=debug,guest=off
    #[arg(long, value_name = "FILTER", default_value = "info", env = "DOHOST_LOG")]
    pub log: String,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  Check dohost.toml in this directory, and say what it comes to
      dohost check

  Another file, for a program to read
      dohost check --config app/dohost.toml --json

  The JSON schema of dohost.toml, for editors
      dohost check --schema > dohost.schema.json";

/// Check what `dohost serve` with the same arguments would serve, and print it.
///
/// Components are compiled and compared with the world, the environment is looked at for secrets, and nothing is started or
/// changed. The exit code is 0 if it could be served, 1 if not, 2 if the arguments make no sense.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = CHECK_EXAMPLES, after_help = "`dohost check --help` shows examples.")]
pub struct Check {
    #[command(flatten)]
    pub application: Application,

    /// Deletions of classes with all of their objects are meant
    #[arg(long)]
    pub allow_delete: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Print the JSON schema of dohost.toml, and check nothing
    #[arg(long)]
    pub schema: bool,
}

/// What is to be served, and how.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Application {
    /// Components to serve, each as a class named like its file without the extension, and programs in JavaScript or TypeScript
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// Serve what this file says; arguments win over it [default: dohost.toml, unless FILE, --class or --worker is given]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["files", "classes", "worker"])]
    pub config: Option<PathBuf>,

    /// Serve FILE as the class NAME, or one of the classes of a program; may be given many times
    #[arg(long = "class", value_name = "NAME=FILE[#CLASS]", value_parser = parse_class)]
    pub classes: Vec<(String, PathBuf)>,

    /// A wasi:http component, or a program in JavaScript, that gets every request and calls objects itself
    #[arg(long, value_name = "FILE")]
    pub worker: Option<PathBuf>,

    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:8787]
    #[arg(long, value_name = "ADDRESS", env = "DOHOST_LISTEN", value_parser = listen::parse)]
    pub listen: Option<SocketAddr>,

    /// Listen on this port of that address
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Directory that holds everything the objects store; made if it is missing [default: .dohost, next to dohost.toml if there is one]
    #[arg(long, value_name = "DIR", env = "DOHOST_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// How long an object without requests stays in memory [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub idle_timeout: Option<Duration>,

    /// How long a stop waits for requests that are running [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub shutdown_timeout: Option<Duration>,

    /// How long an object may take to finish its requests before it moves to new code; it is reset then [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub drain_timeout: Option<Duration>,

    /// Threads that run objects and connections [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Objects that may be in memory at once [default: what vm.max_map_count allows, 10000 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_resident: Option<u32>,

    /// Alarms whose handlers may run at once, over all objects; others wait [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_alarms: Option<u32>,

    /// Connections of clients that may be open at once; more wait until others close [default: 10000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: Option<u32>,

    /// WebSockets that may be open at once, over all objects; one more is refused [default: 100000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_websockets: Option<u32>,

    /// Give the objects of CLASS, or of all classes, another limit; may be given many times. `dohost limits` lists them
    #[arg(long = "limit", value_name = "[CLASS:]NAME=VALUE", value_parser = LimitSetting::parse)]
    pub limits: Vec<LimitSetting>,

    /// Let each object of CLASS handle one event after the other, also where it waits for something else than storage
    #[arg(long, value_name = "CLASS")]
    pub serial: Vec<String>,

    /// Let objects send requests to this destination, and to no others but those given like this: HOST, *.HOST, HOST:PORT.
    /// One that is named without a wildcard may have a private address [default: every public address]
    #[arg(long, value_name = "DESTINATION")]
    pub allow_outgoing: Vec<Destination>,

    /// Let objects send no requests to the network
    #[arg(long, conflicts_with = "allow_outgoing")]
    pub no_outgoing: bool,

    /// Believe servers with certificates that lead to those in this PEM file, beside the usual ones
    #[arg(long, value_name = "FILE", conflicts_with = "no_outgoing")]
    pub outgoing_ca: Option<PathBuf>,

    /// Listen for management on this address too, for those who have the token in DOHOST_MANAGEMENT_TOKEN
    #[arg(long, value_name = "ADDRESS", value_parser = listen::parse)]
    pub management_listen: Option<SocketAddr>,

    /// Make no management socket in the data directory
    #[arg(long)]
    pub no_management: bool,

    /// Memory for pages of the data file [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| size::STORE_CACHE.parse(text))]
    pub store_cache: Option<u64>,

    /// Size of each of the two files of the log: a larger one is checkpointed less often, and takes longer to start from after
    /// a crash [default: 16MiB]
    #[arg(long, value_name = "SIZE", value_parser = |text: &str| size::STORE_LOG.parse(text))]
    pub store_log: Option<u64>,

    /// Check the whole data file before serving, however large it is and however it was closed
    #[arg(long)]
    pub verify_store: bool,
}

const BUILD_EXAMPLES: &str = "\
Examples:
  Write counter.wasm, which is served like any other component
      dohost build counter.js
      dohost serve counter.wasm

  Another file
      dohost build src/index.ts -o target/shop.wasm

  An object in Rust
      dohost build target/wasm32-unknown-unknown/release/counter.wasm -o counter.wasm

  Run the command in [build] of dohost.toml in this directory, or else build the programs that it names
      dohost build";

/// Make a component of a program in JavaScript or TypeScript, or run the command that dohost.toml has for building.
///
/// `dohost serve` builds JavaScript by itself; the component is for other machines. It holds every module that the program
/// imports, as it is once all of them have been evaluated. The same goes for a core module that says which world it is made for,
/// such as cargo makes of an object in Rust.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = BUILD_EXAMPLES, after_help = "`dohost build --help` shows examples.")]
pub struct Build {
    /// The module where the program begins, or a core module of WebAssembly
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// The component [default: the same name with .wasm; with .component.wasm of a core module]
    #[arg(short, long, value_name = "FILE", requires = "file")]
    pub output: Option<PathBuf>,

    /// The file with the command [default: dohost.toml]
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub config: Option<PathBuf>,
}

const TYPES_EXAMPLES: &str = "\
Examples:
  For what dohost.toml in this directory says; it writes worker-configuration.d.ts
      dohost types

  For a program without a dohost.toml, into another file
      dohost types src/index.ts -o src/env.d.ts";

/// Write what TypeScript has to know: the types of objects, stores and stubs, and `Env` with the bindings of what is served.
///
/// Name the file in tsconfig.json under "include" or "types", with "lib": ["ESNext", "WebWorker"].
#[derive(Debug, ClapArgs)]
#[command(after_long_help = TYPES_EXAMPLES, after_help = "`dohost types --help` shows examples.")]
pub struct Types {
    #[command(flatten)]
    pub application: Application,

    /// The file to write [default: worker-configuration.d.ts, next to dohost.toml if there is one]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

const CALL_EXAMPLES: &str = "\
Examples:
  A method with a parameter, and one without
      dohost call counter A increment '{\"by\": 2}'
      dohost call counter A value

  Arguments in order, to a host elsewhere
      dohost call shop cart-7 add '[\"apple\", 3]' --url http://10.0.0.5:8787

  One of several methods with the same name
      dohost call shop cart-7 cart.add '[\"apple\", 3]'";

/// Call a method of an object on a host that runs, and print its result as JSON.
///
/// Methods are the functions that a component exports beside the interfaces of dohost and WASI; `dohost describe FILE`
/// lists them. The exit code is 1 if the call failed, or if the method gave an error.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = CALL_EXAMPLES, after_help = "`dohost call --help` shows examples.")]
pub struct Call {
    /// The class of the object
    pub class: String,

    /// The name of the object
    pub name: String,

    /// The method, as `dohost describe` calls it
    pub method: String,

    /// The arguments in JSON: an object by the names of the parameters, or an array in their order; `-` reads them from
    /// standard input
    #[arg(value_name = "ARGUMENTS", default_value = "")]
    pub arguments: String,

    /// Where the host serves [default: http:// and the address in DOHOST_LISTEN, or that in dohost.toml, or 127.0.0.1:8787]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

const DESCRIBE_EXAMPLES: &str = "\
Examples:
  The methods of a component, in WIT
      dohost describe counter.wasm

  What another guest imports to call them with their types
      dohost describe counter.wasm --client > wit/deps/counter-client.wit

  For programs
      dohost describe counter.wasm --openapi";

/// Print what a component can be asked: its methods with their types.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = DESCRIBE_EXAMPLES, after_help = "`dohost describe --help` shows examples.")]
pub struct Describe {
    /// The component
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// As JSON
    #[arg(long, conflicts_with_all = ["openapi", "client"])]
    pub json: bool,

    /// As an OpenAPI document for a class named like the file
    #[arg(long, conflicts_with_all = ["json", "client"])]
    pub openapi: bool,

    /// As the WIT that a guest imports to call the methods
    #[arg(long, conflicts_with_all = ["json", "openapi"])]
    pub client: bool,
}

const NEW_EXAMPLES: &str = "\
Examples:
  A counter in JavaScript
      dohost new my-counter
      cd my-counter
      dohost dev

  In another language
      dohost new my-counter --lang rust";

/// Write a small project: a counter that builds, serves, and has a test.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = NEW_EXAMPLES, after_help = "`dohost new --help` shows examples.")]
pub struct New {
    /// The directory to make; its name is that of the project
    #[arg(value_name = "NAME")]
    pub directory: PathBuf,

    /// The language
    #[arg(long, value_enum, default_value = "js")]
    pub lang: Language,
}

const DEV_EXAMPLES: &str = "\
Examples:
  Serve what dohost.toml in this directory says, and follow its changes
      dohost dev

  One component that something else builds
      dohost dev target/wasm32-wasip2/release/counter.wasm

  In dohost.toml, how components are built, and from what
      [build]
      command = \"make\"
      watch_dir = [\"src\", \"Makefile\"]";

/// Serve, and build and serve anew whenever a file changes. Objects keep what they have stored.
///
/// Looks for changes where the components are built from, leaving out what .gitignore names. Objects move to the new code one
/// by one, between their requests; if it cannot be built or does not start, the old one goes on. Every request and everything
/// that guests print is shown.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = DEV_EXAMPLES, after_help = "`dohost dev --help` shows examples.")]
pub struct Dev {
    #[command(flatten)]
    pub application: Application,

    /// What is logged: a level, or targets with levels such as info,access=debug,guest=off
    #[arg(long, value_name = "FILTER", default_value = "info,access=debug,guest=debug", env = "DOHOST_LOG")]
    pub log: String,
}

const TEST_EXAMPLES: &str = "\
Examples:
  Run the scripts in tests/ against what dohost.toml in this directory says
      dohost test

  One script, against one component, or a program in JavaScript
      dohost test counter.toml counter.wasm

  A script
      [[steps]]
      request = \"POST /counter/a/increment\"
      expect = { text = \"1\" }

      [[steps]]
      crash = true

      [[steps]]
      request = \"GET /counter/a/value\"
      expect = { text = \"1\" }";

/// Run scripts of requests against an application, each on a host and data of its own.
///
/// A script is a TOML file: requests with the answers that are expected, and in between objects that are evicted and hosts that
/// are restarted or killed. The exit code is 0 if all answers were as expected, 1 if not.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = TEST_EXAMPLES, after_help = "`dohost test --help` shows examples.")]
pub struct Test {
    /// The scripts, which end in .toml [default: tests/*.toml beside dohost.toml]; and components and programs to serve, as in
    /// `dohost serve FILE`
    #[arg(value_name = "SCRIPT|FILE")]
    pub files: Vec<PathBuf>,

    /// Serve what this file says [default: dohost.toml, unless FILE, --class or --worker is given]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["classes", "worker"])]
    pub config: Option<PathBuf>,

    /// Serve FILE as the class NAME; may be given many times
    #[arg(long = "class", value_name = "NAME=FILE", value_parser = parse_class)]
    pub classes: Vec<(String, PathBuf)>,

    /// A wasi:http component that gets every request and calls objects itself
    #[arg(long, value_name = "FILE")]
    pub worker: Option<PathBuf>,

    /// Print a line of JSON for each script
    #[arg(long)]
    pub json: bool,
}

impl Test {
    /// The scripts that are named, and what is to be served of the rest.
    pub fn scripts(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let is_script = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "toml");
        self.files.iter().cloned().partition(is_script)
    }

    /// The arguments of `dohost serve` that serve the same.
    pub fn served(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        if let Some(config) = &self.config {
            add("--config", config.into());
        }
        for (name, file) in &self.classes {
            let mut class = OsString::from(format!("{name}="));
            class.push(file);
            add("--class", class);
        }
        if let Some(worker) = &self.worker {
            add("--worker", worker.into());
        }
        arguments.extend(self.scripts().1.into_iter().map(OsString::from));
        arguments
    }
}

const CONFORM_EXAMPLES: &str = "\
Examples:
  Whether a component fits this host, links, starts and survives
      dohost conform counter.wasm

  With the requests of a script, which find out more
      dohost conform counter.wasm --script tests/counter.toml

  A program in JavaScript, for a program to read
      dohost conform src/index.js --json

  An object that calls others
      dohost conform cart.wasm --with stock.wasm --script tests/cart.toml

  A component that implements two classes
      dohost conform shop.wasm --class Cart --class Stock";

/// Find out whether a component, or a program in JavaScript, fits dohost and behaves as an object should.
///
/// Looks whether it is a component, fits the world and links. Then serves it on data of its own and asks it, undisturbed at
/// first, and then with evictions, with crashes, with alarms that come twice, from many clients at once, and with hardly any memory or
/// time. The exit code is 0 if it conforms, 1 if not, 2 if that could not be told.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = CONFORM_EXAMPLES, after_help = "`dohost conform --help` shows examples.")]
pub struct Conform {
    /// The component, or a program in JavaScript or TypeScript
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Ask for what this script has, as of `dohost test` [default: one request to each class]
    #[arg(long, value_name = "SCRIPT")]
    pub script: Option<PathBuf>,

    /// Serve FILE as this class; may be given many times, for a component that implements several [default: named like the file]
    #[arg(long = "class", value_name = "NAME", value_parser = parse_class_name, conflicts_with = "worker")]
    pub classes: Vec<String>,

    /// Serve this too, for objects that call it; may be given many times
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,

    /// It is a Worker: it gets every request [default: if it handles requests as wasi:http 0.2 has it]
    #[arg(long)]
    pub worker: bool,

    /// Run nothing: look only whether it fits and links
    #[arg(long = "static", conflicts_with = "script")]
    pub is_static: bool,

    /// Chooses the moments of crashes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

fn parse_class_name(name: &str) -> Result<String, String> {
    dohost_object::check_class_name(name).map_err(|error| error.to_string())?;
    Ok(name.into())
}

fn parse_class(text: &str) -> Result<(String, PathBuf), String> {
    let (name, file) = text.split_once('=').ok_or("expected NAME=FILE, such as room=chat.wasm")?;
    dohost_object::check_class_name(name).map_err(|error| error.to_string())?;
    if file.is_empty() {
        return Err("the file is missing after '='".into());
    }
    Ok((name.into(), file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn a_class_is_given_as_name_and_file() {
        assert_eq!(parse_class("a=b=c.wasm"), Ok(("a".into(), "b=c.wasm".into())));
        for bad in ["a", "=b.wasm", "a=", "a b=c.wasm", "a/b=c.wasm"] {
            assert!(parse_class(bad).is_err(), "{bad}");
        }
    }
}
