//! What a new version of a component breaks for those who call the methods of the old one.
//!
//! New methods break nothing. Everything else does: a parameter that is added, renamed or of another type, even if JSON
//! would not notice, because callers that were built with the types do.

use std::fmt;

use crate::interface::Interface;

/// A method that callers of the old version cannot call any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatibility {
    /// The method, by its whole name.
    pub method: String,
    /// As it was.
    pub old: String,
    /// As it is; none if it is gone.
    pub new: Option<String>,
    /// What differs.
    pub reason: String,
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (it was {}", self.method, self.reason, self.old)?;
        match &self.new {
            Some(new) => write!(f, ", it is {new})"),
            None => f.write_str(")"),
        }
    }
}

impl Interface {
    /// What callers of the old one cannot do with the new one.
    pub fn compare(old: &Interface, new: &Interface) -> Vec<Incompatibility> {
        let mut found = Vec::new();
        for method in &old.methods {
            let is_same = |other: &&std::sync::Arc<crate::Method>| {
                other.interface == method.interface && other.function == method.function
            };
            let other = new.methods.iter().find(is_same);
            let names = |method: &crate::Method| method.params.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            let reason = match other {
                None => "the method is gone",
                Some(other) if other.params.len() != method.params.len() => "it has another number of parameters",
                Some(other) if names(other) != names(method) => "a parameter has another name",
                Some(other) if !other.fits(method) => "a type is another one",
                Some(other) if new.method(&method.name) != Some(other) => "its short name means another method",
                Some(_) => continue,
            };
            found.push(Incompatibility {
                method: method
                    .interface
                    .as_ref()
                    .map_or(method.function.clone(), |id| format!("{id}.{}", method.function)),
                old: method.to_string(),
                new: other.map(|other| other.to_string()),
                reason: reason.into(),
            });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::interface;

    fn cart(functions: &str) -> Interface {
        let wit = format!("package acme:shop@1.0.0; interface cart {{ {functions} }} world shop {{ export cart; }}");
        interface(&wit, "shop")
    }

    #[test]
    fn new_methods_and_other_names_of_types_break_nothing() {
        let old = cart("record item { sku: string } add: func(item: item);");
        let new = cart("record thing { sku: string } add: func(item: thing); remove: func();");
        assert_eq!(Interface::compare(&old, &new), []);
    }

    #[test]
    fn a_method_that_is_gone_or_takes_or_gives_something_else_is_told() {
        let old = cart("record item { sku: string } add: func(item: item) -> u32; clear: func();");
        for (functions, reason) in [
            ("add: func(); clear: func();", "another number of parameters"),
            ("record item { sku: string } add: func(thing: item) -> u32; clear: func();", "another name"),
            ("record item { sku: u32 } add: func(item: item) -> u32; clear: func();", "another one"),
            ("record item { sku: string } add: func(item: item) -> u64; clear: func();", "another one"),
            ("record item { sku: string, n: u8 } add: func(item: item) -> u32; clear: func();", "another one"),
            ("clear: func();", "gone"),
        ] {
            let found = Interface::compare(&old, &cart(functions));
            assert_eq!(found.len(), 1, "{functions}: {found:?}");
            let text = found[0].to_string();
            assert!(text.contains(reason) && text.starts_with("acme:shop/cart@1.0.0.add: "), "{text}");
        }
    }
}
