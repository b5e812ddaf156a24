//! Classes: a name, the component behind it, and how ids of it are made.

use std::sync::Arc;

use dohost_engine::{ObjectComponent, Variables};
use dohost_storage::ClassNumber;

use crate::bindings::Bindings;
use crate::id::IdKey;
use crate::limits::Limits;

/// Bytes that the name of a class may have.
pub const CLASS_NAME_BYTES_MAX: usize = 64;

/// A class of objects. Cheap to clone.
#[derive(Clone)]
pub struct Class(pub(crate) Arc<ClassInner>);

pub(crate) struct ClassInner {
    pub name: Arc<str>,
    pub number: ClassNumber,
    pub ids: IdKey,
    pub component: ObjectComponent,
    pub limits: Limits,
    pub is_serial: bool,
    pub own_name: Arc<str>,
    pub bindings: Bindings,
    pub variables: Variables,
}

/// How a class is served.
pub struct ClassOptions {
    /// The name under which it is served.
    pub name: String,
    /// What implements it.
    pub component: ObjectComponent,
    /// What each of its objects may use.
    pub limits: Limits,
    /// Strict turns: an object handles one event after the other, also where it waits for something else than storage.
    /// Only calls that it makes to itself, perhaps through others, are let in meanwhile.
    pub is_serial: bool,
    /// What its objects are told that their class is called: how a component that implements several tells them apart.
    pub own_name: String,
    /// Under which other names its objects know classes.
    pub bindings: Bindings,
    /// The environment variables of its objects.
    pub variables: Variables,
}

impl ClassOptions {
    /// With nothing set.
    pub fn new(name: impl Into<String>, component: ObjectComponent) -> ClassOptions {
        let name = name.into();
        ClassOptions {
            own_name: name.clone(),
            name,
            component,
            limits: Limits::default(),
            is_serial: false,
            bindings: Bindings::default(),
            variables: Variables::default(),
        }
    }
}

impl Class {
    /// The name under which it is served.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What each of its objects may use.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

/// A name that no class can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be the name of a class: {reason}")]
pub struct ClassNameError {
    name: String,
    reason: &'static str,
}

/// A class appears in URLs and on the command line: letters, digits, `-`, `_` and `.`, not beginning with a dot.
pub fn check_class_name(name: &str) -> Result<(), ClassNameError> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > CLASS_NAME_BYTES_MAX {
        "it has more than 64 bytes"
    } else if !name.chars().all(is_allowed) || name.starts_with('.') {
        "only letters, digits, '-', '_' and '.' are allowed, and it must not begin with '.'"
    } else {
        return Ok(());
    };
    Err(ClassNameError { name: name.into(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_classes_fit_into_urls() {
        for good in ["counter", "Counter", "chat-room", "a.b", "_x", "9"] {
            assert_eq!(check_class_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", ".x", "a/b", "a b", "ü", "a%", &"x".repeat(65)] {
            assert!(check_class_name(bad).is_err(), "{bad}");
        }
    }
}
