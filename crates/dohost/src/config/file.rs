//! The shape of `dohost.toml`. The documentation of the fields is what editors show, by way of the JSON schema.
//!
//! Only the shape: what the values mean, and whether they make sense together, is for `resolve`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::at::At;
use super::suggest;
use super::tables::{LimitsTable, Scalar, size_schema};
use crate::failure::Failure;
use crate::place::{Place, Source};

/// An application of dohost: its classes, its Workers, and how they are served. Paths are relative to the file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "dohost.toml")]
pub struct File {
    /// Address to listen on; port 0 picks a free one. Default: 127.0.0.1:8787
    pub listen: Option<At<String>>,
    /// Directory that holds everything the objects store; made if it is missing. Default: .dohost
    pub data_dir: Option<String>,
    /// How long an object without requests stays in memory, such as "10s". Default: 10s
    pub idle_timeout: Option<At<String>>,
    /// How long a stop waits for requests that are running, such as "30s". Default: 30s
    pub shutdown_timeout: Option<At<String>>,
    /// How long an object may take to finish its requests before it moves to new code, such as "30s". Default: 30s
    pub drain_timeout: Option<At<String>>,
    /// Threads that run objects and connections, 1 to 1024. Default: the number of cores
    pub threads: Option<At<u32>>,
    /// Objects that may be in memory at once, 1 to 1000000. Default: what vm.max_map_count allows, 10000 at most
    pub max_resident: Option<At<u32>>,
    /// Alarms whose handlers may run at once, over all objects, 1 to 100000. Default: 256
    pub max_alarms: Option<At<u32>>,
    /// Connections of clients that may be open at once; more wait until others close, 1 to 1000000. Default: 10000
    pub max_connections: Option<At<u32>>,
    /// WebSockets that may be open at once, over all objects, 1 to 1000000. Default: 100000
    pub max_websockets: Option<At<u32>>,
    /// Memory for pages of the data file, such as "64MiB", from 1MiB. Default: 64MiB
    #[schemars(schema_with = "size_schema")]
    pub store_cache: Option<At<Scalar>>,
    /// Size of each of the two files of the log, 1MiB to 1GiB: a larger one is checkpointed less often, and takes longer to start
    /// from after a crash. Default: 16MiB
    #[schemars(schema_with = "size_schema")]
    pub store_log: Option<At<Scalar>>,
    /// Check the whole data file before serving, however large it is and however it was closed. Default: false
    pub verify_store: Option<bool>,
    /// Limits of all classes and Workers.
    pub limits: LimitsTable,
    /// Environment variables of all classes and Workers.
    pub vars: BTreeMap<At<String>, Scalar>,
    /// Environment variables of all classes and Workers whose values are taken from the environment of the host, under the
    /// same names. They are never shown.
    pub secrets: Vec<At<String>>,
    /// Classes of objects, by the names under which they are served: /{class}/{name}/{path} reaches an object.
    pub classes: BTreeMap<At<String>, ClassTable>,
    /// Workers: wasi:http components that stand in front of the objects.
    pub workers: BTreeMap<At<String>, WorkerTable>,
    /// How the components are built.
    pub build: BuildTable,
    /// Requests of objects and Workers to the network.
    pub outgoing: OutgoingTable,
    /// The listener for operators.
    pub management: ManagementTable,
    /// Changes of the classes in the store. Each is applied once, in this order.
    pub migrations: Vec<MigrationTable>,
}

/// A class of objects.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassTable {
    /// The component that implements it, or a program in JavaScript or TypeScript that exports it.
    pub component: At<String>,
    /// The name of the class in the component, which its objects learn from `state.class`. Default: the name under which it
    /// is served
    pub class: Option<At<String>>,
    /// Whether an object handles other events while one waits for something other than storage. Default: interleaved
    #[serde(default)]
    pub concurrency: Concurrency,
    /// Names under which its objects know classes, beside those that every class has: ChatRoom is CHAT_ROOM.
    #[serde(default)]
    pub bindings: BTreeMap<At<String>, At<String>>,
    /// Environment variables of its objects.
    #[serde(default)]
    pub vars: BTreeMap<At<String>, Scalar>,
    /// Environment variables of its objects whose values are taken from the environment of the host.
    #[serde(default)]
    pub secrets: Vec<At<String>>,
    /// Limits of its objects.
    #[serde(default)]
    pub limits: LimitsTable,
}

/// How the events of an object run beside each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Concurrency {
    /// While an event waits for something other than storage, others run.
    #[default]
    Interleaved,
    /// One event after the other.
    Serial,
}

/// A Worker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerTable {
    /// The component that implements it, or a program in JavaScript or TypeScript. It may be that of a class too.
    pub component: At<String>,
    /// The requests that it gets, such as "/api/*" or "shop.example.com/*". The most specific route of all Workers wins; a
    /// request that takes none reaches an object by its path. Default: everything
    pub routes: Option<At<Vec<At<String>>>>,
    /// Names under which it knows classes, beside those that every class has: ChatRoom is CHAT_ROOM.
    #[serde(default)]
    pub bindings: BTreeMap<At<String>, At<String>>,
    /// Its environment variables.
    #[serde(default)]
    pub vars: BTreeMap<At<String>, Scalar>,
    /// Its environment variables whose values are taken from the environment of the host.
    #[serde(default)]
    pub secrets: Vec<At<String>>,
    /// Its limits: memory, turn-cpu, handles, body.
    #[serde(default)]
    pub limits: LimitsTable,
}

/// How the components are built, by `dohost build` and `dohost dev`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BuildTable {
    /// The command, for `sh -c`. Default: nothing has to be built
    pub command: Option<At<String>>,
    /// Where it is run. Default: where this file is
    pub cwd: Option<At<String>>,
    /// Directories and files with what it builds from, for `dohost dev`. Default: where it is run
    pub watch_dir: Vec<At<String>>,
}

/// Requests of objects and Workers to the network.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutgoingTable {
    /// Whether there may be any. Default: true
    pub enabled: Option<At<bool>>,
    /// The only destinations: HOST, *.HOST, HOST:PORT. One that is named without a wildcard may have a private address.
    /// Default: every public address
    pub allow: Option<At<Vec<At<String>>>>,
    /// A PEM file: servers with certificates that lead to those in it are believed, beside the usual ones.
    pub ca: Option<At<String>>,
}

/// The listener for operators.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ManagementTable {
    /// Listen on a socket in the data directory, which only the user who runs the host can open. Default: true
    pub socket: Option<bool>,
    /// Listen on this address too, for those who have the token.
    pub listen: Option<At<String>>,
    /// The environment variable of the host that holds the token. Default: DOHOST_MANAGEMENT_TOKEN
    pub token_env: Option<At<String>>,
}

/// A change of the classes in the store, applied as a whole and once.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrationTable {
    /// Its name: what has been applied is known by it.
    pub tag: At<String>,
    /// Classes that begin.
    #[serde(default)]
    pub new_classes: Vec<At<String>>,
    /// Classes that end, with everything that their objects have stored.
    #[serde(default)]
    pub deleted_classes: Vec<At<String>>,
    /// Classes that get another name; their objects keep ids and data.
    #[serde(default)]
    pub renamed_classes: Vec<RenameTable>,
    /// Classes that come from another data directory, with all objects.
    #[serde(default)]
    pub transferred_classes: Vec<TransferTable>,
}

/// A class that gets another name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameTable {
    /// Its name before.
    pub from: At<String>,
    /// Its name after.
    pub to: At<String>,
}

/// A class that comes from another data directory.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TransferTable {
    /// Its name there.
    pub from: At<String>,
    /// That data directory.
    pub from_data_dir: String,
    /// Its name here.
    pub to: At<String>,
}

/// Reads the text of a file.
pub fn parse(source: &std::sync::Arc<Source>) -> Result<File, Failure> {
    toml::from_str(&source.text).map_err(|error| {
        let (text, help) = explain(error.message());
        let place = error.span().map(|span| Place::new(source.clone(), span));
        Failure::new(text, help).at(place)
    })
}

/// The JSON schema of the file.
pub fn schema() -> String {
    let schema = schemars::schema_for!(File);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}

/// Of an unknown key or value: what it may have been meant to be.
fn explain(message: &str) -> (String, Option<String>) {
    let unknown = [("unknown field `", "key"), ("unknown variant `", "value")].into_iter().find_map(|(start, what)| {
        let (given, expected) = message.strip_prefix(start)?.split_once('`')?;
        Some((what, given, expected))
    });
    let Some((what, given, expected)) = unknown else {
        return (message.trim_end().into(), None);
    };
    let candidates: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let help = suggest::help(given, &format!("the {what}s here"), candidates);
    (format!("there is no {what} {given} here"), help)
}
