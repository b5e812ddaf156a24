//! Reading the interface of a component from its own types, names and all.
//!
//! Everything that a component exports is a method, unless it belongs to an interface that dohost knows or its types are
//! such that no copy of a value can be made: resources, streams, futures.

use std::collections::HashMap;
use std::sync::Arc;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, Resolve, Type as WitType, TypeDefKind, TypeId, TypeOwner, World,
    WorldItem, WorldKey,
};

use crate::docs::{self, Docs};
use crate::dynamic::{self, Dynamic, Program};
use crate::interface::{
    Case, Client, Enum, Field, Flags, Interface, Label, Method, NotMethod, Record, Type, TypeName, Variant,
};

/// Packages whose interfaces dohost knows: what is in them is no method.
const KNOWN_PACKAGES: [&str; 3] = ["dohost:javascript/", "dohost:object/", "wasi:"];
/// Where stubs and the errors of calls come from.
const NAMESPACE: &str = "dohost:object/namespace@0.1.";

/// The interface of a component cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot read the interface of the component: {0}")]
pub struct ReadError(pub(crate) String);

impl Interface {
    /// Reads the interface of a component from its binary form.
    pub fn read(component: &[u8]) -> Result<Interface, ReadError> {
        let (resolve, world) = match decode(component) {
            Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
            Ok(DecodedWasm::WitPackage(..)) => return Err(ReadError("it is a WIT package".into())),
            Err(error) => return Err(ReadError(format!("{error:#}"))),
        };
        let docs = docs::sections(component);
        let mut interface =
            Reader { resolve: &resolve, docs: &docs, types: HashMap::new() }.interface(&resolve.worlds[world]);
        if interface.exports.iter().any(|name| name == dynamic::INTERFACE) {
            interface.dynamic = Some(Dynamic { program: Program::read(component) });
        }
        Ok(interface)
    }
}

struct Reader<'a> {
    resolve: &'a Resolve,
    docs: &'a Docs,
    types: HashMap<TypeId, Result<Type, String>>,
}

impl<'a> Reader<'a> {
    fn interface(&mut self, world: &World) -> Interface {
        let names = |items: &mut dyn Iterator<Item = &WorldKey>| {
            items.map(|key| self.resolve.name_world_key(key)).collect::<Vec<String>>()
        };
        let mut interface = Interface {
            imports: names(&mut world.imports.keys()),
            exports: names(&mut world.exports.keys()),
            ..Interface::default()
        };
        for (key, item) in &world.exports {
            let name = self.resolve.name_world_key(key);
            match item {
                WorldItem::Function(function) => self.export(&mut interface, None, function),
                WorldItem::Interface { id, .. } if !is_known(&name) => {
                    for function in self.functions(*id) {
                        self.export(&mut interface, Some(&name), function);
                    }
                }
                _ => {}
            }
        }
        for (key, item) in &world.imports {
            let name = self.resolve.name_world_key(key);
            if let WorldItem::Interface { id, .. } = item
                && !is_known(&name)
                && let Some(client) = self.client(name, *id)
            {
                interface.clients.push(client);
            }
        }
        interface.name_methods();
        interface
    }

    fn functions(&self, interface: InterfaceId) -> impl Iterator<Item = &'a Function> + use<'a> {
        self.resolve.interfaces[interface].functions.values()
    }

    /// An exported function is a method, or says why it is none.
    fn export(&mut self, to: &mut Interface, interface: Option<&str>, function: &Function) {
        let method = match function.kind {
            FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => self.method(interface, function, 0),
            _ => Err("it belongs to a resource, which stays in the component".into()),
        };
        match method {
            Ok(method) => to.methods.push(Arc::new(method)),
            Err(reason) => {
                let name = interface.map_or(function.name.clone(), |id| format!("{id}.{}", function.name));
                to.not_methods.push(NotMethod { name, reason });
            }
        }
    }

    /// A function as a method, without the first few of its parameters.
    fn method(&mut self, interface: Option<&str>, function: &Function, skip: usize) -> Result<Method, String> {
        let mut params = Vec::new();
        for param in &function.params[skip..] {
            let ty = self.ty(&param.ty).map_err(|reason| format!("its parameter {} {reason}", param.name))?;
            params.push((param.name.clone(), ty));
        }
        let result = function.result.as_ref().map(|ty| self.ty(ty)).transpose();
        Ok(Method {
            name: function.name.clone(),
            interface: interface.map(String::from),
            function: function.name.clone(),
            params,
            result: result.map_err(|reason| format!("its result {reason}"))?,
            is_async: matches!(function.kind, FunctionKind::AsyncFreestanding),
            docs: function.docs.contents.clone().or_else(|| self.docs.of_function(interface, &function.name)),
        })
    }

    /// An imported interface as one to call methods through; none if it has no function that takes a stub.
    fn client(&mut self, interface: String, id: InterfaceId) -> Option<Client> {
        if !self.functions(id).any(|function| self.takes_stub(function)) {
            return None;
        }
        let (mut methods, mut error) = (Vec::new(), None);
        for function in self.functions(id) {
            match self.client_method(&interface, function) {
                Ok(method) => methods.push(Arc::new(method)),
                Err(reason) => error = error.or_else(|| Some(format!("{} {reason}", function.name))),
            }
        }
        Some(Client { interface, methods, error })
    }

    fn client_method(&mut self, interface: &str, function: &Function) -> Result<Method, String> {
        if !self.takes_stub(function) {
            return Err("does not take a borrow<stub> first".into());
        }
        if function.kind != FunctionKind::AsyncFreestanding {
            return Err("is a func, expected an async func".into());
        }
        let wrapped = function.result.and_then(|ty| self.result_of_call(&ty));
        let ok = wrapped.ok_or("does not give a result<…, call-error> of dohost:object/namespace")?;
        let function = Function { result: ok, ..function.clone() };
        self.method(Some(interface), &function, 1)
    }

    fn takes_stub(&self, function: &Function) -> bool {
        let Some(WitType::Id(id)) = function.params.first().map(|param| param.ty) else { return false };
        match self.resolve.types[self.origin(id)].kind {
            TypeDefKind::Handle(Handle::Borrow(resource)) => self.is_of_namespace(resource, "stub"),
            _ => false,
        }
    }

    /// The `ok` of a `result<…, call-error>`.
    fn result_of_call(&self, ty: &WitType) -> Option<Option<WitType>> {
        let WitType::Id(id) = ty else { return None };
        let TypeDefKind::Result(result) = &self.resolve.types[self.origin(*id)].kind else { return None };
        match result.err {
            Some(WitType::Id(error)) if self.is_of_namespace(error, "call-error") => Some(result.ok),
            _ => None,
        }
    }

    fn is_of_namespace(&self, id: TypeId, name: &str) -> bool {
        let origin = &self.resolve.types[self.origin(id)];
        let TypeOwner::Interface(owner) = origin.owner else { return false };
        let is_ours = self.resolve.id_of(owner).is_some_and(|id| id.starts_with(NAMESPACE));
        is_ours && origin.name.as_deref() == Some(name)
    }

    /// What a name stands for in the end.
    fn origin(&self, mut id: TypeId) -> TypeId {
        while let TypeDefKind::Type(WitType::Id(next)) = self.resolve.types[id].kind {
            id = next;
        }
        id
    }

    /// The type, or why a value of it cannot be copied.
    fn ty(&mut self, ty: &WitType) -> Result<Type, String> {
        Ok(match ty {
            WitType::Bool => Type::Bool,
            WitType::S8 => Type::S8,
            WitType::U8 => Type::U8,
            WitType::S16 => Type::S16,
            WitType::U16 => Type::U16,
            WitType::S32 => Type::S32,
            WitType::U32 => Type::U32,
            WitType::S64 => Type::S64,
            WitType::U64 => Type::U64,
            WitType::F32 => Type::F32,
            WitType::F64 => Type::F64,
            WitType::Char => Type::Char,
            WitType::String => Type::String,
            WitType::ErrorContext => return Err("has an error-context, which stays in the component".into()),
            WitType::Id(id) => return self.defined(*id),
        })
    }

    fn defined(&mut self, id: TypeId) -> Result<Type, String> {
        if let Some(known) = self.types.get(&id) {
            return known.clone();
        }
        let ty = self.define(id);
        self.types.insert(id, ty.clone());
        ty
    }

    fn define(&mut self, id: TypeId) -> Result<Type, String> {
        let resolve = self.resolve;
        let definition = &resolve.types[id];
        let name = TypeName {
            interface: match definition.owner {
                TypeOwner::Interface(owner) => resolve.id_of(owner).or_else(|| resolve.interfaces[owner].name.clone()),
                _ => None,
            },
            name: definition.name.clone().unwrap_or_default(),
        };
        let docs = definition.docs.contents.clone().or_else(|| self.docs.of_type(&name));
        let about =
            |part: &str, own: &wit_parser::Docs| own.contents.clone().or_else(|| self.docs.of_part(&name, part));
        let labels = |parts: &mut dyn Iterator<Item = (&String, &wit_parser::Docs)>| {
            parts.map(|(part, own)| Label { name: part.clone(), docs: about(part, own) }).collect::<Vec<_>>()
        };
        Ok(match &definition.kind {
            TypeDefKind::Type(ty) => self.ty(ty)?,
            TypeDefKind::List(inner) => Type::List(Arc::new(self.ty(inner)?)),
            TypeDefKind::Option(inner) => Type::Option(Arc::new(self.ty(inner)?)),
            TypeDefKind::Result(result) => {
                let (ok, err) = (self.optional(&result.ok)?, self.optional(&result.err)?);
                Type::Result(ok.map(Arc::new), err.map(Arc::new))
            }
            TypeDefKind::Tuple(tuple) => {
                Type::Tuple(tuple.types.iter().map(|ty| self.ty(ty)).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Record(record) => {
                let docs_of = record.fields.iter().map(|field| about(&field.name, &field.docs)).collect::<Vec<_>>();
                let mut fields = Vec::new();
                for (field, docs) in record.fields.iter().zip(docs_of) {
                    fields.push(Field { name: field.name.clone(), ty: self.ty(&field.ty)?, docs });
                }
                Type::Record(Arc::new(Record { name, fields, docs }))
            }
            TypeDefKind::Variant(variant) => {
                let docs_of = variant.cases.iter().map(|case| about(&case.name, &case.docs)).collect::<Vec<_>>();
                let mut cases = Vec::new();
                for (case, docs) in variant.cases.iter().zip(docs_of) {
                    cases.push(Case { name: case.name.clone(), ty: self.optional(&case.ty)?, docs });
                }
                Type::Variant(Arc::new(Variant { name, cases, docs }))
            }
            TypeDefKind::Enum(enumeration) => {
                let cases = labels(&mut enumeration.cases.iter().map(|case| (&case.name, &case.docs)));
                Type::Enum(Arc::new(Enum { name, cases, docs }))
            }
            TypeDefKind::Flags(flags) => {
                let flags = labels(&mut flags.flags.iter().map(|flag| (&flag.name, &flag.docs)));
                Type::Flags(Arc::new(Flags { name, flags, docs }))
            }
            TypeDefKind::Resource | TypeDefKind::Handle(_) => {
                return Err("has a resource, which stays in the component".into());
            }
            other => return Err(format!("has a {}, of which no copy can be made", other.as_str())),
        })
    }

    fn optional(&mut self, ty: &Option<WitType>) -> Result<Option<Type>, String> {
        ty.as_ref().map(|ty| self.ty(ty)).transpose()
    }
}

fn is_known(interface: &str) -> bool {
    KNOWN_PACKAGES.iter().any(|package| interface.starts_with(package))
}

#[cfg(test)]
mod tests {
    use crate::samples::interface;

    fn client(functions: &str) -> crate::Interface {
        let wit = format!(
            "package acme:app;
            interface cart {{
                use dohost:object/namespace@0.1.0.{{stub, call-error}};
                {functions}
            }}
            world app {{ import cart; }}
            package dohost:object@0.1.0 {{
                interface namespace {{ resource stub; record call-error {{ message: string }} }}
            }}"
        );
        interface(&wit, "app")
    }

    #[test]
    fn an_imported_interface_whose_functions_take_stubs_is_one_to_call_methods_through() {
        let interface = client(
            "add: async func(stub: borrow<stub>, n: u8) -> result<string, call-error>;
            clear: async func(stub: borrow<stub>) -> result<_, call-error>;",
        );
        let client = &interface.clients[0];
        assert_eq!((client.interface.as_str(), &client.error), ("acme:app/cart", &None));
        let methods: Vec<String> = client.methods.iter().map(|method| method.to_string()).collect();
        assert_eq!(methods, ["add: async func(n: u8) -> string", "clear: async func()"]);
    }

    #[test]
    fn one_that_is_almost_such_an_interface_says_what_is_wrong() {
        let good = "good: async func(stub: borrow<stub>) -> result<_, call-error>;";
        for (function, says) in [
            ("f: func(stub: borrow<stub>) -> result<_, call-error>;", "f is a func, expected an async func"),
            ("f: async func(stub: borrow<stub>) -> u8;", "f does not give a result<…, call-error>"),
            ("f: async func(stub: borrow<stub>) -> result<u8, string>;", "f does not give a result<…, call-error>"),
            ("f: async func(n: u8) -> result<_, call-error>;", "f does not take a borrow<stub> first"),
            (
                "f: async func(s: borrow<stub>, t: borrow<stub>) -> result<_, call-error>;",
                "f its parameter t has a resource",
            ),
        ] {
            let interface = client(&format!("{good} {function}"));
            let error = interface.clients[0].error.clone().expect(function);
            assert!(error.starts_with(says), "{function}: {error}");
        }
        let none = client("f: async func(n: u8) -> result<_, call-error>;");
        assert!(none.clients.is_empty(), "nothing in it takes a stub");
    }
}
