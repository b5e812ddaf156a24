//! `dohost types`: what TypeScript has to know of a program's surroundings, as a file of declarations.
//!
//! One part is the same for all programs; the other is `Env`, made of the bindings and variables of what is served.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::args::Types;
use crate::config::plan::ClassPlan;
use crate::config::{self, Plan};
use crate::failure::Failure;
use crate::output;
use crate::programs::Programs;

/// What is the same for all.
const RUNTIME: &str = include_str!("runtime.d.ts");
/// Where the declarations go unless it is said otherwise.
const FILE_NAME: &str = "worker-configuration.d.ts";

/// Writes the file.
pub fn run(args: &Types) -> anyhow::Result<()> {
    let programs = Programs::new();
    let plan = config::plan(&args.application, &secret_of_any_value, &|path| programs.program(path))?;
    let to = args.output.clone().unwrap_or_else(|| {
        let folder = plan.file.as_ref().and_then(|file| file.parent()).map(PathBuf::from);
        folder.unwrap_or_default().join(FILE_NAME)
    });
    let text = format!("// Written by `dohost types`.\n\n{}\n{RUNTIME}", env(&plan, &to));
    std::fs::write(&to, text).map_err(|error| Failure::new(format!("cannot write {}: {error}", to.display()), None))?;
    output::say(to.display())?;
    Ok(())
}

/// Types need the names of secrets and not their values.
fn secret_of_any_value(name: &str) -> Option<std::ffi::OsString> {
    Some(config::host_environment(name).unwrap_or_default())
}

/// Everything that any class or Worker is given, with its type.
fn env(plan: &Plan, to: &Path) -> String {
    let guests = plan.classes.iter().map(|class| (&class.bindings, &class.variables));
    let guests = guests.chain(plan.workers.iter().map(|worker| (&worker.bindings, &worker.variables)));
    let mut members: BTreeMap<&str, String> = BTreeMap::new();
    for (bindings, variables) in guests {
        members.extend(variables.keys().map(|name| (name.as_str(), "string".to_string())));
        for (name, class) in bindings {
            let class = plan.classes.iter().find(|other| other.name == *class);
            // By its own name a class is bound for those who are told it, not for `env`.
            if let Some(class) = class.filter(|class| *name != class.own_name && *name != class.name) {
                members.insert(name, namespace(class, to));
            }
        }
    }
    let members: String = members.iter().map(|(name, ty)| format!("  {}: {ty};\n", key(name))).collect();
    format!("/** What a program is given: bindings and variables. */\ninterface Env {{\n{members}}}\n")
}

fn namespace(class: &ClassPlan, to: &Path) -> String {
    let path = &class.component.path;
    if !dohost_javascript::is_source(path) {
        return "DurableObjectNamespace".into();
    }
    let module = import(path, to);
    format!("DurableObjectNamespace<import({}).{}>", serde_json::Value::from(module), class.own_name)
}

/// How a file is imported from another one. TypeScript is named without its extension.
fn import(path: &Path, from: &Path) -> String {
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match from.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => absolute(folder),
        _ => absolute(Path::new(".")),
    };
    let path = absolute(path);
    let path = match path.extension().is_some_and(|extension| extension == "ts") {
        true => path.with_extension(""),
        false => path,
    };
    let (path, folder): (Vec<Component>, Vec<Component>) = (path.components().collect(), folder.components().collect());
    let common = path.iter().zip(&folder).take_while(|(a, b)| a == b).count();
    let mut parts = vec![String::from(if folder.len() == common { "." } else { ".." })];
    parts.extend(folder[common..].iter().skip(1).map(|_| "..".to_string()));
    parts.extend(path[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned()));
    parts.join("/")
}

/// A name as the key of an interface.
fn key(name: &str) -> String {
    let is_identifier = !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
    if is_identifier { name.into() } else { serde_json::Value::from(name).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_imported_from_where_the_declarations_are() {
        let import = |path: &str, from: &str| import(Path::new(path), Path::new(from));
        assert_eq!(import("/p/src/index.ts", "/p/types.d.ts"), "./src/index");
        assert_eq!(import("/p/src/index.js", "/p/a/b/types.d.ts"), "../../src/index.js");
        assert_eq!(key("COUNTER"), "COUNTER");
        assert_eq!(key("a-b"), "\"a-b\"");
    }
}
