//! New code for a host that runs: reads configuration and components again, and hands them to the objects and Workers.
//!
//! All or nothing: everything is read, compiled, checked and tried before anything changes, and when an object cannot be
//! constructed with its new code, everything is as it was.

use std::path::Path;
use std::sync::Arc;

use dohost_engine::{Engine, GuestComponent};
use dohost_ingress::Front;
use dohost_management::service::Failed;
use dohost_object::{ClassOptions, Deployed, Host};
use dohost_rpc::{DynamicMethods, Interface};
use tokio::sync::Mutex;

use crate::args::Application;
use crate::config::{self, Plan};
use crate::failure::{self, Failure};
use crate::load::{self, Loaded};
use crate::programs::Programs;

/// See the module.
pub struct Deployer {
    engine: Engine,
    host: Host,
    front: Front,
    application: Application,
    programs: Programs,
    /// What the host was started with.
    started: Plan,
    served: Mutex<Served>,
}

/// What is served now.
pub struct Served {
    pub plan: Plan,
    pub components: Vec<GuestComponent>,
}

/// What a deploy did.
pub struct Summary {
    objects: Deployed,
    changes_workers: bool,
    /// What was changed in the configuration, but needs a restart.
    at_next_start: Vec<&'static str>,
}

impl Deployer {
    /// For a host that serves this.
    pub fn new(
        engine: Engine,
        host: Host,
        front: Front,
        application: Application,
        programs: Programs,
        served: Served,
    ) -> Arc<Deployer> {
        let started = served.plan.clone();
        Arc::new(Deployer { engine, host, front, application, programs, started, served: Mutex::new(served) })
    }

    /// Reads everything again and serves it from now on. Nothing changes if any of it does not fit, or if callers of methods
    /// would have to change, unless that is wanted.
    pub async fn deploy(self: &Arc<Self>, may_break_callers: bool) -> anyhow::Result<Summary> {
        tracing::info!("deploying: configuration and components are read again");
        let mut served = self.served.lock().await;
        let known = served.components.clone();
        let this = self.clone();
        // Compiling takes long.
        let (plan, loaded) = tokio::task::spawn_blocking(move || this.load(&known)).await??;
        let Loaded { classes, workers, components } = loaded;
        check_changes(&self.started, &served.plan, &plan)?;
        if !may_break_callers {
            self.check_methods(&classes)?;
        }
        let changes_workers = !self.front.has_workers(&workers);
        let prepared = self
            .front
            .prepare(workers)
            .await
            .map_err(|(name, reason)| Failure::new(format!("the Worker {name} does not start: {reason}"), None))?;
        let objects = self.host.deploy(classes).await?;
        if changes_workers {
            self.front.set_workers(prepared);
        }
        let at_next_start = needs_restart(&self.started, &plan);
        *served = Served { plan, components };
        Ok(Summary { objects, changes_workers, at_next_start })
    }

    fn load(&self, known: &[GuestComponent]) -> anyhow::Result<(Plan, Loaded)> {
        self.programs.forget();
        let program = |path: &Path| self.programs.program(path);
        let plan = config::plan(&self.application, &config::host_environment, &program)?;
        let loaded = load::components(&self.engine, &plan, &self.programs, known)?;
        Ok((plan, loaded))
    }

    /// Refuses code that callers of methods would have to be changed for.
    fn check_methods(&self, classes: &[ClassOptions]) -> anyhow::Result<()> {
        let mut broken = Vec::new();
        for options in classes {
            let Some(class) = self.host.class(&options.name) else { continue };
            let incompatibilities = Interface::compare(&class.interface(), options.component.interface());
            broken.extend(incompatibilities.into_iter().map(|found| format!("{}: {found}", options.name)));
            let gone = methods_gone(class.dynamic(), options);
            broken.extend(gone.into_iter().map(|name| format!("{}: {name}: the method is gone", options.name)));
        }
        if broken.is_empty() {
            return Ok(());
        }
        let text = format!("the new code breaks callers of its methods:\n  {}", broken.join("\n  "));
        let help = "keep the old methods and add new ones, or deploy it all the same with dohost deploy --force";
        Err(Failure::new(text, Some(help.into())).into())
    }

    /// Deploys whenever the process gets a SIGHUP, which from now on does not end it. Must be called in a tokio runtime.
    pub fn deploy_on_signal(self: Arc<Self>) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                match self.deploy(false).await {
                    Ok(summary) => tracing::info!("deployed: {summary}"),
                    Err(error) => tracing::error!("not deployed, everything is as it was: {}", failure::text(&error)),
                }
            }
        });
        Ok(())
    }
}

impl dohost_management::Application for Deployer {
    fn deploy(self: Arc<Self>, may_break_callers: bool) -> Result<String, Failed> {
        let deployed = tokio::runtime::Handle::current().block_on(Deployer::deploy(&self, may_break_callers));
        match deployed {
            Ok(summary) => {
                tracing::info!("deployed: {summary}");
                Ok(summary.to_string())
            }
            Err(error) => {
                tracing::error!("not deployed, everything is as it was: {}", failure::text(&error));
                Err(Failed { message: format!("{error:#}"), help: failure::help(&error).map(String::from) })
            }
        }
    }
}

/// Of methods that have no types, as in JavaScript, those that the new code has not, neither with types nor without.
fn methods_gone(old: Option<DynamicMethods>, new: &ClassOptions) -> Vec<String> {
    let interface = new.component.interface();
    let dynamic = match &interface.dynamic {
        Some(dynamic) => dynamic.methods(&new.own_name),
        None => DynamicMethods { names: Some(Vec::new()) },
    };
    let names = old.and_then(|old| old.names).unwrap_or_default().into_iter();
    names.filter(|name| !dynamic.may_have(name) && interface.method(name).is_none()).collect()
}

/// Refuses what a running host cannot take.
fn check_changes(started: &Plan, before: &Plan, after: &Plan) -> anyhow::Result<()> {
    let is_gone = |name: &String| !after.classes.iter().any(|class| class.name == *name);
    if let Some(gone) = before.classes.iter().map(|class| &class.name).find(|name| is_gone(name)) {
        let text = format!("the class {gone} is served and not in the configuration any more");
        return Err(Failure::needs_restart(text, "a class leaves with a restart of the host").into());
    }
    if load::memory_bytes_max(after) > load::memory_bytes_max(started) {
        let text = "the limit memory is over the highest one that the host was started with";
        return Err(Failure::needs_restart(text, "raise it with a restart of the host").into());
    }
    if after.migrations != before.migrations {
        let help = "migrations are applied at a start: restart the host";
        return Err(Failure::needs_restart("the migrations have changed", help).into());
    }
    Ok(())
}

/// What differs and stays as it is.
fn needs_restart(before: &Plan, after: &Plan) -> Vec<&'static str> {
    let differs = [
        ("listen", before.listen != after.listen),
        ("data_dir", before.data_dir != after.data_dir),
        ("idle_timeout", before.idle_timeout != after.idle_timeout),
        ("shutdown_timeout", before.shutdown_timeout != after.shutdown_timeout),
        ("drain_timeout", before.drain_timeout != after.drain_timeout),
        ("threads", before.threads != after.threads),
        ("max_resident", before.max_resident != after.max_resident),
        ("max_alarms", before.max_alarms != after.max_alarms),
        ("max_connections", before.max_connections != after.max_connections),
        ("max_websockets", before.max_websockets != after.max_websockets),
        ("store_cache", before.store_cache != after.store_cache),
        ("store_log", before.store_log != after.store_log),
        ("outgoing", before.outgoing != after.outgoing),
        ("management", before.management != after.management),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Deployed { changed, tried, untried, moved } = &self.objects;
        let mut parts = Vec::new();
        if !changed.is_empty() {
            parts.push(format!("new code for {}", changed.join(", ")));
        }
        if !tried.is_empty() {
            parts.push(format!("tried by {}", tried.join(", ")));
        }
        if !untried.is_empty() {
            parts.push(format!("the first object of {} to start will try it", untried.join(", ")));
        }
        if *moved > 0 {
            parts.push(format!("{moved} more objects move"));
        }
        if self.changes_workers {
            parts.push("other Workers".into());
        }
        if parts.is_empty() {
            parts.push("nothing has changed".into());
        }
        if !self.at_next_start.is_empty() {
            parts.push(format!("at the next start: {}", self.at_next_start.join(", ")));
        }
        f.write_str(&parts.join("; "))
    }
}
