//! The WIT of a class: what its methods and their types are called, and how they are called from elsewhere.
//!
//! The class `ChatRoom` of the crate `chat` exports `chat:chat-room/chat-room`, whose types are in `chat:chat-room/types`, and
//! callers import `chat:chat-room-client/chat-room`.

use std::fmt::Write;

use heck::{ToKebabCase, ToUpperCamelCase};
use proc_macro2::Span;
use syn::{Error, Fields, Item, Result};
use wit_parser::Resolve;

use crate::collect::Definition;
use crate::method::{Method, docs, wit_name};
use crate::types::{Returned, WitType};

/// What callers of methods need of dohost's own WIT.
const OBJECT: &str = include_str!("../../../wit/object.wit");

/// What the packages, and the interface in them, are called.
pub struct Names {
    /// The crate.
    pub namespace: String,
    /// The class.
    pub class: String,
}

impl Names {
    pub fn new(krate: &str, class: &str) -> Names {
        let namespace = krate.to_kebab_case();
        // Not every name of a crate is one in WIT.
        let fits = namespace.split('-').all(|word| word.starts_with(|first: char| first.is_ascii_lowercase()));
        Names { namespace: if fits { namespace } else { "app".to_owned() }, class: class.to_kebab_case() }
    }

    /// The world for the bindings.
    pub fn world(&self) -> String {
        format!("{}:{}-world/methods", self.namespace, self.class)
    }

    /// The interface with the types.
    pub fn types(&self) -> String {
        format!("{}:{}/types", self.namespace, self.class)
    }
}

/// The WIT.
pub fn text(names: &Names, methods: &[Method], definitions: &[Definition]) -> Result<String> {
    let Names { namespace, class } = names;
    let mut text = String::new();
    let uses = uses(definitions);
    let _ = write!(
        text,
        "package %{namespace}:%{class}-world;\n\
         world methods {{\n\
         import %{namespace}:%{class}-client/%{class};\n\
         export %{namespace}:%{class}/%{class};\n\
         }}\n\
         package %{namespace}:%{class} {{\n"
    );
    if !definitions.is_empty() {
        text.push_str("interface types {\n");
        definitions.iter().try_for_each(|definition| define(&mut text, definition))?;
        text.push_str("}\n");
    }
    let _ = writeln!(text, "interface %{class} {{");
    if !definitions.is_empty() {
        let _ = writeln!(text, "use types.{{{uses}}};");
    }
    for method in methods {
        document(&mut text, &method.docs);
        let _ = writeln!(text, "%{}: async func({}){};", wit_name(&method.name), parameters(method), gives(method));
    }
    let _ = write!(
        text,
        "}}\n}}\n\
         package %{namespace}:%{class}-client {{\n\
         interface %{class} {{\n\
         use dohost:object/namespace@0.1.0.{{stub, call-error}};\n"
    );
    if !definitions.is_empty() {
        let _ = writeln!(text, "use %{namespace}:%{class}/types.{{{uses}}};");
    }
    for method in methods {
        let parameters = parameters(method);
        let gives = match gives(method) {
            nothing if nothing.is_empty() => "_".to_owned(),
            gives => gives[" -> ".len()..].to_owned(),
        };
        let comma = if parameters.is_empty() { "" } else { ", " };
        let name = wit_name(&method.name);
        let _ = writeln!(
            text,
            "%{name}: async func(to-object: borrow<stub>{comma}{parameters}) -> result<{gives}, call-error>;"
        );
    }
    text.push_str("}\n}\n");
    text.push_str(&package("dohost:object@0.1.0", &["types", "namespace"].map(|name| interface(OBJECT, name))));
    Ok(text)
}

/// The class's package in binary form, with its comments, for `dohost describe`. The bindings leave comments out.
pub fn with_comments(names: &Names, text: &str) -> Result<Vec<u8>> {
    let wrong =
        |error: &dyn std::fmt::Display| Error::new(Span::call_site(), format!("no WIT can be made of this: {error:#}"));
    let mut resolve = Resolve::default();
    resolve.push_str("methods.wit", text).map_err(|error| wrong(&error))?;
    let (id, _) = resolve
        .packages
        .iter()
        .find(|(_, package)| package.name.namespace == names.namespace && package.name.name == names.class)
        .expect("it is in the text");
    wit_component::encode(&resolve, id).map_err(|error| wrong(&error))
}

/// The name of a type as the bindings write it.
pub fn bound_name(definition: &Definition) -> String {
    wit_name(definition.name()).to_upper_camel_case()
}

fn uses(definitions: &[Definition]) -> String {
    definitions.iter().map(|definition| format!("%{}", wit_name(definition.name()))).collect::<Vec<_>>().join(", ")
}

fn define(text: &mut String, definition: &Definition) -> Result<()> {
    let name = wit_name(definition.name());
    match &definition.item {
        Item::Struct(item) => {
            document(text, &docs(&item.attrs));
            let _ = writeln!(text, "record %{name} {{");
            for field in &item.fields {
                let field_name = field.ident.as_ref().expect("the derive takes no others");
                document(text, &docs(&field.attrs));
                let _ = writeln!(text, "%{}: {},", wit_name(field_name), of(&WitType::of(&field.ty)?));
            }
        }
        Item::Enum(item) => {
            document(text, &docs(&item.attrs));
            let has_values = item.variants.iter().any(|case| !case.fields.is_empty());
            let _ = writeln!(text, "{} %{name} {{", if has_values { "variant" } else { "enum" });
            for case in &item.variants {
                let case_name = wit_name(&case.ident);
                if case.ident != case_name.to_upper_camel_case() {
                    let wanted = case_name.to_upper_camel_case();
                    return Err(Error::new_spanned(&case.ident, format!("write it `{wanted}`, as WIT will")));
                }
                document(text, &docs(&case.attrs));
                let value = match &case.fields {
                    Fields::Unnamed(fields) => format!("({})", of(&WitType::of(&fields.unnamed[0].ty)?)),
                    _ => String::new(),
                };
                let _ = writeln!(text, "%{case_name}{value},");
            }
        }
        _ => unreachable!("a definition is a struct or an enum"),
    }
    text.push_str("}\n");
    Ok(())
}

fn parameters(method: &Method) -> String {
    let parameters = method.parameters.iter();
    let parameters = parameters.map(|parameter| format!("%{}: {}", wit_name(&parameter.name), of(&parameter.wit)));
    parameters.collect::<Vec<_>>().join(", ")
}

fn gives(method: &Method) -> String {
    match &method.returned {
        Returned::Nothing => String::new(),
        Returned::Value { wit, .. } => format!(" -> {}", of(wit)),
        Returned::OrText { wit, .. } => {
            format!(" -> result<{}, string>", wit.as_ref().map_or_else(|| "_".to_owned(), of))
        }
    }
}

fn of(ty: &WitType) -> String {
    match ty {
        WitType::Word(word) => (*word).to_owned(),
        WitType::List(inner) => format!("list<{}>", of(inner)),
        WitType::Option(inner) => format!("option<{}>", of(inner)),
        WitType::Result(None, None) => "result".to_owned(),
        WitType::Result(Some(ok), None) => format!("result<{}>", of(ok)),
        WitType::Result(ok, Some(error)) => {
            format!("result<{}, {}>", ok.as_ref().map_or_else(|| "_".to_owned(), |ok| of(ok)), of(error))
        }
        WitType::Tuple(elements) => format!("tuple<{}>", elements.iter().map(of).collect::<Vec<_>>().join(", ")),
        WitType::Named(path) => {
            format!("%{}", wit_name(&path.segments.last().expect("a path has a name").ident))
        }
    }
}

fn document(text: &mut String, docs: &[String]) {
    for line in docs {
        let _ = writeln!(text, "///{line}");
    }
}

/// A package inside of a file.
pub fn package(name: &str, interfaces: &[String]) -> String {
    format!("package {name} {{\n{}}}\n", interfaces.concat())
}

/// An interface of a file, without its comments, in which braces need not match.
pub fn interface(file: &str, name: &str) -> String {
    let start = format!("interface {name} {{");
    let code = file.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut depth = 0;
    let mut text = String::new();
    for line in code.skip_while(|line| *line != start) {
        text.push_str(line);
        text.push('\n');
        depth += line.matches('{').count();
        depth -= line.matches('}').count();
        if depth == 0 {
            return text;
        }
    }
    unreachable!("the file has an interface {name}")
}
