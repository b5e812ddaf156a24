//! What the author says about methods and types.
//!
//! A component has no place for it, but may bring the WIT package that it was made from, in binary form, in a custom section
//! whose name begins with `component-type`, or with `dohost:wit`. (Tools take sections whose names begin with the former out of
//! the modules that they make components of; the latter stay where the compiler put them.)

use wasmparser::{Parser, Payload};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{InterfaceId, Resolve, TypeDef, TypeDefKind, TypeOwner, WorldItem};

use crate::interface::TypeName;

/// How the names of the sections begin.
const SECTIONS: [&str; 2] = ["component-type", "dohost:wit"];

/// The WIT with comments that was found.
#[derive(Default)]
pub(crate) struct Docs(Vec<Resolve>);

/// Reads the sections of a component; those that make no sense are left out.
pub(crate) fn sections(component: &[u8]) -> Docs {
    let mut found = Docs::default();
    for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
        if let Payload::CustomSection(section) = payload
            && SECTIONS.iter().any(|name| section.name().starts_with(name))
            && let Ok(DecodedWasm::WitPackage(resolve, _)) = decode(section.data())
        {
            found.0.push(resolve);
        }
    }
    found
}

impl Docs {
    /// About a function of an interface, or of the world.
    pub fn of_function(&self, interface: Option<&str>, name: &str) -> Option<String> {
        self.0.iter().find_map(|resolve| {
            let docs = match interface {
                Some(id) => &resolve.interfaces[find(resolve, id)?].functions.get(name)?.docs,
                None => resolve.worlds.iter().find_map(|(_, world)| {
                    world.exports.values().find_map(|item| match item {
                        WorldItem::Function(function) if function.name == name => Some(&function.docs),
                        _ => None,
                    })
                })?,
            };
            docs.contents.clone()
        })
    }

    /// About a type.
    pub fn of_type(&self, name: &TypeName) -> Option<String> {
        self.0.iter().find_map(|resolve| definition(resolve, name)?.docs.contents.clone())
    }

    /// About a field, a case or a flag of a type.
    pub fn of_part(&self, name: &TypeName, part: &str) -> Option<String> {
        self.0.iter().find_map(|resolve| {
            let docs = match &definition(resolve, name)?.kind {
                TypeDefKind::Record(record) => &record.fields.iter().find(|field| field.name == part)?.docs,
                TypeDefKind::Variant(variant) => &variant.cases.iter().find(|case| case.name == part)?.docs,
                TypeDefKind::Enum(enumeration) => &enumeration.cases.iter().find(|case| case.name == part)?.docs,
                TypeDefKind::Flags(flags) => &flags.flags.iter().find(|flag| flag.name == part)?.docs,
                _ => return None,
            };
            docs.contents.clone()
        })
    }
}

fn find(resolve: &Resolve, id: &str) -> Option<InterfaceId> {
    resolve.interfaces.iter().map(|(interface, _)| interface).find(|&at| resolve.id_of(at).as_deref() == Some(id))
}

fn definition<'a>(resolve: &'a Resolve, name: &TypeName) -> Option<&'a TypeDef> {
    let in_interface = match &name.interface {
        Some(id) => resolve.interfaces[find(resolve, id)?].types.get(&name.name).copied(),
        None => None,
    };
    match in_interface {
        Some(id) => Some(&resolve.types[id]),
        None => resolve
            .types
            .iter()
            .map(|(_, ty)| ty)
            .find(|ty| matches!(ty.owner, TypeOwner::World(_)) && ty.name.as_deref() == Some(&name.name)),
    }
}
