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

/// The client interfaces for all methods; empty if there are none. `name` is that of the class or file, and that of the
/// interface for functions of the world itself.
pub fn wit(interface: &Interface, name: &str) -> String {
    let mut packages: BTreeMap<String, BTreeMap<String, Vec<&Method>>> = BTreeMap::new();
    let of_interfaces = interface.methods.iter().filter_map(|method| Some((method.interface.as_deref()?, method)));
    for (id, method) in of_interfaces {
        let package = packages.entry(package(id)).or_default();
        package.entry(short(id).into()).or_default().push(method);
    }
    let of_world: Vec<&Method> =
        interface.methods.iter().map(|method| &**method).filter(|method| method.interface.is_none()).collect();
    if !of_world.is_empty() {
        let name = kebab(name);
        let only = packages.keys().next().filter(|_| packages.len() == 1).cloned();
        let package = packages.entry(only.unwrap_or_else(|| format!("local:{name}-client"))).or_default();
        let name = if package.contains_key(&name) { format!("{name}-world") } else { name };
        package.insert(name, of_world);
    }
    let mut text = String::new();
    for (at, (package, interfaces)) in packages.iter().enumerate() {
        let mut body = String::new();
        for (name, methods) in interfaces {
            body.push('\n');
            write_interface(&mut body, name, methods);
        }
        // A file has one package of its own; others lie in it.
        match at {
            0 => write!(text, "package {package};\n{body}"),
            _ => write!(
                text,
                "\npackage {package} {{{}}}\n",
                body.replace('\n', "\n    ").replace("    \n", "\n").trim_end_matches(' ')
            ),
        }
        .expect("a string takes everything");
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
fn package(interface: &str) -> String {
    let (package, name) = interface.split_once('/').unwrap_or(("local:object", interface));
    let version = name.split_once('@').map_or(String::new(), |(_, version)| format!("@{version}"));
    format!("{package}-client{version}")
}

/// A name that WIT allows, like this one.
fn kebab(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()));
    let name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if name.is_empty() { "object".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::interface;

    const TWO: &str = "
        package acme:shop@1.0.0;
        interface cart {
            record item { sku: string, %list: option<u8> }
            add: func(item: item, stub: u8) -> u64;
            clear: func();
        }
        world shop { export cart; export cart2: interface { add: func(); } export hello: func() -> string; }
    ";

    /// What a guest is built with must be WIT.
    #[test]
    fn what_is_printed_is_wit_with_a_stub_first_and_a_call_error_last() {
        let wit = wit(&interface(TWO, "shop"), "My shop.v1");
        let mut resolve = wit_parser::Resolve { all_features: true, ..Default::default() };
        let namespace =
            "package dohost:object@0.1.0; interface namespace { resource stub; record call-error { x: u8 } }";
        resolve.push_str("object.wit", namespace).expect("it is WIT");
        resolve.push_str("client.wit", &wit).unwrap_or_else(|error| panic!("{error:#}\n{wit}"));
        for line in [
            "package acme:shop-client@1.0.0;",
            "interface cart {",
            "    add: async func(callee: borrow<stub>, item: item, stub: u8) -> result<u64, call-error>;",
            "    clear: async func(stub: borrow<stub>) -> result<_, call-error>;",
            "        %list: option<u8>,",
            "package local:object-client {",
            "package local:my-shop-v1-client {",
        ] {
            assert!(wit.contains(line), "no {line} in\n{wit}");
        }
    }
}
