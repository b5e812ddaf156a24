//! `dohost serve`: puts the parts together, runs until a signal, takes them apart again.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use dohost_egress::{Egress, EgressOptions};
use dohost_ingress::{BindError, Front, HttpLimits, listener};
use dohost_object::{Host, HostLimits, HostOptions, Machine};
use dohost_storage::{OpenError, Store, StoreOptions};

use crate::args::{Application, Serve};
use crate::config::{self, Plan};
use crate::deploy::{Deployer, Served};
use crate::failure::Failure;
use crate::load::{self, Loaded};
use crate::logging;
use crate::management;
use crate::open_files::{self, Room};
use crate::programs::Programs;

/// Serves until a signal asks to stop.
pub fn run(args: Serve) -> anyhow::Result<()> {
    let _logs = logging::start(args.log_format, &args.log)?;
    serve(args.application, args.allow_delete, Programs::new(), std::future::pending(), |_| {})
}

/// Serves until a signal asks to stop, or until `end` is there. Once it serves, `is_ready` gets what deploys new code; that is in a
/// tokio runtime, which it must not block.
pub fn serve(
    application: Application,
    allow_delete: bool,
    programs: Programs,
    end: impl Future<Output = ()>,
    is_ready: impl FnOnce(Arc<Deployer>),
) -> anyhow::Result<()> {
    let plan = config::plan(&application, &config::host_environment, &|path| programs.program(path))?;
    let room = open_files::room_for(&plan);
    let engine = load::engine(&plan, programs.code_cache())?;
    let Loaded { classes, workers, components } = load::components(&engine, &plan, &programs, &[])?;
    let outgoing = load::outgoing(&plan)?;
    let listener = listener::bind(plan.listen).map_err(bind_failure)?;
    let address = listener.local_addr()?;
    let store =
        Store::open(&plan.data_dir, store_options(&plan)).map_err(|error| open_failure(&plan.data_dir, &error))?;
    let operators = management::Bound::bind(&plan)?;
    management::migrate(&store, &plan, allow_delete)?;
    let host = Host::start(store.clone(), classes, host_options(&plan, &room, outgoing)?)?;
    management::warn_of_unserved(&store, &plan)?;
    let front = Front::new(host.clone(), workers, http_limits(&room));
    let patience = plan.shutdown_timeout;
    let served = Served { plan: plan.clone(), components };
    let deployer = Deployer::new(engine, host.clone(), front.clone(), application, programs, served);
    let mut operators = operators.start(&host, Some(deployer.clone()))?;
    let ready = ready_line(address, operators.address, &host, &plan);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let (stop, stopping_since) = stop_signal()?;
        deployer.clone().deploy_on_signal()?;
        println!("{ready}");
        is_ready(deployer);
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = end => {}
            }
        };
        let cut_off = listener::serve(listener, front, stop, patience).await?;
        if cut_off > 0 {
            tracing::warn!("{cut_off} connections were cut off after {patience:?}");
        }
        // One patience for both, as who stops the process has told its supervisor.
        let patience_left = patience.saturating_sub(stopping_since.get().map_or(Duration::ZERO, Instant::elapsed));
        let all_ended = tokio::task::spawn_blocking(move || {
            operators.stop();
            host.shut_down(patience_left)
        })
        .await?;
        if !all_ended {
            tracing::warn!("objects were still running after {patience:?} and were stopped");
        }
        tracing::info!("stopped");
        Ok(())
    })
}

fn host_options(plan: &Plan, room: &Room, outgoing: EgressOptions) -> anyhow::Result<HostOptions> {
    let cores = std::thread::available_parallelism().context("cannot count the cores, give --threads")?;
    let limits = HostLimits {
        residents_max: load::residents_max(plan) as usize,
        idle_timeout: plan.idle_timeout,
        drain_time_max: plan.drain_timeout,
        alarms_max: plan.max_alarms as usize,
        websockets_max: room.websockets,
        ..HostLimits::default()
    };
    let executors = plan.threads.map_or(cores.get(), usize::from);
    let outgoing = Arc::new(Egress::new(outgoing));
    Ok(HostOptions { executors, limits, outgoing, environment: Arc::new(Machine) })
}

fn http_limits(room: &Room) -> HttpLimits {
    HttpLimits { connections_max: room.connections, ..HttpLimits::default() }
}

fn store_options(plan: &Plan) -> StoreOptions {
    let mut options = StoreOptions {
        cache_bytes: plan.store_cache as usize,
        log_bytes_max: plan.store_log,
        ..StoreOptions::default()
    };
    if plan.verify_store {
        options.verify_bytes_max = u64::MAX;
    }
    options
}

fn ready_line(address: SocketAddr, management: Option<SocketAddr>, host: &Host, plan: &Plan) -> String {
    let mut classes = host.class_names().join(", ");
    if classes.is_empty() {
        classes = "none".into();
    }
    let workers: Vec<&str> = plan.workers.iter().map(|worker| worker.name.as_str()).collect();
    let behind = match (&plan.file, plan.workers.as_slice()) {
        (_, []) => String::new(),
        (None, [worker, ..]) => format!(" behind the Worker {}", worker.component.path.display()),
        (Some(_), [worker]) => format!(" behind the Worker {}", worker.name),
        (Some(_), _) => format!(" behind the Workers {}", workers.join(", ")),
    };
    let management = management.map_or(String::new(), |address| format!(" · management: http://{address}"));
    let data = plan.data_dir.display();
    format!("dohost serves http://{address} · classes: {classes}{behind} · data: {data}{management}")
}

/// Signals within so long are one: `timeout` and service managers send theirs to the process and to its group.
const SAME_SIGNAL_MAX: Duration = Duration::from_millis(250);

/// Resolves at the first SIGINT or SIGTERM, and tells since when it has; the second one ends the process at once.
fn stop_signal() -> std::io::Result<(impl Future<Output = ()>, Arc<OnceLock<Instant>>)> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let since = Arc::new(OnceLock::new());
    let stopping_since = since.clone();
    tokio::spawn(async move {
        let mut stop = Some(stop);
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            match stop.take() {
                Some(stop) => {
                    since.get_or_init(Instant::now);
                    tracing::info!("stopping: running requests may finish; a second signal stops at once");
                    let _ = stop.send(());
                }
                None if since.get().is_some_and(|since| since.elapsed() < SAME_SIGNAL_MAX) => {}
                None => std::process::exit(1),
            }
        }
    });
    Ok((async move { drop(stopped.await) }, stopping_since))
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
