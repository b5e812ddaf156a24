//! Classes: a name, the component behind it, and how ids of it are made.

use std::sync::Arc;

use arc_swap::ArcSwap;
use dohost_engine::{ObjectComponent, Variables};
use dohost_rpc::{DynamicMethods, Interface};
use dohost_storage::ClassNumber;

use crate::bindings::Bindings;
use crate::deploy::Trial;
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
    code: ArcSwap<Code>,
}

/// What a class does, as opposed to what it is: new code may take its place, and each life keeps what it began with.
pub(crate) struct Code {
    pub component: ObjectComponent,
    pub limits: Limits,
    pub is_serial: bool,
    pub own_name: String,
    pub bindings: Bindings,
    pub variables: Variables,
    /// Whether it has proved itself.
    pub trial: Trial,
}

impl Code {
    pub fn new(options: ClassOptions, trial: Trial) -> Code {
        let ClassOptions { name: _, component, limits, is_serial, own_name, bindings, variables } = options;
        Code { component, limits, is_serial, own_name, bindings, variables, trial }
    }

    /// Whether these options are what it was made from.
    pub fn is_of(&self, options: &ClassOptions) -> bool {
        let ClassOptions { name: _, component, limits, is_serial, own_name, bindings, variables } = options;
        (&self.component, &self.limits, self.is_serial) == (component, limits, *is_serial)
            && (&self.own_name, &self.bindings, &self.variables) == (own_name, bindings, variables)
    }
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

/// How the objects of a class take requests from outside.
#[derive(Clone, Copy, Debug)]
pub struct Intake {
    /// Whether they take any. Those that do not have methods.
    pub has_handler: bool,
    /// Whether they take streamed bodies, and may answer with such.
    pub streams: bool,
    /// Whether a body that is whole is better left so.
    pub prefers_whole: bool,
    /// Bytes that a body may have.
    pub body_bytes_max: usize,
}

impl Class {
    /// A class that has been registered.
    pub(crate) fn new(registered: &dohost_storage::Class, options: ClassOptions) -> Class {
        let name = options.name.as_str().into();
        let ids = IdKey::new(&registered.unique_key);
        let code = ArcSwap::from_pointee(Code::new(options, Trial::none()));
        Class(Arc::new(ClassInner { name, number: registered.number, ids, code }))
    }

    /// The name under which it is served.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Bytes that the body of a request from outside may have.
    pub fn body_bytes_max(&self) -> usize {
        self.0.code.load().limits.body_bytes_max
    }

    /// Whether its objects take streamed bodies, and may answer with such.
    pub fn streams(&self) -> bool {
        self.0.code.load().component.streams()
    }

    /// How its objects take requests from outside, as they are now.
    pub fn intake(&self) -> Intake {
        let code = self.0.code.load();
        let Code { component, limits, .. } = &**code;
        Intake {
            has_handler: component.has_handler(),
            streams: component.streams(),
            prefers_whole: component.prefers_whole(),
            body_bytes_max: limits.body_bytes_max,
        }
    }

    /// The methods of its objects, as they are now: new code may have others.
    pub fn interface(&self) -> Arc<Interface> {
        self.0.code.load().component.interface().clone()
    }

    /// The methods of its objects that only the code itself knows, if it has such.
    pub fn dynamic(&self) -> Option<DynamicMethods> {
        let code = self.0.code.load();
        let dynamic = code.component.interface().dynamic.as_ref()?;
        Some(dynamic.methods(&code.own_name))
    }

    /// What a life that begins now runs.
    pub(crate) fn code(&self) -> Arc<Code> {
        self.0.code.load_full()
    }

    /// What lives that begin from now on run.
    pub(crate) fn set_code(&self, code: Arc<Code>) {
        self.0.code.store(code);
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
