//! What the configuration gives an object: variables, secrets, and the classes that it may call.

use std::fmt;

use crate::bindings::wasi::cli0_3_0::environment;
use crate::{Error, ObjectNamespace, Result};

/// The way to variables, secrets and other objects.
#[derive(Clone, Debug, Default)]
pub struct Env {
    _private: (),
}

/// A variable. Its text is what `to_string` gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Var(String);

/// A secret. Its text is what `to_string` gives; `{:?}` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Env {
    pub(crate) fn new() -> Env {
        Env::default()
    }

    /// A variable of `dohost.toml`.
    pub fn var(&self, name: &str) -> Result<Var> {
        lookup(name).map(Var).ok_or_else(|| Error::new(format!("there is no variable {name}")))
    }

    /// A secret of `dohost.toml`.
    pub fn secret(&self, name: &str) -> Result<Secret> {
        lookup(name).map(Secret).ok_or_else(|| Error::new(format!("there is no secret {name}")))
    }

    /// The objects of a class. `binding` is a binding of this guest, the name of a class, or that name in capitals:
    /// `Counter` is `COUNTER`.
    pub fn durable_object(&self, binding: &str) -> Result<ObjectNamespace> {
        ObjectNamespace::new(binding)
    }
}

impl fmt::Display for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

fn lookup(name: &str) -> Option<String> {
    environment::get_environment().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}
