//! The plan as people and programs read it. Secrets are named and not shown.

use std::collections::BTreeMap;
use std::fmt;

use dohost_object::Limits;
use serde::Serialize;

use crate::config::Plan;
use crate::config::plan::{ClassPlan, Migration, MigrationStep, VariableValue, VariablesPlan, WorkerPlan};
use crate::limit;
use crate::size;

/// What a plan comes to. Its JSON has these names; what is not set is null or empty.
#[derive(Debug, Serialize)]
pub struct Report {
    config: Option<String>,
    listen: String,
    data_dir: String,
    idle_timeout: String,
    shutdown_timeout: String,
    drain_timeout: String,
    threads: Option<u16>,
    max_resident: Option<u32>,
    max_alarms: u32,
    max_connections: u32,
    max_websockets: u32,
    store_cache: u64,
    store_log: u64,
    verify_store: bool,
    classes: Vec<ClassReport>,
    workers: Vec<WorkerReport>,
    outgoing: OutgoingReport,
    management: ManagementReport,
    migrations: Vec<MigrationReport>,
    /// What the next start would do to the classes in the store.
    changes: Vec<String>,
    /// What of it needs --allow-delete.
    destroys: Option<String>,
}

#[derive(Debug, Serialize)]
struct ClassReport {
    name: String,
    component: String,
    class: String,
    concurrency: &'static str,
    #[serde(flatten)]
    guest: GuestReport,
}

#[derive(Debug, Serialize)]
struct WorkerReport {
    name: String,
    component: String,
    routes: Vec<String>,
    #[serde(flatten)]
    guest: GuestReport,
}

/// What classes and Workers both have.
#[derive(Debug, Serialize)]
struct GuestReport {
    bindings: BTreeMap<String, String>,
    vars: BTreeMap<String, String>,
    /// Names only.
    secrets: Vec<String>,
    /// Those that are not what they are by default.
    limits: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct OutgoingReport {
    enabled: bool,
    /// Empty: every public address.
    allow: Vec<String>,
    ca: Option<String>,
}

#[derive(Debug, Serialize)]
struct ManagementReport {
    socket: bool,
    listen: Option<String>,
}

#[derive(Debug, Serialize)]
struct MigrationReport {
    tag: String,
    steps: Vec<String>,
}

impl Report {
    pub fn of(plan: &Plan) -> Report {
        Report {
            config: plan.file.as_ref().map(|path| path.display().to_string()),
            listen: plan.listen.to_string(),
            data_dir: plan.data_dir.display().to_string(),
            idle_timeout: humantime::format_duration(plan.idle_timeout).to_string(),
            shutdown_timeout: humantime::format_duration(plan.shutdown_timeout).to_string(),
            drain_timeout: humantime::format_duration(plan.drain_timeout).to_string(),
            threads: plan.threads,
            max_resident: plan.max_resident,
            max_alarms: plan.max_alarms,
            max_connections: plan.max_connections,
            max_websockets: plan.max_websockets,
            store_cache: plan.store_cache,
            store_log: plan.store_log,
            verify_store: plan.verify_store,
            classes: plan.classes.iter().map(ClassReport::of).collect(),
            workers: plan.workers.iter().map(WorkerReport::of).collect(),
            outgoing: OutgoingReport {
                enabled: plan.outgoing.is_enabled,
                allow: plan.outgoing.allow.iter().map(ToString::to_string).collect(),
                ca: plan.outgoing.ca.as_ref().map(|path| path.display().to_string()),
            },
            management: ManagementReport {
                socket: plan.management.has_socket,
                listen: plan.management.listen.as_ref().map(|(address, _)| address.to_string()),
            },
            migrations: plan.migrations.iter().map(MigrationReport::of).collect(),
            changes: Vec::new(),
            destroys: None,
        }
    }

    /// With what the next start would do to the store.
    pub fn with_changes(self, changes: Vec<String>, destroys: Option<String>) -> Report {
        Report { changes, destroys, ..self }
    }

    /// The text, section by section; an empty one is left out.
    fn sections(&self) -> Vec<Vec<String>> {
        let mut sections = vec![self.host()];
        sections.extend(self.classes.iter().map(ClassReport::lines));
        sections.extend(self.workers.iter().map(WorkerReport::lines));
        sections.push(self.migrations.iter().map(MigrationReport::line).collect());
        sections.push(self.at_the_start());
        sections.retain(|lines| !lines.is_empty());
        sections
    }

    fn at_the_start(&self) -> Vec<String> {
        if self.changes.is_empty() {
            return Vec::new();
        }
        let mut lines = vec!["the next start changes the store".to_owned()];
        lines.extend(self.changes.iter().map(|change| format!("  {change}")));
        if let Some(destroys) = &self.destroys {
            lines.push(format!("  only with --allow-delete: objects would be deleted: {destroys}"));
        }
        lines
    }

    fn host(&self) -> Vec<String> {
        let mut lines = vec![match &self.config {
            Some(config) => format!("{config} can be served"),
            None => "this can be served".into(),
        }];
        let mut fact = |name: &str, value: String| lines.push(line(name, &value));
        fact("listen", self.listen.clone());
        fact("data", self.data_dir.clone());
        fact("idle timeout", self.idle_timeout.clone());
        fact("shutdown timeout", self.shutdown_timeout.clone());
        fact("drain timeout", self.drain_timeout.clone());
        if let Some(threads) = self.threads {
            fact("threads", threads.to_string());
        }
        if let Some(max_resident) = self.max_resident {
            fact("max resident", max_resident.to_string());
        }
        fact("max alarms", self.max_alarms.to_string());
        fact("max connections", self.max_connections.to_string());
        fact("max websockets", self.max_websockets.to_string());
        fact("store cache", size::shown(self.store_cache));
        fact("store log", size::shown(self.store_log));
        if self.verify_store {
            fact("verify store", "at the start".into());
        }
        fact("outgoing", self.outgoing.text());
        fact("management", self.management.text());
        lines
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sections: Vec<String> = self.sections().iter().map(|lines| lines.join("\n") + "\n").collect();
        f.write_str(&sections.join("\n"))
    }
}

impl ClassReport {
    fn of(plan: &ClassPlan) -> ClassReport {
        ClassReport {
            name: plan.name.clone(),
            component: plan.component.path.display().to_string(),
            class: plan.own_name.clone(),
            concurrency: if plan.is_serial { "serial" } else { "interleaved" },
            guest: GuestReport::of(&plan.bindings, &plan.variables, &plan.limits),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("class {}", self.name), line("component", &self.component)];
        if self.class != self.name {
            lines.push(line("class", &self.class));
        }
        lines.push(line("concurrency", self.concurrency));
        lines.extend(self.guest.lines());
        lines
    }
}

impl WorkerReport {
    fn of(plan: &WorkerPlan) -> WorkerReport {
        WorkerReport {
            name: plan.name.clone(),
            component: plan.component.path.display().to_string(),
            routes: plan.routes.iter().map(ToString::to_string).collect(),
            guest: GuestReport::of(&plan.bindings, &plan.variables, &plan.limits),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("Worker {}", self.name), line("component", &self.component)];
        lines.push(line("routes", &self.routes.join(", ")));
        lines.extend(self.guest.lines());
        lines
    }
}

impl GuestReport {
    fn of(bindings: &BTreeMap<String, String>, variables: &VariablesPlan, limits: &Limits) -> GuestReport {
        let plain = |(name, value): (&String, &VariableValue)| match value {
            VariableValue::Plain(text) => Some((name.clone(), text.clone())),
            VariableValue::Secret(_) => None,
        };
        let is_secret = |value: &VariableValue| matches!(value, VariableValue::Secret(_));
        GuestReport {
            bindings: bindings.clone(),
            vars: variables.iter().filter_map(plain).collect(),
            secrets: variables.iter().filter(|(_, value)| is_secret(value)).map(|(name, _)| name.clone()).collect(),
            limits: limit::changed(limits).into_iter().collect(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut fact = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                lines.push(line(name, &values.join(", ")));
            }
        };
        fact("bindings", self.bindings.iter().map(|(name, class)| format!("{name} → {class}")).collect());
        fact("vars", self.vars.iter().map(|(name, value)| format!("{name}={value:?}")).collect());
        fact("secrets", self.secrets.clone());
        fact("limits", self.limits.iter().map(|(name, value)| format!("{name} {value}")).collect());
        lines
    }
}

impl OutgoingReport {
    fn text(&self) -> String {
        let mut text = match (self.enabled, self.allow.is_empty()) {
            (false, _) => return "nowhere".into(),
            (true, true) => "to every public address".into(),
            (true, false) => format!("to {}", self.allow.join(", ")),
        };
        if let Some(ca) = &self.ca {
            text.push_str(&format!(", believing also what {ca} leads to"));
        }
        text
    }
}

impl ManagementReport {
    fn text(&self) -> String {
        match (self.socket, &self.listen) {
            (true, None) => "on a socket in the data directory".into(),
            (true, Some(address)) => format!("on a socket in the data directory, and with a token on {address}"),
            (false, Some(address)) => format!("with a token on {address}"),
            (false, None) => "nowhere".into(),
        }
    }
}

impl MigrationReport {
    fn of(migration: &Migration) -> MigrationReport {
        let step = |step: &MigrationStep| match step {
            MigrationStep::New(class) => format!("new {class}"),
            MigrationStep::Deleted(class) => format!("delete {class}"),
            MigrationStep::Renamed { from, to } => format!("rename {from} to {to}"),
            MigrationStep::Transferred { from, from_data_dir, to } => {
                format!("transfer {from} of {} to {to}", from_data_dir.display())
            }
        };
        MigrationReport { tag: migration.tag.clone(), steps: migration.steps.iter().map(step).collect() }
    }

    fn line(&self) -> String {
        format!("migration {}: {}", self.tag, self.steps.join(", "))
    }
}

/// A fact, indented, values below each other.
fn line(name: &str, value: &str) -> String {
    format!("  {name:16} {value}")
}
