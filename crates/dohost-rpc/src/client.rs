//! The WIT that a guest imports to call the methods of a component with its types: `dohost describe --client` prints it.
//!
//! Each interface becomes one of the same name in a package `…-client`, each method a function of the same name that takes
//! the stub of an object first and gives what the method gives, or why the call failed. Its types are written out, so that
//! nothing else is needed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::interface::{Interface, Method, short};
use crate::named::Named;
use crate::wit::{definition, docs, identifier, reference};

/// What the parameter for the stub is called, unless the method has one of that name.
const STUB_NAMES: [&str; 3] = ["stub", "callee", "callee-stub"];

/// The client interfaces for all methods; empty if there are none. `name` is that of the class or file.
pub fn wit(interface: &Interface, name: &str) -> String {
    let mut packages: BTreeMap<String, BTreeMap<&str, Vec<&Method>>> = BTreeMap::new();
    let default = kebab(name);
    for method in &interface.methods {
        let package = package(method.interface.as_deref(), &default);
        let in_package = packages.entry(package).or_default();
        in_package.entry(method.interface.as_deref().map_or(&default, short)).or_default().push(method);
    }
    let mut text = String::new();
    for (package, interfaces) in packages {
        if !text.is_empty() {
            text.push('\n');
        }
        writeln!(text, "package {package};").expect("a string takes everything");
        for (name, methods) in interfaces {
            text.push('\n');
            write_interface(&mut text, name, &methods);
        }
    }
    text
}

fn write_interface(out: &mut String, name: &str, methods: &[&Method]) {
    let named = Named::of(methods.iter().copied());
    out.push_str("/// Calls the methods of an object that a stub was made for.\n");
    out.push_str(&format!("interface {} {{\n", identifier(name)));
    out.push_str("    use dohost:object/namespace@0.1.0.{stub, call-error};\n");
    for ty in &named.types {
        out.push('\n');
        definition(out, ty, &named, "    ");
    }
    for method in methods {
        out.push('\n');
        docs(out, &method.docs, "    ");
        let is_free = |name: &&&str| !method.params.iter().any(|(param, _)| param == **name);
        let stub = STUB_NAMES.iter().find(is_free).unwrap_or(&"stub-of-callee");
        let mut line = format!("    {}: async func({stub}: borrow<stub>", identifier(&method.function));
        let ty = |line: &mut String, ty| {
            reference(line, ty, &|name| named.name(name)).expect("a string takes everything");
        };
        for (name, param) in &method.params {
            line.push_str(&format!(", {}: ", identifier(name)));
            ty(&mut line, param);
        }
        line.push_str(") -> result<");
        match &method.result {
            Some(result) => ty(&mut line, result),
            None => line.push('_'),
        }
        out.push_str(&line);
        out.push_str(", call-error>;\n");
    }
    out.push_str("}\n");
}

/// `acme:shop-client@1.0.0` of `acme:shop/cart@1.0.0`.
fn package(interface: Option<&str>, default: &str) -> String {
    match interface.and_then(|id| id.split_once('/')) {
        Some((package, name)) => {
            let version = name.split_once('@').map_or(String::new(), |(_, version)| format!("@{version}"));
            format!("{package}-client{version}")
        }
        None => format!("local:{default}-client"),
    }
}

/// A name that WIT allows, like this one.
fn kebab(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    let name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if name.is_empty() { "object".into() } else { name }
}
