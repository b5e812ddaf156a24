//! From a file to a component that is known to fit: everything that can be wrong with it is found here, before anything
//! is served.
//!
//! The order is that of a user's mistakes: the file cannot be read, is not wasm, is a core module, does not validate,
//! lacks the handler, imports what the host does not have, has a type that differs.

use std::path::{Path, PathBuf};

use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::bindings::ObjectPre;
use crate::bindings::types::{Request, Response};
use crate::config::Engine;
use crate::guest::GuestState;
use crate::host;

/// What an object exports, or else [`HTTP_HANDLER`].
pub(crate) const OBJECT_HANDLER: &str = "dohost:object/handler@0.1.0";
/// The handler of `wasi:http` that an object may have, in any patch version.
const HTTP_HANDLER: &str = "wasi:http/handler@0.3";
/// What an object may export beside it.
pub(crate) const OBJECT_CONSTRUCTION: &str = "dohost:object/construction@0.1.0";
/// What a Worker exports: one of these, in any patch version.
const WORKER_HANDLERS: [&str; 2] = [HTTP_HANDLER, "wasi:http/incoming-handler@0.2"];

/// The interfaces that objects and Workers can import, as prefixes of their names.
const IMPORTS_OF_BOTH: &[&str] = &[
    "dohost:object/namespace@0.1.",
    "dohost:object/outgoing@0.1.",
    "dohost:object/streaming@0.1.",
    "dohost:object/types@0.1.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];
/// Those that only an object can.
const IMPORTS_OF_OBJECTS: &[&str] = &[
    "dohost:object/concurrency@0.1.",
    "dohost:object/state@0.1.",
    "dohost:object/storage@0.1.",
    "dohost:object/transactions@0.1.",
];

/// A component that implements a class, ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub struct ObjectComponent {
    pub(crate) engine: Engine,
    pub(crate) pre: HandlerPre,
    /// Its `construct`, if it has one.
    pub(crate) construct: Option<ComponentExportIndex>,
    /// Built with the synchronous ABI: it finishes one event before it begins the next.
    pub(crate) takes_strict_turns: bool,
}

/// Which handler an object has, before it has an instance.
#[derive(Clone)]
pub(crate) enum HandlerPre {
    Object(ObjectPre<GuestState>),
    Http(ServicePre<GuestState>),
}

impl ObjectComponent {
    /// Whether it takes [`Input::Http`](crate::Input::Http), because its handler is that of `wasi:http`.
    pub fn streams(&self) -> bool {
        matches!(self.pre, HandlerPre::Http(_))
    }

    /// Whether an instance can handle an event while it waits in another one.
    pub fn interleaves(&self) -> bool {
        !self.takes_strict_turns
    }
}

/// Why a file cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It does not begin like WebAssembly.
    #[error("{} is not a WebAssembly component", .0.display())]
    NotWasm(PathBuf),
    /// It is a module of core WebAssembly.
    #[error("{} is a core module, dohost runs components", .0.display())]
    CoreModule(PathBuf),
    /// It looks like a component but does not validate.
    #[error("{} is not a valid component: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What the validator said.
        reason: String,
    },
    /// It lacks the export that makes it what it should be.
    #[error("{} does not export {wanted} (it exports {exports})", path.display())]
    MissingExport {
        /// The file.
        path: PathBuf,
        /// The interface that is missing.
        wanted: String,
        /// What is there instead.
        exports: String,
    },
    /// It imports interfaces that the host does not offer to it.
    #[error("{} imports {imports}, which dohost does not offer to {role}", path.display())]
    UnknownImports {
        /// The file.
        path: PathBuf,
        /// The interfaces.
        imports: String,
        /// `an object` or `a Worker`.
        role: &'static str,
    },
    /// A function has another type than the world says.
    #[error("{} does not fit the world: {reason}", path.display())]
    WrongType {
        /// The file.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
}

impl LoadError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            LoadError::Unreadable { .. } => None,
            LoadError::NotWasm(_) => Some("give a component built for the world dohost:object/object".into()),
            LoadError::CoreModule(path) => {
                let to = path.with_extension("component.wasm");
                Some(format!("wasm-tools component new {} -o {}", path.display(), to.display()))
            }
            LoadError::Invalid { .. } => Some("build it again; it may be cut off or made for newer tools".into()),
            LoadError::MissingExport { wanted, .. } if wanted.starts_with(OBJECT_HANDLER) => {
                Some("build it for the world dohost:object/object or dohost:object/http-object".into())
            }
            LoadError::MissingExport { .. } => Some(
                "a Worker is a wasi:http component; give an object as dohost serve FILE or --class NAME=FILE".into(),
            ),
            LoadError::UnknownImports { .. } => {
                Some("the interfaces on offer are those of the WIT package dohost:object@0.1 and WASI".into())
            }
            LoadError::WrongType { .. } => Some("build it against the WIT package dohost:object@0.1.0".into()),
        }
    }
}

impl Engine {
    /// Reads, compiles and checks the component of a class.
    pub fn load_object(&self, path: &Path) -> Result<ObjectComponent, LoadError> {
        let binary = read(path)?;
        let component = self.compile(path, &binary)?;
        require_export(self, &component, path, &[OBJECT_HANDLER, HTTP_HANDLER])?;
        let is_http = !has_export(self, &component, OBJECT_HANDLER);
        let pre = self.link(path, &component, "an object", IMPORTS_OF_OBJECTS, host::object_linker(self))?;
        let checked = if is_http { Ok(()) } else { check_handler(self, &component, &pre) };
        let construct = checked.and_then(|()| find_construct(self, &component, &pre));
        let construct = construct.map_err(|reason| LoadError::WrongType { path: path.to_owned(), reason })?;
        let pre = match is_http {
            false => ObjectPre::new(pre).map(HandlerPre::Object),
            true => ServicePre::new(pre).map(HandlerPre::Http),
        };
        let pre = pre.map_err(|error| wrong_type(path, error))?;
        let takes_strict_turns = !lifts_asynchronously(&binary).map_err(|error| invalid(path, &error))?;
        Ok(ObjectComponent { engine: self.clone(), pre, construct, takes_strict_turns })
    }

    /// Reads, compiles and checks the component of a Worker.
    pub(crate) fn load_worker_pre(&self, path: &Path) -> Result<InstancePre<GuestState>, LoadError> {
        let component = self.compile(path, &read(path)?)?;
        require_export(self, &component, path, &WORKER_HANDLERS)?;
        self.link(path, &component, "a Worker", &[], host::worker_linker(self))
    }

    fn compile(&self, path: &Path, binary: &[u8]) -> Result<Component, LoadError> {
        Component::from_binary(&self.wasmtime, binary).map_err(|error| invalid(path, &one_line(&error)))
    }

    fn link(
        &self,
        path: &Path,
        component: &Component,
        role: &'static str,
        offered: &[&str],
        linker: wasmtime::Result<Linker<GuestState>>,
    ) -> Result<InstancePre<GuestState>, LoadError> {
        let unknown: Vec<String> = component
            .component_type()
            .imports(&self.wasmtime)
            .map(|(name, _)| name.to_owned())
            .filter(|name| !IMPORTS_OF_BOTH.iter().chain(offered).any(|prefix| name.starts_with(prefix)))
            .collect();
        if !unknown.is_empty() {
            return Err(LoadError::UnknownImports { path: path.to_owned(), imports: unknown.join(", "), role });
        }
        linker.and_then(|linker| linker.instantiate_pre(component)).map_err(|error| wrong_type(path, error))
    }
}

/// Reads a component, from its text form too.
fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => Err(LoadError::CoreModule(path.to_owned())),
        Some([0, b'a', b's', b'm', ..]) => Ok(bytes),
        _ if bytes.trim_ascii_start().starts_with(b"(component") => {
            let binary = wat::parse_bytes(&bytes).map_err(|error| invalid(path, &error))?;
            Ok(binary.into_owned())
        }
        _ => Err(LoadError::NotWasm(path.to_owned())),
    }
}

/// Compares the handler with ours; linking does not, and a first request is too late.
fn check_handler(engine: &Engine, component: &Component, pre: &InstancePre<GuestState>) -> Result<(), String> {
    let fetch = exported_function(engine, component, OBJECT_HANDLER, "fetch")?;
    fetch
        .typecheck::<(Request,), (Result<Response, String>,)>(&pre.instance_type())
        .map_err(|error| format!("fetch of {OBJECT_HANDLER}: {}", one_line(&error)))
}

/// The construction, if the component has one, compared with ours.
fn find_construct(
    engine: &Engine,
    component: &Component,
    pre: &InstancePre<GuestState>,
) -> Result<Option<ComponentExportIndex>, String> {
    let Some((_, interface)) = component.get_export(None, OBJECT_CONSTRUCTION) else { return Ok(None) };
    let construct = exported_function(engine, component, OBJECT_CONSTRUCTION, "construct")?;
    construct
        .typecheck::<(), (Result<(), String>,)>(&pre.instance_type())
        .map_err(|error| format!("construct of {OBJECT_CONSTRUCTION}: {}", one_line(&error)))?;
    Ok(component.get_export_index(Some(&interface), "construct"))
}

/// A function of an interface that the component exports. All of them may wait.
fn exported_function(
    engine: &Engine,
    component: &Component,
    interface: &str,
    name: &str,
) -> Result<ComponentFunc, String> {
    let ty = component.component_type();
    let exported = ty.exports(&engine.wasmtime).find(|(exported, _)| *exported == interface).map(|(_, item)| item.ty);
    let Some(ComponentItem::ComponentInstance(exported)) = exported else {
        return Err(format!("{interface} is not an interface"));
    };
    let function = exported.get_export(&engine.wasmtime, name).map(|item| item.ty);
    let Some(ComponentItem::ComponentFunc(function)) = function else {
        return Err(format!("{interface} has no function {name}"));
    };
    match function.async_() {
        true => Ok(function),
        false => Err(format!("{name} of {interface} is a func, expected an async func")),
    }
}

/// Whether any function of the component is lifted with the asynchronous ABI.
fn lifts_asynchronously(binary: &[u8]) -> Result<bool, wasmparser::BinaryReaderError> {
    for payload in wasmparser::Parser::new(0).parse_all(binary) {
        let wasmparser::Payload::ComponentCanonicalSection(functions) = payload? else { continue };
        for function in functions {
            if let wasmparser::CanonicalFunction::Lift { options, .. } = function?
                && options.contains(&wasmparser::CanonicalOption::Async)
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn has_export(engine: &Engine, component: &Component, wanted: &str) -> bool {
    component.component_type().exports(&engine.wasmtime).any(|(name, _)| name.starts_with(wanted))
}

fn require_export(engine: &Engine, component: &Component, path: &Path, wanted: &[&str]) -> Result<(), LoadError> {
    let ty = component.component_type();
    let exports: Vec<(String, ComponentItem)> =
        ty.exports(&engine.wasmtime).map(|(name, item)| (name.to_owned(), item.ty)).collect();
    if exports.iter().any(|(name, _)| wanted.iter().any(|wanted| name.starts_with(wanted))) {
        return Ok(());
    }
    let names: Vec<&str> = exports.iter().map(|(name, _)| name.as_str()).collect();
    Err(LoadError::MissingExport {
        path: path.to_owned(),
        wanted: wanted.join(" or "),
        exports: if names.is_empty() { "nothing".into() } else { names.join(", ") },
    })
}

fn invalid(path: &Path, reason: &dyn std::fmt::Display) -> LoadError {
    LoadError::Invalid { path: path.to_owned(), reason: reason.to_string() }
}

fn wrong_type(path: &Path, error: wasmtime::Error) -> LoadError {
    LoadError::WrongType { path: path.to_owned(), reason: one_line(&error) }
}

/// An error with its causes, in one line.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
