//! The plan: what is to be served and how, with everything filled in and checked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dohost_egress::Destination;
use dohost_engine::Variables;
use dohost_ingress::RoutePattern;
use dohost_object::Limits;

pub use super::secret::Secret;
use crate::place::Place;

/// What is to be served and how. Paths are relative to the current directory.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file that it came from, if it came from one.
    pub file: Option<PathBuf>,
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub idle_timeout: Duration,
    pub shutdown_timeout: Duration,
    pub drain_timeout: Duration,
    /// As many as there are cores, if it is not said.
    pub threads: Option<u16>,
    /// As many as the system allows, if it is not said.
    pub max_resident: Option<u32>,
    pub max_alarms: u32,
    pub max_connections: u32,
    pub max_websockets: u32,
    /// Bytes.
    pub store_cache: u64,
    /// Bytes.
    pub store_log: u64,
    pub verify_store: bool,
    /// Sorted by name, if they are from a file.
    pub classes: Vec<ClassPlan>,
    /// Sorted by name. No two have the same route.
    pub workers: Vec<WorkerPlan>,
    pub outgoing: OutgoingPlan,
    pub management: ManagementPlan,
    /// In the order in which they are to be applied.
    pub migrations: Vec<Migration>,
}

impl Plan {
    /// The files with the components, some maybe several times.
    pub fn components(&self) -> impl Iterator<Item = &Path> {
        let of_classes = self.classes.iter().map(|class| &class.component);
        let of_workers = self.workers.iter().map(|worker| &worker.component);
        of_classes.chain(of_workers).map(|component| component.path.as_path())
    }
}

/// How the components are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildPlan {
    /// For `sh -c`.
    pub command: String,
    pub directory: PathBuf,
    /// What it builds from: directories and files.
    pub watched: Vec<PathBuf>,
}

/// A class to be served.
#[derive(Clone, Debug)]
pub struct ClassPlan {
    /// The name under which it is served.
    pub name: String,
    /// The name that the component knows it by.
    pub own_name: String,
    pub component: ComponentFile,
    pub limits: Limits,
    pub is_serial: bool,
    /// Every binding with the class that it means, those included that every class has.
    pub bindings: BTreeMap<String, String>,
    pub variables: VariablesPlan,
}

/// A Worker to be served.
#[derive(Clone, Debug)]
pub struct WorkerPlan {
    pub name: String,
    pub component: ComponentFile,
    pub routes: Vec<RoutePattern>,
    pub limits: Limits,
    pub bindings: BTreeMap<String, String>,
    pub variables: VariablesPlan,
}

/// A component, and who said that it should be served.
#[derive(Clone, Debug)]
pub struct ComponentFile {
    pub path: PathBuf,
    /// For what is found to be wrong with it later; none if it was the command line.
    pub place: Option<Place>,
}

/// The environment variables of a guest.
pub type VariablesPlan = BTreeMap<String, VariableValue>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableValue {
    Plain(String),
    Secret(Secret),
}

/// The variables as a guest gets them.
pub fn exposed(variables: &VariablesPlan) -> Variables {
    let text = |value: &VariableValue| match value {
        VariableValue::Plain(text) => text.clone(),
        VariableValue::Secret(secret) => secret.expose().to_owned(),
    };
    variables.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Requests of guests to the network.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingPlan {
    pub is_enabled: bool,
    /// Every public address, if it is empty.
    pub allow: Vec<Destination>,
    /// A PEM file with further authorities.
    pub ca: Option<PathBuf>,
}

/// The listener for operators.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagementPlan {
    /// On a socket in the data directory.
    pub has_socket: bool,
    /// On an address too, for those who have the token.
    pub listen: Option<(SocketAddr, Secret)>,
}

/// A change of the classes in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub tag: String,
    pub steps: Vec<MigrationStep>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MigrationStep {
    New(String),
    Deleted(String),
    Renamed { from: String, to: String },
    Transferred { from: String, from_data_dir: PathBuf, to: String },
}
