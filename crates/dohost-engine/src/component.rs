//! From a file to a component that is known to fit: everything that can be wrong with it is found here, before anything
//! is served.
//!
//! The order is that of a user's mistakes: the file cannot be read, is not wasm, is a core module, does not validate,
//! has neither a handler nor a method, imports what the host does not have, has a type that differs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dohost_rpc::{Client, Interface};
use sha2::{Digest, Sha256};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker};

use crate::bindings::ObjectIndices;
use crate::bindings::types::{Request, Response};
use crate::config::Engine;
use crate::guest::GuestState;
use crate::host;
use crate::methods::Methods;

/// What an object exports.
pub(crate) const OBJECT_HANDLER: &str = "dohost:object/handler@0.1.0";
/// What an object may export beside it.
pub(crate) const OBJECT_CONSTRUCTION: &str = "dohost:object/construction@0.1.0";
/// What a Worker exports: one of these, in any patch version.
const WORKER_HANDLERS: [&str; 2] = ["wasi:http/handler@0.3", "wasi:http/incoming-handler@0.2"];

/// The interfaces that objects and Workers can import, as prefixes of their names.
const IMPORTS_OF_BOTH: &[&str] = &[
    "dohost:object/namespace@0.1.",
    "dohost:object/outgoing@0.1.",
    "dohost:object/types@0.1.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
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
/// Those that only a Worker can.
const IMPORTS_OF_WORKERS: &[&str] = &["wasi:http/"];

/// A component that implements a class, ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub struct ObjectComponent {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<GuestState>,
    /// Where its handler is, if it has one.
    pub(crate) handler: Option<ObjectIndices>,
    /// Its `construct`, if it has one.
    pub(crate) construct: Option<ComponentExportIndex>,
    pub(crate) methods: Arc<Methods>,
    /// Built with the synchronous ABI: it finishes one event before it begins the next.
    pub(crate) takes_strict_turns: bool,
    /// SHA-256 of its binary form.
    digest: [u8; 32],
}

/// Whether they are the same component, loaded from wherever.
impl PartialEq for ObjectComponent {
    fn eq(&self, other: &ObjectComponent) -> bool {
        self.digest == other.digest
    }
}

impl ObjectComponent {
    /// Whether an instance can handle an event while it waits in another one.
    pub fn interleaves(&self) -> bool {
        !self.takes_strict_turns
    }

    /// What it offers beside the interfaces that the host knows.
    pub fn interface(&self) -> &Arc<Interface> {
        &self.methods.interface
    }

    /// Whether it takes requests. One that does not has methods.
    pub fn has_handler(&self) -> bool {
        self.handler.is_some()
    }

    /// Whether an instance has a construction to run before its first event.
    pub fn has_construction(&self) -> bool {
        self.construct.is_some()
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
            LoadError::MissingExport { wanted, .. } if wanted == OBJECT_HANDLER => {
                Some("build it for the world dohost:object/object; give a wasi:http component with --worker".into())
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
        let wrong = |reason| LoadError::WrongType { path: path.to_owned(), reason };
        let methods = Methods::find(&component, &binary).map_err(wrong)?;
        let has_handler = component.get_export_index(None, OBJECT_HANDLER).is_some();
        if !has_handler && methods.interface.methods.is_empty() {
            require_export(self, &component, path, &[OBJECT_HANDLER])?;
        }
        let (clients, linker) = (&methods.interface.clients, host::object_linker(self));
        let pre = self.link(path, &component, "an object", IMPORTS_OF_OBJECTS, clients, linker)?;
        let checked = if has_handler { check_handler(self, &component, &pre) } else { Ok(()) };
        let checked = checked.and_then(|()| find_construct(self, &component, &pre));
        let construct = checked.map_err(wrong)?;
        let handler = has_handler.then(|| ObjectIndices::new(&pre)).transpose();
        let handler = handler.map_err(|error| wrong_type(path, error))?;
        let takes_strict_turns = !lifts_asynchronously(&binary).map_err(|error| invalid(path, &error))?;
        let digest = Sha256::digest(&binary).into();
        let methods = Arc::new(methods);
        Ok(ObjectComponent { engine: self.clone(), pre, handler, construct, methods, takes_strict_turns, digest })
    }

    /// Reads, compiles and checks the component of a Worker.
    pub(crate) fn load_worker_pre(&self, path: &Path) -> Result<InstancePre<GuestState>, LoadError> {
        let binary = read(path)?;
        let component = self.compile(path, &binary)?;
        require_export(self, &component, path, &WORKER_HANDLERS)?;
        let clients = Interface::read(&binary).unwrap_or_default().clients;
        self.link(path, &component, "a Worker", IMPORTS_OF_WORKERS, &clients, host::worker_linker(self))
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
        clients: &[Client],
        linker: wasmtime::Result<Linker<GuestState>>,
    ) -> Result<InstancePre<GuestState>, LoadError> {
        for Client { interface, error, .. } in clients {
            if let Some(error) = error {
                let reason = format!("it imports {interface} to call methods, but its function {error}");
                return Err(LoadError::WrongType { path: path.to_owned(), reason });
            }
        }
        let is_client = |name: &str| clients.iter().any(|client| client.interface == name);
        let unknown: Vec<String> = component
            .component_type()
            .imports(&self.wasmtime)
            .filter(|(name, _)| !IMPORTS_OF_BOTH.iter().chain(offered).any(|prefix| name.starts_with(prefix)))
            .filter(|(name, item)| !is_client(name) && !has_types_only(self, &item.ty))
            .map(|(name, _)| name.to_owned())
            .collect();
        if !unknown.is_empty() {
            return Err(LoadError::UnknownImports { path: path.to_owned(), imports: unknown.join(", "), role });
        }
        let linked = linker.and_then(|mut linker| {
            host::add_clients(&mut linker, clients)?;
            linker.instantiate_pre(component)
        });
        linked.map_err(|error| wrong_type(path, error))
    }
}

/// Whether an import is an interface with nothing in it that somebody would have to implement.
fn has_types_only(engine: &Engine, item: &ComponentItem) -> bool {
    let ComponentItem::ComponentInstance(interface) = item else { return false };
    interface.exports(&engine.wasmtime).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
}

/// Reads a component, from its text form too.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
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
