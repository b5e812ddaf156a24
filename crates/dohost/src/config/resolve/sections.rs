//! The sections of the file that are not about classes and Workers.

use std::collections::HashSet;

use super::Resolver;
use crate::args::Application;
use crate::config::at::At;
use crate::config::file::{BuildTable, ManagementTable, MigrationTable, OutgoingTable};
use crate::config::plan::{BuildPlan, ManagementPlan, Migration, MigrationStep, OutgoingPlan, Secret};

/// Where the token of the management listener is, unless the file says otherwise.
const TOKEN_VARIABLE: &str = "DOHOST_MANAGEMENT_TOKEN";

impl Resolver<'_> {
    pub(super) fn build(&mut self, table: &BuildTable) -> Option<BuildPlan> {
        let Some(command) = &table.command else {
            if let Some(at) = table.cwd.as_ref().or(table.watch_dir.first()) {
                let help = "add command = \"…\" to [build], or leave [build] out if nothing has to be built";
                self.fail(at, "there is no command to build with", Some(help.into()));
            }
            return None;
        };
        let here = std::path::PathBuf::from(".");
        let directory = match &table.cwd {
            Some(at) => self.directory(at),
            None if self.directory.as_os_str().is_empty() => here,
            None => self.directory.clone(),
        };
        let watched = match table.watch_dir.is_empty() {
            true => vec![directory.clone()],
            false => table.watch_dir.iter().map(|at| self.path(&at.value)).collect(),
        };
        Some(BuildPlan { command: command.value.clone(), directory, watched })
    }

    pub(super) fn outgoing(&mut self, table: &OutgoingTable, arguments: &Application) -> OutgoingPlan {
        let is_enabled = table.enabled.as_ref().is_none_or(|enabled| enabled.value);
        let mut allow = Vec::new();
        for at in table.allow.iter().flat_map(|allow| &allow.value) {
            match at.value.parse() {
                Ok(destination) => allow.push(destination),
                Err(error) => self.fail(at, error, None),
            }
        }
        if let Some(enabled) = table.enabled.as_ref().filter(|enabled| !enabled.value)
            && (table.allow.is_some() || table.ca.is_some())
        {
            self.fail(enabled, "requests to the network are turned off, and yet there is more about them", None);
        }
        if let Some(empty) = table.allow.as_ref().filter(|allow| allow.value.is_empty()) {
            let help = "leave `allow` out for every public address, or write enabled = false for none";
            self.fail(empty, "the list of allowed destinations is empty", Some(help.into()));
        }
        let ca = table.ca.as_ref().map(|at| self.file(at));
        let says_where = !arguments.allow_outgoing.is_empty();
        OutgoingPlan {
            is_enabled: !arguments.no_outgoing && (says_where || is_enabled),
            allow: if says_where { arguments.allow_outgoing.clone() } else { allow },
            ca: arguments.outgoing_ca.clone().or(ca),
        }
    }

    pub(super) fn management(&mut self, table: &ManagementTable, arguments: &Application) -> ManagementPlan {
        let address = table.listen.as_ref().and_then(|at| Some((self.address(at)?, at)));
        let listen = address.and_then(|(address, at)| {
            let by_default = At { value: TOKEN_VARIABLE.to_owned(), span: at.span.clone() };
            let name = table.token_env.as_ref().unwrap_or(&by_default);
            let token = self.secret(name)?;
            if token.is_empty() {
                self.fail(name, format!("the environment variable {} is empty", name.value), None);
            }
            Some((address, Secret::new(token)))
        });
        if let (None, Some(name)) = (&table.listen, &table.token_env) {
            let help = "the socket needs no token; give `listen` too, or leave this out";
            self.fail(name, "a token is named and no address to listen on", Some(help.into()));
        }
        let given = arguments.management_listen.map(|address| {
            let token = listen.as_ref().map(|(_, token)| token.clone());
            // Without one there is none that is long enough.
            let from_environment = || (self.environment)(TOKEN_VARIABLE).and_then(|token| token.into_string().ok());
            let token = token.unwrap_or_else(|| Secret::new(from_environment().unwrap_or_default()));
            (address, token)
        });
        ManagementPlan {
            has_socket: !arguments.no_management && table.socket.unwrap_or(true),
            listen: given.or(listen),
        }
    }

    /// Their form; whether they fit the store is found out there.
    pub(super) fn migrations(&mut self, tables: &[MigrationTable]) -> Vec<Migration> {
        let mut tags = HashSet::new();
        tables.iter().map(|table| self.migration(table, &mut tags)).collect()
    }

    fn migration<'t>(&mut self, table: &'t MigrationTable, tags: &mut HashSet<&'t str>) -> Migration {
        let MigrationTable { tag, new_classes, deleted_classes, renamed_classes, transferred_classes } = table;
        if tag.value.is_empty() {
            self.fail(tag, "the tag of a migration is empty", None);
        } else if !tags.insert(&tag.value) {
            let help = "each migration has a tag of its own, by which it is known whether it has been applied";
            self.fail(tag, format!("two migrations have the tag {:?}", tag.value), Some(help.into()));
        }
        let mut steps = Vec::new();
        steps.extend(new_classes.iter().map(|at| MigrationStep::New(self.class_name(at))));
        steps.extend(deleted_classes.iter().map(|at| MigrationStep::Deleted(self.class_name(at))));
        for rename in renamed_classes {
            let (from, to) = (self.class_name(&rename.from), self.class_name(&rename.to));
            if from == to {
                self.fail(&rename.to, format!("the class {to} is renamed to what it is called"), None);
            }
            steps.push(MigrationStep::Renamed { from, to });
        }
        for transfer in transferred_classes {
            steps.push(MigrationStep::Transferred {
                from: self.class_name(&transfer.from),
                from_data_dir: self.path(&transfer.from_data_dir),
                to: self.class_name(&transfer.to),
            });
        }
        if steps.is_empty() {
            let help = "give new_classes, deleted_classes, renamed_classes or transferred_classes";
            self.fail(tag, format!("the migration {:?} does nothing", tag.value), Some(help.into()));
        }
        self.check_named_once(table);
        Migration { tag: tag.value.clone(), steps }
    }

    /// Within one migration a class is spoken of once, so that the order of its steps does not matter.
    fn check_named_once(&mut self, table: &MigrationTable) {
        let renamed = table.renamed_classes.iter().flat_map(|rename| [&rename.from, &rename.to]);
        let transferred = table.transferred_classes.iter().map(|transfer| &transfer.to);
        let named = table.new_classes.iter().chain(&table.deleted_classes).chain(renamed).chain(transferred);
        let mut seen = HashSet::new();
        for at in named {
            if !seen.insert(&at.value) {
                let help = "make two migrations of it";
                self.fail(at, format!("one migration speaks of the class {} twice", at.value), Some(help.into()));
            }
        }
    }
}
