//! The types of some methods that have names, each with a name of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::interface::{Method, Type, TypeName, short};

/// Named types, those that others are made of first.
pub(crate) struct Named<'a> {
    pub types: Vec<&'a Type>,
    names: BTreeMap<&'a TypeName, String>,
}

impl<'a> Named<'a> {
    pub fn of(methods: impl IntoIterator<Item = &'a Method>) -> Named<'a> {
        let mut named = Named { types: Vec::new(), names: BTreeMap::new() };
        let mut seen = BTreeSet::new();
        for method in methods {
            for ty in method.params.iter().map(|(_, ty)| ty).chain(&method.result) {
                named.collect(ty, &mut seen);
            }
        }
        let mut taken = BTreeSet::new();
        for ty in &named.types {
            let name = ty.name().expect("only types with names are collected");
            let interface = name.interface.as_deref().map_or("world", short);
            let mut candidates = [name.name.clone(), format!("{interface}-{}", name.name)].into_iter();
            let numbered = (2..).map(|number| format!("{}{number}", name.name));
            let unique = candidates.by_ref().chain(numbered).find(|candidate| !taken.contains(candidate));
            let unique = unique.expect("one of endlessly many names is free");
            taken.insert(unique.clone());
            named.names.insert(name, unique);
        }
        named
    }

    fn collect(&mut self, ty: &'a Type, seen: &mut BTreeSet<&'a TypeName>) {
        if ty.name().is_some_and(|name| seen.contains(name)) {
            return;
        }
        for part in ty.parts() {
            self.collect(part, seen);
        }
        if let Some(name) = ty.name() {
            seen.insert(name);
            self.types.push(ty);
        }
    }

    /// The name that only this type has.
    pub fn name<'b>(&'b self, name: &'b TypeName) -> &'b str {
        self.names.get(name).map_or(&name.name, String::as_str)
    }
}
