//! From the plan to what can be started: the engine, the components, the way to the network.
//!
//! Nothing here is started or written, so it can be done again while a host runs, and by `dohost check`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dohost_egress::{EgressOptions, Policy, RootCertificates};
use dohost_engine::{CodeCache, Engine, EngineError, EngineOptions, GuestComponent, LoadError};
use dohost_ingress::FrontWorker;
use dohost_object::ClassOptions;

use crate::config::Plan;
use crate::config::plan::{ClassPlan, ComponentFile, WorkerPlan, exposed};
use crate::failure::{Failure, Failures};
use crate::programs::Programs;
use crate::slow;

/// Instances beyond those of resident objects: Workers, and objects that are just going.
const EXTRA_INSTANCES: u32 = 256;
/// Objects in memory at once, unless told otherwise.
const RESIDENTS_MAX_DEFAULT: u32 = 10_000;
/// Where Linux says how many memory mappings a process may have.
const MAX_MAP_COUNT: &str = "/proc/sys/vm/max_map_count";

/// Everything that the plan names, ready to be instantiated.
pub struct Loaded {
    pub classes: Vec<ClassOptions>,
    pub workers: Vec<FrontWorker>,
    /// The components behind them, each once.
    pub components: Vec<GuestComponent>,
}

/// An engine with room for what the plan asks for.
pub fn engine(plan: &Plan, code_cache: Option<CodeCache>) -> anyhow::Result<Engine> {
    Engine::new(EngineOptions {
        instances_max: residents_max(plan).saturating_add(EXTRA_INSTANCES),
        maps_max: maps_max(),
        memory_bytes_max: memory_bytes_max(plan),
        code_cache,
        ..EngineOptions::default()
    })
    .map_err(engine_failure)
}

/// The highest limit of memory.
pub fn memory_bytes_max(plan: &Plan) -> usize {
    let limits = plan.classes.iter().map(|class| &class.limits).chain(plan.workers.iter().map(|worker| &worker.limits));
    limits.map(|limits| limits.guest.memory_bytes_max).max().unwrap_or_default()
}

/// Objects that may be in memory at once.
pub fn residents_max(plan: &Plan) -> u32 {
    let room = || EngineOptions::instances_for(maps_max()).saturating_sub(EXTRA_INSTANCES);
    plan.max_resident.unwrap_or_else(|| room().clamp(1, RESIDENTS_MAX_DEFAULT))
}

/// Memory mappings that this process may have.
fn maps_max() -> u64 {
    let text = std::fs::read_to_string(MAX_MAP_COUNT).unwrap_or_default();
    text.trim().parse().unwrap_or(EngineOptions::default().maps_max)
}

/// Reads, compiles and checks every component, each file once, and those that are known not at all.
pub fn components(
    engine: &Engine,
    plan: &Plan,
    programs: &Programs,
    known: &[GuestComponent],
) -> Result<Loaded, Failures> {
    let mut files = Files { engine, programs, known, compiled: HashMap::new() };
    let mut failures = Vec::new();
    let mut loaded = Loaded { classes: Vec::new(), workers: Vec::new(), components: Vec::new() };
    for class in &plan.classes {
        match files.class(class) {
            Ok(class) => loaded.classes.push(class),
            Err(error) => failures.extend(error.failures(&class.component)),
        }
    }
    for worker in &plan.workers {
        match files.worker(worker) {
            Ok(worker) => loaded.workers.push(worker),
            Err(error) => failures.extend(error.failures(&worker.component)),
        }
    }
    loaded.components = files.compiled.into_values().collect();
    if let Some(cache) = programs.code_cache() {
        cache.save();
    }
    match failures.is_empty() {
        true => Ok(loaded),
        false => Err(Failures(failures)),
    }
}

/// Why something cannot be served.
enum NotLoaded {
    /// The component is not what it should be.
    Component(LoadError),
    /// The program cannot be built.
    Program(Failures),
}

impl From<LoadError> for NotLoaded {
    fn from(error: LoadError) -> NotLoaded {
        NotLoaded::Component(error)
    }
}

impl From<Failures> for NotLoaded {
    fn from(failures: Failures) -> NotLoaded {
        NotLoaded::Program(failures)
    }
}

impl NotLoaded {
    fn failures(self, file: &ComponentFile) -> Vec<Failure> {
        match self {
            NotLoaded::Component(error) => vec![load_failure(error, file)],
            NotLoaded::Program(Failures(failures)) => failures,
        }
    }
}

/// Files that were compiled.
struct Files<'a> {
    engine: &'a Engine,
    programs: &'a Programs,
    known: &'a [GuestComponent],
    compiled: HashMap<PathBuf, GuestComponent>,
}

impl Files<'_> {
    fn class(&mut self, plan: &ClassPlan) -> Result<ClassOptions, NotLoaded> {
        let component = self.component(&plan.component.path)?.object()?;
        Ok(ClassOptions {
            limits: plan.limits.clone(),
            is_serial: plan.is_serial,
            own_name: plan.own_name.clone(),
            bindings: plan.bindings.clone().into_iter().collect(),
            variables: exposed(&plan.variables),
            ..ClassOptions::new(plan.name.as_str(), component)
        })
    }

    fn worker(&mut self, plan: &WorkerPlan) -> Result<FrontWorker, NotLoaded> {
        let component = self.component(&plan.component.path)?;
        Ok(FrontWorker {
            name: plan.name.clone(),
            component: component.worker(plan.limits.guest.clone(), exposed(&plan.variables))?,
            bindings: plan.bindings.clone().into_iter().collect(),
            routes: plan.routes.clone(),
            body_bytes_max: plan.limits.body_bytes_max,
        })
    }

    fn component(&mut self, path: &Path) -> Result<GuestComponent, NotLoaded> {
        // However it is written; one that cannot be found is no file at all, and reading it says so.
        let key = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(component) = self.compiled.get(&key) {
            return Ok(component.clone());
        }
        let started = std::time::Instant::now();
        let binary = self.programs.component(path)?;
        let component = slow::told(&format!("compiling {}", path.display()), || match &binary {
            Some(binary) => self.engine.load_binary(path, binary, self.known),
            None => self.engine.load_unless_known(path, self.known),
        })?;
        let (ms, compiled_kib) = (started.elapsed().as_millis() as u64, component.compiled_bytes() >> 10);
        tracing::info!(file = %path.display(), ms, compiled_kib, compiled = component.was_compiled(), "loaded");
        self.compiled.insert(key, component.clone());
        Ok(component)
    }
}

/// How guests reach the network.
pub fn outgoing(plan: &Plan) -> Result<EgressOptions, Failures> {
    let outgoing = &plan.outgoing;
    let policy = match (outgoing.is_enabled, outgoing.allow.is_empty()) {
        (false, _) => Policy::Nothing,
        (true, true) => Policy::Public,
        (true, false) => Policy::Only(outgoing.allow.clone()),
    };
    let roots = match &outgoing.ca {
        None => RootCertificates::default(),
        Some(file) => {
            let help = || Some("give a PEM file with the certificates of your authority".into());
            let pem = std::fs::read(file)
                .map_err(|error| Failure::new(format!("cannot read {}: {error}", file.display()), None))?;
            let roots = RootCertificates::from_pem(&pem);
            roots.map_err(|error| Failure::new(format!("{}: {error}", file.display()), help()))?
        }
    };
    Ok(EgressOptions { policy, roots, ..EgressOptions::default() })
}

fn engine_failure(error: EngineError) -> anyhow::Error {
    let help = match error {
        EngineError::TooFewMaps { needed, .. } => {
            format!("give a smaller --max-resident, or let processes have more: sysctl -w vm.max_map_count={needed}")
        }
        EngineError::Refused(_) => "give a smaller --max-resident or --limit memory=…".into(),
    };
    Failure::new(error, Some(help)).into()
}

fn load_failure(error: LoadError, file: &ComponentFile) -> Failure {
    let help = error.help();
    Failure::new(error, help).at(file.place.clone())
}
