//! `dohost describe`: what a component can be asked, read from its own types. Nothing is run.

use std::collections::BTreeMap;
use std::sync::Arc;

use dohost_rpc::{Interface, Program, client, openapi, wit};
use serde_json::json;

use crate::args::Describe;
use crate::failure::Failure;
use crate::output;
use crate::programs::Programs;

/// Prints it.
pub fn run(args: &Describe) -> anyhow::Result<()> {
    let binary = match Programs::new().component(&args.file)? {
        Some(binary) => binary.to_vec(),
        None => dohost_engine::component::read(&args.file).map_err(|error| {
            let help = error.help();
            Failure::new(error, help)
        })?,
    };
    let file = args.file.display().to_string();
    let interface = Interface::read(&binary).map_err(|error| Failure::new(format!("{file}: {error}"), None))?;
    let name = args.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if args.json {
        output::say(format_args!("{:#}", as_json(&interface)))?;
    } else if args.openapi {
        let interface = Arc::new(interface);
        let mut classes = BTreeMap::new();
        if let Some(dynamic) = &interface.dynamic {
            let names = dynamic.program.iter().flat_map(|program| &program.classes).map(|class| &class.name);
            classes.extend(names.map(|name| (name.clone(), (interface.clone(), Some(dynamic.methods(name))))));
        }
        if classes.is_empty() {
            classes.insert(name.clone(), (interface, None));
        }
        output::say(format_args!("{:#}", openapi::document(&name, env!("CARGO_PKG_VERSION"), &classes)))?;
    } else if args.client {
        if interface.methods.is_empty() {
            return Err(Failure::new(format!("{file} has no methods"), None).into());
        }
        output::say(client::wit(&interface, &name).trim_end())?;
    } else {
        output::say(as_text(&interface, &name).trim_end())?;
    }
    Ok(())
}

fn as_text(interface: &Interface, name: &str) -> String {
    let program = interface.dynamic.as_ref().and_then(|dynamic| dynamic.program.as_ref());
    let mut text = match (interface.methods.len(), program) {
        (0, Some(program)) => program_as_text(program, name),
        (0, None) => format!("{name} has no methods\n"),
        (_, _) => format!("methods of {name}\n\n{}", wit::methods(&interface.methods, "  ")),
    };
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    };
    let not_methods = interface.not_methods.iter();
    section("not methods", not_methods.map(|other| format!("{}: {}", other.name, other.reason)).collect());
    let clients = interface.clients.iter().map(|client| match &client.error {
        None => client.interface.clone(),
        Some(error) => format!("{}, but it cannot: its function {error}", client.interface),
    });
    section("calls methods through", clients.collect());
    section("exports", interface.exports.clone());
    section("imports", interface.imports.clone());
    text
}

fn program_as_text(program: &Program, name: &str) -> String {
    let mut text = format!("{name} is a program, built by {}\n", program.builder);
    for class in &program.classes {
        text.push_str(&format!("\nclass {}\n", class.name));
        for (what, names) in [("handlers", &class.handlers), ("methods", &class.methods)] {
            if !names.is_empty() {
                text.push_str(&format!("  {what}: {}\n", names.join(", ")));
            }
        }
    }
    if program.worker {
        text.push_str("\nworker: its default export\n");
    }
    text
}

fn as_json(interface: &Interface) -> serde_json::Value {
    let methods = interface.methods.iter().map(|method| {
        let params = method.params.iter().map(|(name, ty)| json!({ "name": name, "type": ty.to_string() }));
        json!({
            "name": method.name,
            "interface": method.interface,
            "function": method.function,
            "params": params.collect::<Vec<_>>(),
            "result": method.result.as_ref().map(ToString::to_string),
            "async": method.is_async,
            "docs": method.docs,
        })
    });
    let not_methods = interface.not_methods.iter();
    let not_methods = not_methods.map(|other| json!({ "name": other.name, "reason": other.reason }));
    let clients = interface.clients.iter();
    let clients = clients.map(|client| json!({ "interface": client.interface, "error": client.error }));
    json!({
        "program": interface.dynamic.as_ref().map(|dynamic| &dynamic.program),
        "methods": methods.collect::<Vec<_>>(),
        "not-methods": not_methods.collect::<Vec<_>>(),
        "clients": clients.collect::<Vec<_>>(),
        "exports": interface.exports,
        "imports": interface.imports,
    })
}
