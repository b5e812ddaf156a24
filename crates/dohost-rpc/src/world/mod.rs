//! Whether a component fits the world: its imports are on offer, and what both sides know has the same types.
//!
//! Names come first, as a name that is wrong makes every type wrong. What differs in type is shown as a line of WIT for either
//! side. Interfaces of WASI 0.2 are on offer too, but their text is not here: linking compares those.
//!
//! Linking refuses whatever this refuses. This says it in the words of WIT, and all at once.

mod offered;
mod text;

use std::collections::BTreeSet;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Function, InterfaceId, Resolve, WorldItem, WorldKey};

use crate::interface::Interface;
use crate::read::ReadError;
use offered::Offered;

/// What an object exports: one of these, if it has no methods.
pub const HANDLERS: [&str; 3] = ["dohost:object/handler", "dohost:object/mixed-handler", "wasi:http/handler"];
/// What else the host calls if it is exported.
const CALLED: [&str; 7] = [
    "dohost:object/alarm-handler",
    "dohost:object/construction",
    "dohost:object/dynamic",
    "dohost:object/handler",
    "dohost:object/mixed-handler",
    "dohost:object/websocket-handler",
    "wasi:http/handler",
];

/// One thing that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// What it is.
    pub text: String,
    /// Lines of WIT: what the component has. Empty if there is nothing to show.
    pub component: Vec<String>,
    /// Lines of WIT: what dohost has.
    pub host: Vec<String>,
}

/// What a component has to do with the world.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fit {
    /// The names of the interfaces that it imports.
    pub imports: Vec<String>,
    /// The names of what it exports.
    pub exports: Vec<String>,
    /// What does not fit.
    pub misfits: Vec<Misfit>,
}

/// Compares a component with the world. `is_offered` says which imports the host has in some version.
pub fn fit(component: &[u8], is_offered: &dyn Fn(&str) -> bool) -> Result<Fit, ReadError> {
    let (resolve, world) = match decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => return Err(ReadError("it is a WIT package".into())),
        Err(error) => return Err(ReadError(format!("{error:#}"))),
    };
    let interface = Interface::read(component)?;
    let mut check = Check { resolve: &resolve, offered: Offered::new(), misfits: Vec::new() };
    let world = &resolve.worlds[world];
    for (key, item) in &world.imports {
        check.import(key, item, &interface, is_offered);
    }
    for (key, item) in &world.exports {
        check.export(key, item);
    }
    let exports = |prefix: &str| interface.exports.iter().any(|name| is_version_of(name, prefix));
    let is_asked = HANDLERS.iter().any(|handler| exports(handler)) || exports("wasi:http/incoming-handler");
    if !is_asked && interface.methods.is_empty() && interface.dynamic.is_none() {
        let exported = if interface.exports.is_empty() { "nothing".into() } else { interface.exports.join(", ") };
        let text = format!("does not export {} nor any method (it exports {exported})", HANDLERS.join(" or "));
        check.misfits.push(Misfit { text, component: Vec::new(), host: Vec::new() });
    }
    let misfits = check.misfits;
    Ok(Fit { imports: interface.imports, exports: interface.exports, misfits })
}

struct Check<'a> {
    resolve: &'a Resolve,
    offered: Offered,
    misfits: Vec<Misfit>,
}

impl Check<'_> {
    fn import(&mut self, key: &WorldKey, item: &WorldItem, interface: &Interface, is_offered: &dyn Fn(&str) -> bool) {
        let name = self.resolve.name_world_key(key);
        match item {
            WorldItem::Interface { id, .. } => {
                if let Some(client) = interface.clients.iter().find(|client| client.interface == name) {
                    if let Some(error) = &client.error {
                        self.plain(format!("imports {name} to call methods, but its function {error}"));
                    }
                } else if let Some(host) = self.offered.interface(&name) {
                    self.functions(&name, *id, host, "imports");
                } else if !is_offered(&name) && !self.resolve.interfaces[*id].functions.is_empty() {
                    self.plain(format!("imports {name}, which dohost does not offer"));
                }
            }
            WorldItem::Function(function) => {
                self.plain(format!("imports the function {}, but dohost offers interfaces only", function.name));
            }
            WorldItem::Type { .. } => {}
        }
    }

    fn export(&mut self, key: &WorldKey, item: &WorldItem) {
        let name = self.resolve.name_world_key(key);
        let WorldItem::Interface { id, .. } = item else { return };
        if !CALLED.iter().any(|called| is_version_of(&name, called)) {
            return;
        }
        let Some(host) = self.offered.interface(&name) else {
            return self.plain(format!("exports {name}, which is a version that dohost does not call"));
        };
        self.functions(&name, *id, host, "exports");
        let host_functions = &self.offered.resolve.interfaces[host].functions;
        let missing: Vec<Misfit> = host_functions
            .values()
            .filter(|function| !self.resolve.interfaces[*id].functions.contains_key(&function.name))
            .map(|function| Misfit {
                text: format!("exports {name} without its function {}", function.name),
                component: Vec::new(),
                host: vec![text::function(&self.offered.resolve, function)],
            })
            .collect();
        self.misfits.extend(missing);
    }

    /// Every function that the component knows of an interface that both know.
    fn functions(&mut self, name: &str, id: InterfaceId, host: InterfaceId, verb: &str) {
        let functions: Vec<&Function> = self.resolve.interfaces[id].functions.values().collect();
        for function in functions {
            let line = text::function(self.resolve, function);
            let Some(ours) = self.offered.resolve.interfaces[host].functions.get(&function.name) else {
                // What it exports beyond that, nobody calls.
                if verb == "imports" {
                    let text = format!("imports {} of {name}, which has no such function", function.name);
                    self.misfits.push(Misfit { text, component: vec![line], host: Vec::new() });
                }
                continue;
            };
            let host_resolve = &self.offered.resolve;
            if text::shape(self.resolve, function) == text::shape(host_resolve, ours) {
                continue;
            }
            let (mut component, mut host) = (vec![line], vec![text::function(host_resolve, ours)]);
            let (theirs, known) = (text::definitions(self.resolve, function), text::definitions(host_resolve, ours));
            let names: BTreeSet<&String> = theirs.keys().chain(known.keys()).collect();
            for name in names {
                if theirs.get(name) != known.get(name) {
                    component.extend(theirs.get(name).cloned());
                    host.extend(known.get(name).cloned());
                }
            }
            let text = format!("{verb} {} of {name} with another type", function.name);
            self.misfits.push(Misfit { text, component, host });
        }
    }

    fn plain(&mut self, text: String) {
        self.misfits.push(Misfit { text, component: Vec::new(), host: Vec::new() });
    }
}

/// Whether a name is that of an interface in any version.
fn is_version_of(name: &str, interface: &str) -> bool {
    name == interface || name.strip_prefix(interface).is_some_and(|rest| rest.starts_with('@'))
}

#[cfg(test)]
mod tests;
