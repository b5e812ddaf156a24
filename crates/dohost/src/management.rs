//! Looking after the objects of a host: migrations before it starts, and the listener for operators while it runs.

use dohost_management::listener::Running;
use dohost_management::{Application, Declared, Listener, ManagementLimits, Service, Token};
use dohost_object::{Host, Management};
use dohost_storage::{Migration, MigrationError, MigrationPlan, Step, Store, migration};
use http::Method;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Plan;
use crate::config::plan::MigrationStep;
use crate::failure::Failure;
use crate::objects;

/// The listener for operators.
pub struct Operators {
    running: Option<Running>,
    /// Where it listens on TCP.
    pub address: Option<SocketAddr>,
}

/// The listener before anybody answers there.
pub struct Bound {
    listener: Listener,
    has_socket: bool,
    address: Option<SocketAddr>,
}

impl Bound {
    /// Listens where the plan says. To be done by whoever has opened the data directory, as the socket is in it, and before
    /// anything in it is changed, as this may fail.
    pub fn bind(plan: &Plan) -> anyhow::Result<Bound> {
        let mut listener = Listener::default();
        let address = match (&plan.management.listen, token(plan)?) {
            (Some((address, _)), Some(token)) => {
                let bound = listener.bind_tcp(*address, token).map_err(|error| {
                    let help = "give another address with --management-listen";
                    Failure::new(format!("cannot listen for management on {address}: {error}"), Some(help.into()))
                })?;
                Some(bound)
            }
            _ => None,
        };
        let has_socket = plan.management.has_socket && bind_socket(&mut listener, plan);
        Ok(Bound { listener, has_socket, address })
    }

    /// Answers from now on.
    pub fn start(self, host: &Host, application: Option<Arc<dyn Application>>) -> anyhow::Result<Operators> {
        let Bound { listener, has_socket, address } = self;
        if !has_socket && address.is_none() {
            return Ok(Operators { running: None, address });
        }
        let service = Service::of_host(Management::of_host(host), application, env!("CARGO_PKG_VERSION"));
        let running = listener.start(service, ManagementLimits::default())?;
        Ok(Operators { running: Some(running), address })
    }
}

impl Operators {
    /// Answers nobody any more. Waits a moment for answers that are under way.
    pub fn stop(&mut self) {
        self.running = None;
    }
}

/// Objects are served also where the file system has no sockets.
fn bind_socket(listener: &mut Listener, plan: &Plan) -> bool {
    match listener.bind_socket(&plan.data_dir) {
        Ok(()) => true,
        Err(error) => {
            let data_dir = plan.data_dir.display();
            tracing::warn!("no management socket in {data_dir}: {error}; --no-management says that none is wanted");
            false
        }
    }
}

/// The token for TCP, if that is wanted, and an error if it is none.
pub fn token(plan: &Plan) -> anyhow::Result<Option<Token>> {
    let Some((_, secret)) = &plan.management.listen else { return Ok(None) };
    match Token::new(secret.expose().to_owned()) {
        Some(token) => Ok(Some(token)),
        None => {
            let text = "to listen for management on an address needs a token of at least 16 letters and digits";
            let help = "set DOHOST_MANAGEMENT_TOKEN, for instance to what `openssl rand -hex 16` prints";
            Err(Failure::new(text, Some(help.into())).into())
        }
    }
}

/// The migrations of a plan as the store knows them.
fn migrations(plan: &Plan) -> Vec<Migration> {
    let step = |step: &MigrationStep| match step.clone() {
        MigrationStep::New(class) => Step::New { class },
        MigrationStep::Deleted(class) => Step::Deleted { class },
        MigrationStep::Renamed { from, to } => Step::Renamed { from, to },
        MigrationStep::Transferred { from, from_data_dir, to } => Step::Transferred { from, from_data_dir, to },
    };
    let migration = |migration: &crate::config::plan::Migration| Migration {
        tag: migration.tag.clone(),
        steps: migration.steps.iter().map(step).collect(),
    };
    plan.migrations.iter().map(migration).collect()
}

/// Applies the migrations of a plan that were not applied yet.
pub fn migrate(store: &Store, plan: &Plan, allow_delete: bool) -> anyhow::Result<()> {
    store.migrate(&migrations(plan), allow_delete).map_err(failure)?;
    Ok(())
}

/// Warns of classes with objects that nobody can reach now.
pub fn warn_of_unserved(store: &Store, plan: &Plan) -> anyhow::Result<()> {
    let failed = |error| Failure::new(format!("failed to {error}"), None);
    for stored in store.classes().map_err(failed)? {
        let is_served = plan.classes.iter().any(|class| class.name == stored.name);
        if !is_served && !store.objects(stored.class.number, None, 1).map_err(failed)?.is_empty() {
            let class = stored.name;
            tracing::warn!(class, "a class has objects and is not served; a migration can rename or delete it");
        }
    }
    Ok(())
}

/// What the next start would do to the classes in the store, line by line, and what it would destroy. Changes nothing.
pub fn changes(plan: &Plan) -> anyhow::Result<(Vec<String>, Option<String>)> {
    let migrations = migrations(plan);
    let told = |plan: MigrationPlan| (plan.to_string().lines().map(str::to_owned).collect(), plan.destroys());
    if !migration::has_store(&plan.data_dir) {
        return Ok(told(migration::plan_new(&migrations).map_err(failure)?));
    }
    if migrations.is_empty() {
        return Ok((Vec::new(), None));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Some(client) = objects::connect(&runtime, &plan.data_dir)? else {
        let store = objects::open_alone(&plan.data_dir)?;
        return Ok(told(store.plan_migrations(&migrations).map_err(failure)?));
    };
    let declared: Vec<Declared> = migrations.into_iter().map(Into::into).collect();
    let body = serde_json::to_vec(&declared)?.into();
    let answer = objects::send(&runtime, &client, Method::POST, "/v1/migrations/plan", body)?;
    let answer: Value = serde_json::from_slice(&answer)?;
    let lines = answer["changes"].as_array().into_iter().flatten();
    let lines = lines.filter_map(|line| line.as_str().map(str::to_owned)).collect();
    Ok((lines, answer["destroys"].as_str().map(str::to_owned)))
}

fn failure(error: MigrationError) -> anyhow::Error {
    let help = error.help();
    Failure::new(error, Some(help)).into()
}
