//! From the file and the command line to the plan. What the command line says wins over the file.
//!
//! Everything that is wrong is collected, each with its place in the file, so that one look shows it all.

mod guests;
mod sections;

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dohost_ingress::HttpLimits;
use dohost_object::HostLimits;
use dohost_rpc::Program;
use dohost_storage::StoreOptions;

use super::at::At;
use super::file::{self, File};
use super::plan::{BuildPlan, Plan};
use super::tables::Scalar;
use crate::args::Application;
use crate::failure::{Failure, Failures};
use crate::listen;
use crate::place::{Place, Source};
use crate::size::{self, Size};

/// The file that is looked for in the current directory.
pub const FILE_NAME: &str = "dohost.toml";

const DATA_DIR: &str = ".dohost";
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
const THREADS_MAX: u32 = 1_024;
const RESIDENT_MAX: u32 = 1_000_000;
const ALARMS_MAX: u32 = 100_000;
const CONNECTIONS_MAX: u32 = 1_000_000;
const WEBSOCKETS_MAX: u32 = 1_000_000;

/// Where secrets come from.
pub type HostEnvironment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What a file exports, if it is a program.
pub type ProgramOf<'a> = &'a dyn Fn(&Path) -> Result<Option<Program>, Failures>;

/// The environment of this process.
pub fn host_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Makes the plan that these arguments ask for; reads the file that they name, or that is there.
pub fn plan(
    arguments: &Application,
    environment: HostEnvironment<'_>,
    program: ProgramOf<'_>,
) -> Result<Plan, Failures> {
    let Some(path) = file_of(arguments) else {
        return Resolver::new(None, environment, program).plan(&File::default(), arguments);
    };
    let (source, file) = read(path)?;
    Resolver::new(Some(source), environment, program).plan(&file, arguments)
}

/// How what these arguments ask for is built, if the file that they name, or that is there, says so. Looks at nothing that is
/// to be built.
pub fn build(arguments: &Application) -> Result<Option<BuildPlan>, Failures> {
    let Some(path) = file_of(arguments) else { return Ok(None) };
    let (source, file) = read(path)?;
    let mut resolver = Resolver::new(Some(source), &host_environment, &|_| Ok(None));
    let plan = resolver.build(&file.build);
    match resolver.failures.is_empty() {
        true => Ok(plan),
        false => Err(Failures(resolver.failures)),
    }
}

/// The address that the file has that these arguments name, or that is there, if it has one. Looks at nothing else in it.
pub fn listen(arguments: &Application) -> Result<Option<SocketAddr>, Failures> {
    let Some(path) = file_of(arguments) else { return Ok(None) };
    let (source, file) = read(path)?;
    let mut resolver = Resolver::new(Some(source), &host_environment, &|_| Ok(None));
    let listen = file.listen.as_ref().and_then(|at| resolver.address(at));
    match resolver.failures.is_empty() {
        true => Ok(listen),
        false => Err(Failures(resolver.failures)),
    }
}

/// The programs in JavaScript that the file names, each once.
pub fn sources(arguments: &Application) -> Result<Vec<PathBuf>, Failures> {
    let Some(path) = file_of(arguments) else { return Ok(Vec::new()) };
    let (source, file) = read(path)?;
    let mut resolver = Resolver::new(Some(source), &host_environment, &|_| Ok(None));
    let components = file.classes.values().map(|class| &class.component);
    let components = components.chain(file.workers.values().map(|worker| &worker.component));
    let mut sources: Vec<PathBuf> = Vec::new();
    for at in components.filter(|at| dohost_javascript::is_source(Path::new(&at.value))) {
        let path = resolver.file(at);
        if !sources.contains(&path) {
            sources.push(path);
        }
    }
    match resolver.failures.is_empty() {
        true => Ok(sources),
        false => Err(Failures(resolver.failures)),
    }
}

fn with_port(mut address: SocketAddr, port: Option<u16>) -> SocketAddr {
    if let Some(port) = port {
        address.set_port(port);
    }
    address
}

fn read(path: PathBuf) -> Result<(Arc<Source>, File), Failures> {
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display()), None))?;
    let source = Arc::new(Source { path, text });
    let file = file::parse(&source)?;
    Ok((source, file))
}

/// The file that says what to serve, unless the arguments do.
pub fn file_of(arguments: &Application) -> Option<PathBuf> {
    let names_components = !arguments.files.is_empty() || !arguments.classes.is_empty() || arguments.worker.is_some();
    match &arguments.config {
        Some(path) => Some(path.clone()),
        None if names_components => None,
        None => Some(PathBuf::from(FILE_NAME)).filter(|path| path.exists()),
    }
}

/// Makes one plan.
struct Resolver<'a> {
    source: Option<Arc<Source>>,
    /// What paths in the file are relative to.
    directory: PathBuf,
    environment: HostEnvironment<'a>,
    /// Whether the file says how the components are built.
    is_built: bool,
    program: ProgramOf<'a>,
    /// Programs that were asked for, none if they could not be built, which was said.
    programs: HashMap<PathBuf, Option<Program>>,
    failures: Vec<Failure>,
}

impl<'a> Resolver<'a> {
    fn new(source: Option<Arc<Source>>, environment: HostEnvironment<'a>, program: ProgramOf<'a>) -> Resolver<'a> {
        let directory = source.as_ref().and_then(|source| source.path.parent()).map(PathBuf::from).unwrap_or_default();
        Resolver {
            source,
            directory,
            environment,
            is_built: false,
            program,
            programs: HashMap::new(),
            failures: Vec::new(),
        }
    }

    fn plan(mut self, file: &File, arguments: &Application) -> Result<Plan, Failures> {
        let listen = file.listen.as_ref().and_then(|at| self.address(at));
        let idle_timeout = file.idle_timeout.as_ref().and_then(|at| self.duration(at));
        let shutdown_timeout = file.shutdown_timeout.as_ref().and_then(|at| self.duration(at));
        let drain_timeout = file.drain_timeout.as_ref().and_then(|at| self.duration(at));
        let threads = file.threads.as_ref().and_then(|at| self.number(at, THREADS_MAX));
        let max_resident = file.max_resident.as_ref().and_then(|at| self.number(at, RESIDENT_MAX));
        let max_alarms = file.max_alarms.as_ref().and_then(|at| self.number(at, ALARMS_MAX));
        let max_connections = file.max_connections.as_ref().and_then(|at| self.number(at, CONNECTIONS_MAX));
        let max_websockets = file.max_websockets.as_ref().and_then(|at| self.number(at, WEBSOCKETS_MAX));
        let store_cache = file.store_cache.as_ref().and_then(|at| self.size(at, size::STORE_CACHE));
        let store_log = file.store_log.as_ref().and_then(|at| self.size(at, size::STORE_LOG));
        let store = StoreOptions::default();
        let data_dir = arguments.data_dir.clone().unwrap_or_else(|| {
            let default = if self.source.is_some() { DATA_DIR } else { "./.dohost" };
            self.path(file.data_dir.as_deref().unwrap_or(default))
        });
        self.is_built = self.build(&file.build).is_some();
        let (classes, workers) = self.guests(file, arguments);
        let plan = Plan {
            file: self.source.as_ref().map(|source| source.path.clone()),
            listen: with_port(arguments.listen.or(listen).unwrap_or(listen::DEFAULT), arguments.port),
            data_dir,
            idle_timeout: arguments.idle_timeout.or(idle_timeout).unwrap_or(IDLE_TIMEOUT),
            shutdown_timeout: arguments.shutdown_timeout.or(shutdown_timeout).unwrap_or(SHUTDOWN_TIMEOUT),
            drain_timeout: arguments.drain_timeout.or(drain_timeout).unwrap_or(DRAIN_TIMEOUT),
            threads: arguments.threads.or(threads.map(|threads| threads as u16)),
            max_resident: arguments.max_resident.or(max_resident),
            max_alarms: arguments.max_alarms.or(max_alarms).unwrap_or(HostLimits::default().alarms_max as u32),
            max_connections: (arguments.max_connections.or(max_connections))
                .unwrap_or(HttpLimits::default().connections_max as u32),
            max_websockets: (arguments.max_websockets.or(max_websockets))
                .unwrap_or(HostLimits::default().websockets_max as u32),
            store_cache: arguments.store_cache.or(store_cache).unwrap_or(store.cache_bytes as u64),
            store_log: arguments.store_log.or(store_log).unwrap_or(store.log_bytes_max),
            verify_store: arguments.verify_store || file.verify_store.unwrap_or_default(),
            classes,
            workers,
            outgoing: self.outgoing(&file.outgoing, arguments),
            management: self.management(&file.management, arguments),
            migrations: self.migrations(&file.migrations),
        };
        // As somebody reads the file.
        self.failures.sort_by_key(|failure| failure.place().map(Place::start));
        match self.failures.is_empty() {
            true => Ok(plan),
            false => Err(Failures(self.failures)),
        }
    }

    /// Something in the file is wrong.
    fn fail<T>(&mut self, at: &At<T>, text: impl std::fmt::Display, help: Option<String>) {
        let place = self.place(at);
        self.failures.push(Failure::new(text, help).at(place));
    }

    fn place<T>(&self, at: &At<T>) -> Option<Place> {
        let source = self.source.clone()?;
        Some(Place::new(source, at.span.clone()))
    }

    /// A path of the file as it is from here.
    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.directory.join(path)
    }

    /// A path of the file to something that is there.
    fn existing(&mut self, at: &At<String>) -> PathBuf {
        let path = self.path(&at.value);
        if let Err(error) = std::fs::metadata(&path) {
            let help = match self.is_built {
                true => "build it first: dohost build",
                false => "paths are relative to the directory of this file",
            };
            self.fail(at, format!("cannot read {}: {error}", path.display()), Some(help.into()));
        }
        path
    }

    /// A path of the file to a file that is there.
    fn file(&mut self, at: &At<String>) -> PathBuf {
        let path = self.existing(at);
        if path.is_dir() {
            self.fail(at, format!("cannot read {}: it is a directory", path.display()), None);
        }
        path
    }

    /// A path of the file to a directory that is there.
    fn directory(&mut self, at: &At<String>) -> PathBuf {
        let path = self.existing(at);
        if path.is_file() {
            self.fail(at, format!("{} is a file, and a directory is expected", path.display()), None);
        }
        path
    }

    fn address(&mut self, at: &At<String>) -> Option<SocketAddr> {
        let failed = |help| self.fail(at, format!("{:?} is not an address to listen on", at.value), Some(help));
        listen::parse(&at.value).map_err(failed).ok()
    }

    fn duration(&mut self, at: &At<String>) -> Option<Duration> {
        let duration = humantime::parse_duration(&at.value);
        let help = Some("give a time such as 500ms, 30s or 5min".to_owned());
        duration.map_err(|error| self.fail(at, format!("{:?} is not a time: {error}", at.value), help)).ok()
    }

    fn number(&mut self, at: &At<u32>, max: u32) -> Option<u32> {
        let is_within = (1..=max).contains(&at.value);
        if !is_within {
            self.fail(at, format!("a number from 1 to {max} is expected, not {}", at.value), None);
        }
        is_within.then_some(at.value)
    }

    fn size(&mut self, at: &At<Scalar>, size: Size) -> Option<u64> {
        size.parse(&at.value.0).map_err(|error| self.fail(at, error, None)).ok()
    }

    /// A name that a class can have.
    fn class_name(&mut self, at: &At<String>) -> String {
        if let Err(error) = dohost_object::check_class_name(&at.value) {
            self.fail(at, error, None);
        }
        at.value.clone()
    }

    /// What a file exports, if it is a program. What is wrong with it is said once.
    fn program(&mut self, path: &Path) -> Option<Program> {
        if let Some(program) = self.programs.get(path) {
            return program.clone();
        }
        let program = (self.program)(path).unwrap_or_else(|Failures(failures)| {
            self.failures.extend(failures);
            None
        });
        self.programs.insert(path.to_owned(), program.clone());
        program
    }

    /// What the environment of the host has under this name.
    fn secret(&mut self, at: &At<String>) -> Option<String> {
        match (self.environment)(&at.value).map(OsString::into_string) {
            Some(Ok(secret)) => return Some(secret),
            Some(Err(_)) => {
                self.fail(at, format!("the environment variable {} is not UTF-8", at.value), None);
            }
            None => {
                let help = format!("set it where dohost is started: {}=… dohost serve", at.value);
                self.fail(at, format!("the environment variable {} is not set", at.value), Some(help));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
