//! `dohost serve`: puts the parts together, runs until a signal, takes them apart again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use dohost_egress::{Egress, EgressOptions, Policy, RootCertificates};
use dohost_engine::{Engine, EngineError, EngineOptions, LoadError};
use dohost_ingress::{BindError, Front, HttpLimits, listener};
use dohost_object::{ClassOptions, Host, HostLimits, HostOptions, Limits, Machine, check_class_name};
use dohost_storage::{OpenError, Store, StoreOptions};

use crate::args::Serve;
use crate::deploy::Deployer;
use crate::failure::Failure;
use crate::logging;

/// Instances beyond those of resident objects: Workers, and objects that are just going.
const EXTRA_INSTANCES: u32 = 256;
/// Objects in memory at once, unless told otherwise.
const RESIDENTS_MAX_DEFAULT: u32 = 10_000;
/// Where Linux says how many memory mappings a process may have.
const MAX_MAP_COUNT: &str = "/proc/sys/vm/max_map_count";

/// Serves until a signal asks to stop.
pub fn run(args: Serve) -> anyhow::Result<()> {
    let _logs = logging::start(args.log_format, &args.log)?;
    let classes = classes(&args)?;
    let worker_limits = limits(&args, None).guest;
    let memories = classes.iter().map(|class| class.limits.guest.memory_bytes_max);
    let residents_max = args.max_resident.unwrap_or_else(default_residents);
    let engine = Engine::new(EngineOptions {
        instances_max: residents_max.saturating_add(EXTRA_INSTANCES),
        maps_max: maps_max(),
        memory_bytes_max: memories.max().unwrap_or_default().max(worker_limits.memory_bytes_max),
        ..EngineOptions::default()
    })
    .map_err(engine_failure)?;
    let classes = load_classes(&engine, classes)?;
    let worker =
        args.worker.as_ref().map(|file| engine.load_worker(file, worker_limits)).transpose().map_err(load_failure)?;
    let listener = listener::bind(args.listen).map_err(bind_failure)?;
    let address = listener.local_addr()?;
    let store =
        Store::open(&args.data_dir, store_options(&args)).map_err(|error| open_failure(&args.data_dir, &error))?;
    let host = Host::start(store, classes, host_options(&args, residents_max)?)?;

    let ready = ready_line(address, &host, &args);
    let deployer = Arc::new(Deployer { engine, host: host.clone(), args: args.clone() });
    let front = Front { host: host.clone(), worker, limits: http_limits(&args) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let stop = stop_signal()?;
        tokio::spawn(deployer.deploy_on_signal());
        println!("{ready}");
        let cut_off = listener::serve(listener, front, stop, args.shutdown_timeout).await?;
        if cut_off > 0 {
            tracing::warn!("{cut_off} connections were cut off after {:?}", args.shutdown_timeout);
        }
        let all_ended = tokio::task::spawn_blocking(move || host.shut_down(args.shutdown_timeout)).await?;
        if !all_ended {
            tracing::warn!("objects were still running after {:?} and were stopped", args.shutdown_timeout);
        }
        tracing::info!("stopped");
        Ok(())
    })
}

/// Memory mappings that this process may have.
fn maps_max() -> u64 {
    let text = std::fs::read_to_string(MAX_MAP_COUNT).unwrap_or_default();
    text.trim().parse().unwrap_or(EngineOptions::default().maps_max)
}

fn default_residents() -> u32 {
    let room = EngineOptions::instances_for(maps_max()).saturating_sub(EXTRA_INSTANCES);
    room.clamp(1, RESIDENTS_MAX_DEFAULT)
}

/// Name and file of every class, each name once.
fn class_files(args: &Serve) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    for file in &args.files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        check_class_name(&name)
            .map_err(|error| Failure::new(error, Some(format!("name it yourself: --class NAME={}", file.display()))))?;
        files.push((name, file.clone()));
    }
    files.extend(args.classes.iter().cloned());
    if files.is_empty() && args.worker.is_none() {
        let help = "dohost serve counter.wasm (more in dohost serve --help)";
        return Err(Failure::new("there is nothing to serve", Some(help.into())).into());
    }
    for (at, (name, file)) in files.iter().enumerate() {
        if let Some((_, other)) = files[..at].iter().find(|(other, _)| other == name) {
            let text = format!("two files for the class {name}: {} and {}", other.display(), file.display());
            return Err(Failure::new(
                text,
                Some(format!("give one of them another name with --class NAME={}", file.display())),
            )
            .into());
        }
    }
    Ok(files)
}

/// A class that is asked for.
struct ClassPlan {
    name: String,
    file: PathBuf,
    limits: Limits,
    is_serial: bool,
}

fn classes(args: &Serve) -> anyhow::Result<Vec<ClassPlan>> {
    let files = class_files(args)?;
    let named = args.limits.iter().filter_map(|limit| limit.class.as_ref()).chain(&args.serial);
    for name in named {
        if !files.iter().any(|(class, _)| class == name) {
            let classes: Vec<&str> = files.iter().map(|(class, _)| class.as_str()).collect();
            let help = format!("the classes are {}", classes.join(", "));
            return Err(Failure::new(format!("no class {name} is served"), Some(help)).into());
        }
    }
    let plan = |(name, file): (String, PathBuf)| ClassPlan {
        limits: limits(args, Some(&name)),
        is_serial: args.serial.contains(&name),
        name,
        file,
    };
    Ok(files.into_iter().map(plan).collect())
}

/// The limits of a class, or those of all classes.
fn limits(args: &Serve, class: Option<&String>) -> Limits {
    let mut limits = Limits::default();
    let of_all = args.limits.iter().filter(|limit| limit.class.is_none());
    let of_one = args.limits.iter().filter(|limit| class.is_some() && limit.class.as_ref() == class);
    of_all.chain(of_one).for_each(|limit| limit.apply(&mut limits));
    limits
}

/// Loads the components of all classes.
pub fn load(engine: &Engine, args: &Serve) -> anyhow::Result<Vec<ClassOptions>> {
    load_classes(engine, classes(args)?)
}

fn load_classes(engine: &Engine, classes: Vec<ClassPlan>) -> anyhow::Result<Vec<ClassOptions>> {
    let load = |ClassPlan { name, file, limits, is_serial }| {
        let started = std::time::Instant::now();
        let component = engine.load_object(&file).map_err(load_failure)?;
        tracing::info!(class = name, file = %file.display(), ms = started.elapsed().as_millis() as u64, "loaded");
        Ok(ClassOptions { name, component, limits, is_serial })
    };
    classes.into_iter().map(load).collect()
}

fn host_options(args: &Serve, residents_max: u32) -> anyhow::Result<HostOptions> {
    let cores = std::thread::available_parallelism().context("cannot count the cores, give --threads")?;
    let limits = HostLimits {
        residents_max: residents_max as usize,
        idle_timeout: args.idle_timeout,
        drain_time_max: args.drain_timeout,
        ..HostLimits::default()
    };
    let executors = args.threads.map_or(cores.get(), usize::from);
    let outgoing = Arc::new(Egress::new(egress_options(args)?));
    Ok(HostOptions { executors, limits, outgoing, environment: Arc::new(Machine) })
}

fn store_options(args: &Serve) -> StoreOptions {
    let mut options = StoreOptions::default();
    if args.verify_store {
        options.verify_bytes_max = u64::MAX;
    }
    options
}

fn http_limits(args: &Serve) -> HttpLimits {
    HttpLimits { body_bytes_max: limits(args, None).body_bytes_max, ..HttpLimits::default() }
}

fn egress_options(args: &Serve) -> anyhow::Result<EgressOptions> {
    let policy = match (args.no_outgoing, args.allow_outgoing.is_empty()) {
        (true, _) => Policy::Nothing,
        (false, true) => Policy::Public,
        (false, false) => Policy::Only(args.allow_outgoing.clone()),
    };
    let roots = match &args.outgoing_ca {
        None => RootCertificates::default(),
        Some(file) => {
            let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let help = || Some("give a PEM file with the certificates of your authority".into());
            let roots = RootCertificates::from_pem(&pem);
            roots.map_err(|error| Failure::new(format!("{}: {error}", file.display()), help()))?
        }
    };
    Ok(EgressOptions { policy, roots, ..EgressOptions::default() })
}

fn ready_line(address: std::net::SocketAddr, host: &Host, args: &Serve) -> String {
    let mut classes = host.class_names().join(", ");
    if classes.is_empty() {
        classes = "none".into();
    }
    let worker = args.worker.as_ref().map_or(String::new(), |file| format!(" behind the Worker {}", file.display()));
    format!("dohost serves http://{address} · classes: {classes}{worker} · data: {}", args.data_dir.display())
}

/// Resolves at the first SIGINT or SIGTERM; the second one ends the process at once.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut stop = Some(stop);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match stop.take() {
                Some(stop) => {
                    tracing::info!("stopping: running requests may finish; a second signal stops at once");
                    let _ = stop.send(());
                }
                None => std::process::exit(1),
            }
        }
    });
    Ok(async move { drop(stopped.await) })
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

fn load_failure(error: LoadError) -> anyhow::Error {
    let help = error.help();
    Failure::new(error, help).into()
}

fn bind_failure(error: BindError) -> anyhow::Error {
    let help = match error.source.kind() {
        std::io::ErrorKind::AddrInUse => {
            Some("another process has the port; give another one with --listen 127.0.0.1:0".into())
        }
        std::io::ErrorKind::PermissionDenied => {
            Some("ports below 1024 need a privilege; give another one with --listen".into())
        }
        _ => None,
    };
    Failure::new(error, help).into()
}

fn open_failure(data_dir: &Path, error: &OpenError) -> anyhow::Error {
    let text = format!("cannot use the data directory {}: failed to {error}", data_dir.display());
    Failure::new(text, Some(error.help().to_string())).into()
}
