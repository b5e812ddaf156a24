//! Functions and types as lines of WIT.

use std::collections::BTreeMap;

use wit_parser::{Function, Handle, Resolve, Type, TypeDef, TypeDefKind, TypeId};

/// A function as its author wrote it.
pub fn function(resolve: &Resolve, function: &Function) -> String {
    Writer { resolve, goes_through_names: false }.function(function)
}

/// A function with what the names of types stand for: two of them are the same type exactly when this is the same.
pub fn shape(resolve: &Resolve, function: &Function) -> String {
    Writer { resolve, goes_through_names: true }.function(function)
}

/// The definitions of the named types that a function speaks of, by name.
pub fn definitions(resolve: &Resolve, function: &Function) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let types = function.params.iter().map(|param| param.ty).chain(function.result);
    types.for_each(|ty| define(resolve, &ty, &mut found));
    found
}

fn define(resolve: &Resolve, ty: &Type, found: &mut BTreeMap<String, String>) {
    let Type::Id(id) = ty else { return };
    let definition = &resolve.types[origin(resolve, *id)];
    if let Some(name) = &definition.name {
        if found.contains_key(name) {
            return;
        }
        let writer = Writer { resolve, goes_through_names: false };
        let text = match &definition.kind {
            TypeDefKind::Type(of) => format!("type {name} = {}", writer.ty(of)),
            _ => writer.definition(definition, &format!(" {name}")),
        };
        found.insert(name.clone(), text);
    }
    parts(&definition.kind).iter().for_each(|part| define(resolve, part, found));
}

/// The types that a type is made of.
fn parts(kind: &TypeDefKind) -> Vec<Type> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Option(ty) | TypeDefKind::List(ty) | TypeDefKind::FixedLengthList(ty, _) => vec![*ty],
        TypeDefKind::Result(result) => result.ok.into_iter().chain(result.err).collect(),
        TypeDefKind::Map(key, value) => vec![*key, *value],
        TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => ty.iter().copied().collect(),
        TypeDefKind::Type(ty) => vec![*ty],
        TypeDefKind::Handle(_)
        | TypeDefKind::Resource
        | TypeDefKind::Enum(_)
        | TypeDefKind::Flags(_)
        | TypeDefKind::Unknown => Vec::new(),
    }
}

/// What a name that stands for another name stands for in the end. A name for a type without one is left.
fn origin(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(next)) = resolve.types[id].kind {
        id = next;
    }
    id
}

struct Writer<'a> {
    resolve: &'a Resolve,
    goes_through_names: bool,
}

impl Writer<'_> {
    fn function(&self, function: &Function) -> String {
        let is_async = if function.kind.is_async() { "async " } else { "" };
        let params: Vec<String> =
            function.params.iter().map(|param| format!("{}: {}", param.name, self.ty(&param.ty))).collect();
        let result = function.result.map_or(String::new(), |ty| format!(" -> {}", self.ty(&ty)));
        format!("{}: {is_async}func({}){result}", function.name, params.join(", "))
    }

    fn ty(&self, ty: &Type) -> String {
        let plain = match ty {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::S8 => "s8",
            Type::S16 => "s16",
            Type::S32 => "s32",
            Type::S64 => "s64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Char => "char",
            Type::String => "string",
            Type::ErrorContext => "error-context",
            Type::Id(id) => return self.defined(*id),
        };
        plain.into()
    }

    fn defined(&self, id: TypeId) -> String {
        let own = &self.resolve.types[id];
        let definition = &self.resolve.types[origin(self.resolve, id)];
        match (&own.name, &definition.kind) {
            // A name of its own for a resource is the same resource.
            (_, TypeDefKind::Resource) => format!("resource {}", definition.name.as_deref().unwrap_or_default()),
            (Some(name), _) if !self.goes_through_names => name.clone(),
            _ => self.definition(definition, ""),
        }
    }

    /// What a type is; `name` is empty, or a blank and a name.
    fn definition(&self, definition: &TypeDef, name: &str) -> String {
        let list = |items: Vec<String>| items.join(", ");
        let optional = |ty: &Option<Type>| ty.as_ref().map_or("_".into(), |ty| self.ty(ty));
        let case = |name: &str, ty: &Option<Type>| match ty {
            Some(ty) => format!("{name}({})", self.ty(ty)),
            None => name.to_owned(),
        };
        match &definition.kind {
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| format!("{}: {}", field.name, self.ty(&field.ty)));
                format!("record{name} {{ {} }}", list(fields.collect()))
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|it| case(&it.name, &it.ty));
                format!("variant{name} {{ {} }}", list(cases.collect()))
            }
            TypeDefKind::Enum(of) => {
                format!("enum{name} {{ {} }}", list(of.cases.iter().map(|case| case.name.clone()).collect()))
            }
            TypeDefKind::Flags(of) => {
                format!("flags{name} {{ {} }}", list(of.flags.iter().map(|flag| flag.name.clone()).collect()))
            }
            TypeDefKind::Tuple(tuple) => format!("tuple<{}>", list(tuple.types.iter().map(|ty| self.ty(ty)).collect())),
            TypeDefKind::Option(ty) => format!("option<{}>", self.ty(ty)),
            TypeDefKind::List(ty) => format!("list<{}>", self.ty(ty)),
            TypeDefKind::FixedLengthList(ty, len) => format!("list<{}, {len}>", self.ty(ty)),
            TypeDefKind::Map(key, value) => format!("map<{}, {}>", self.ty(key), self.ty(value)),
            TypeDefKind::Result(result) => match (&result.ok, &result.err) {
                (None, None) => "result".into(),
                (ok, None) => format!("result<{}>", optional(ok)),
                (ok, err) => format!("result<{}, {}>", optional(ok), optional(err)),
            },
            TypeDefKind::Future(None) => "future".into(),
            TypeDefKind::Future(Some(ty)) => format!("future<{}>", self.ty(ty)),
            TypeDefKind::Stream(None) => "stream".into(),
            TypeDefKind::Stream(Some(ty)) => format!("stream<{}>", self.ty(ty)),
            TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", self.defined(*id)),
            TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", self.defined(*id)),
            TypeDefKind::Resource => format!("resource{name}"),
            TypeDefKind::Type(ty) => self.ty(ty),
            TypeDefKind::Unknown => "unknown".into(),
        }
    }
}
