//! From a file to a component that is known to fit: everything that can be wrong with it is found here, before anything
//! is served.
//!
//! The order is that of a user's mistakes: the file cannot be read, is not wasm, is a core module that no component can be
//! made of, does not validate, has neither a handler nor a method, imports what the host does not have, has a type that
//! differs.
//!
//! A file is read and compiled once, however many classes and Workers it implements: all of them share the
//! [`GuestComponent`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dohost_rpc::{Client, Interface, Program};
use sha2::{Digest, Sha256};
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower};
use wasmtime_wasi_http::p3::bindings::ServiceIndices;

use crate::bindings::ObjectIndices;
use crate::bindings::types::{Request, Response};
use crate::bindings::websockets::Message;
use crate::code_cache::CodeCache;
use crate::componentize;
use crate::config::Engine;
use crate::dynamic;
use crate::event::{AlarmInfo, CloseInfo};
use crate::guest::{GuestLimits, GuestState};
use crate::host;
use crate::methods::Methods;
use crate::mixed::{self, MIXED_HANDLER};
use crate::variables::Variables;
use crate::worker::WorkerComponent;

/// What an object exports, or else [`HTTP_HANDLER`].
pub(crate) const OBJECT_HANDLER: &str = "dohost:object/handler@0.1.0";
/// The handler of `wasi:http` that an object may have, in any patch version.
const HTTP_HANDLER: &str = "wasi:http/handler@0.3";
/// What an object may export beside it.
pub(crate) const OBJECT_CONSTRUCTION: &str = "dohost:object/construction@0.1.0";
/// What an object exports that sets alarms.
pub(crate) const ALARM_HANDLER: &str = "dohost:object/alarm-handler@0.1.0";
/// What an object exports that has websockets.
pub(crate) const WEBSOCKET_HANDLER: &str = "dohost:object/websocket-handler@0.1.0";
/// What a Worker exports: one of these, in any patch version.
const WORKER_HANDLERS: [&str; 2] = [HTTP_HANDLER, "wasi:http/incoming-handler@0.2"];

/// The interfaces that a component can import, as prefixes of their names. One component may implement objects and a
/// Worker, so they are the same for both; what only an object has traps in a Worker.
const IMPORTS: &[&str] = &[
    "dohost:object/alarms@0.1.",
    "dohost:object/concurrency@0.1.",
    "dohost:object/dynamic-calls@0.1.",
    "dohost:object/mixed@0.1.",
    "dohost:object/namespace@0.1.",
    "dohost:object/outgoing@0.1.",
    "dohost:object/state@0.1.",
    "dohost:object/storage@0.1.",
    "dohost:object/streaming@0.1.",
    "dohost:object/transactions@0.1.",
    "dohost:object/types@0.1.",
    "dohost:object/websockets@0.1.",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:http/",
    "wasi:io/",
    "wasi:random/",
    "wasi:sockets/",
];

/// Whether the host has an interface of this name for a component to import.
pub fn is_offered(interface: &str) -> bool {
    IMPORTS.iter().any(|prefix| interface.starts_with(prefix))
}

/// A component that was read and compiled; what it can be is found out by asking. Cheap to clone.
#[derive(Clone)]
pub struct GuestComponent {
    engine: Engine,
    path: Arc<Path>,
    component: Component,
    methods: Arc<Methods>,
    takes_strict_turns: bool,
    was_compiled: bool,
    /// SHA-256 of its binary form.
    digest: [u8; 32],
}

/// A component that implements a class, ready to be instantiated. Cheap to clone.
#[derive(Clone)]
pub struct ObjectComponent {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<GuestState>,
    /// Where its handler is, if it has one.
    pub(crate) handler: Option<HandlerIndices>,
    /// Its `construct`, if it has one.
    pub(crate) construct: Option<ComponentExportIndex>,
    /// Its `call` of `dohost:object/dynamic`, if it has one.
    pub(crate) dynamic: Option<ComponentExportIndex>,
    /// Its alarm handler, if it has one.
    pub(crate) alarm: Option<ComponentExportIndex>,
    /// Its handler of websockets, if it has one.
    pub(crate) websocket: Option<WebSocketIndices>,
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

/// Where the handler of a component is, and which one it is.
#[derive(Clone)]
pub(crate) enum HandlerIndices {
    Object(ObjectIndices),
    Http(Arc<ServiceIndices>),
    Mixed(ComponentExportIndex),
}

/// Where the functions of a handler of websockets are.
#[derive(Clone)]
pub(crate) struct WebSocketIndices {
    pub message: ComponentExportIndex,
    pub close: ComponentExportIndex,
    pub error: ComponentExportIndex,
}

impl ObjectComponent {
    /// Whether it takes [`Input::Http`](crate::Input::Http), and may answer so: its handler is that of `wasi:http`, or the
    /// one for both kinds of bodies.
    pub fn streams(&self) -> bool {
        matches!(self.handler, Some(HandlerIndices::Http(_) | HandlerIndices::Mixed(_)))
    }

    /// Whether a body that is whole is better left so.
    pub fn prefers_whole(&self) -> bool {
        !matches!(self.handler, Some(HandlerIndices::Http(_)))
    }

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

    /// Whether it has a handler for alarms.
    pub fn has_alarm_handler(&self) -> bool {
        self.alarm.is_some()
    }

    /// Whether it has a handler for websockets.
    pub fn has_websocket_handler(&self) -> bool {
        self.websocket.is_some()
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
    /// It imports interfaces that the host does not offer.
    #[error("{} imports {imports}, which dohost does not offer", path.display())]
    UnknownImports {
        /// The file.
        path: PathBuf,
        /// The interfaces.
        imports: String,
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
                let text = "build it for the world dohost:object/object or dohost:object/http-object";
                Some(text.into())
            }
            LoadError::MissingExport { .. } => Some(
                "a Worker is a wasi:http component; give an object as dohost serve FILE or --class NAME=FILE, or in \
                 dohost.toml under [classes]"
                    .into(),
            ),
            LoadError::UnknownImports { .. } => {
                Some("the interfaces on offer are those of the WIT package dohost:object@0.1 and WASI".into())
            }
            LoadError::WrongType { .. } => Some("build it against the WIT package dohost:object@0.1.0".into()),
        }
    }
}

impl Engine {
    /// Reads and compiles a component.
    pub fn load(&self, path: &Path) -> Result<GuestComponent, LoadError> {
        self.load_unless_known(path, &[])
    }

    /// The same, but does not compile what is one of those already.
    pub fn load_unless_known(&self, path: &Path, known: &[GuestComponent]) -> Result<GuestComponent, LoadError> {
        self.load_binary(path, &read(path)?, known)
    }

    /// The same of a component that is in memory; `path` is what errors call it.
    pub fn load_binary(
        &self,
        path: &Path,
        binary: &[u8],
        known: &[GuestComponent],
    ) -> Result<GuestComponent, LoadError> {
        let digest: [u8; 32] = Sha256::digest(binary).into();
        if let Some(known) = known.iter().find(|component| component.digest == digest) {
            return Ok(GuestComponent { path: path.into(), ..known.clone() });
        }
        // Programs have the same runtime, so most functions of a new one are known.
        let shares_functions = Program::read(binary).is_some();
        let compiled = self.compile(binary, &digest, shares_functions);
        let (component, was_compiled) = compiled.map_err(|error| invalid(path, &one_line(&error)))?;
        let methods = Methods::find(&component, binary);
        let methods = methods.map_err(|reason| LoadError::WrongType { path: path.to_owned(), reason })?.into();
        let takes_strict_turns = !lifts_asynchronously(binary).map_err(|error| invalid(path, &error))?;
        let (engine, path) = (self.clone(), path.into());
        Ok(GuestComponent { engine, path, component, methods, takes_strict_turns, was_compiled, digest })
    }

    /// Compiles a component, unless the cache has it; gives whether it did. `shares_functions` says that functions of it may be
    /// known from others.
    pub(crate) fn compile(
        &self,
        binary: &[u8],
        digest: &[u8; 32],
        shares_functions: bool,
    ) -> wasmtime::Result<(Component, bool)> {
        let cache = self.options.code_cache.as_ref();
        if let Some(component) = cache.and_then(|cache| cache.component(&self.wasmtime, digest)) {
            return Ok((component, false));
        }
        let _in_use = cache.filter(|_| shares_functions).map(CodeCache::in_use);
        let component = Component::from_binary(&self.wasmtime, binary)?;
        if let Some(cache) = cache {
            cache.keep_component(&self.wasmtime, digest, &component);
        }
        Ok((component, true))
    }

    /// Reads, compiles and checks the component of a class.
    pub fn load_object(&self, path: &Path) -> Result<ObjectComponent, LoadError> {
        self.load(path)?.object()
    }
}

impl GuestComponent {
    /// Bytes of machine code and data that it was compiled to. All of its instances share them.
    pub fn compiled_bytes(&self) -> usize {
        let image = self.component.image_range();
        image.end.addr() - image.start.addr()
    }

    /// Whether it was compiled just now: its machine code was not kept.
    pub fn was_compiled(&self) -> bool {
        self.was_compiled
    }

    /// As the implementation of a class, if it is one.
    pub fn object(&self) -> Result<ObjectComponent, LoadError> {
        let GuestComponent { engine, path, component, methods, takes_strict_turns, digest, .. } = self;
        let has_object_handler = component.get_export_index(None, OBJECT_HANDLER).is_some();
        let has_mixed_handler = component.get_export_index(None, MIXED_HANDLER).is_some();
        let has_http_handler = !has_object_handler && !has_mixed_handler && has_export(engine, component, HTTP_HANDLER);
        let has_handler = has_object_handler || has_mixed_handler || has_http_handler;
        if !has_handler && methods.interface.methods.is_empty() && methods.interface.dynamic.is_none() {
            require_export(engine, component, path, &[OBJECT_HANDLER, HTTP_HANDLER])?;
        }
        let pre = self.link()?;
        let checked = if has_object_handler { check_handler(engine, component, &pre) } else { Ok(()) };
        let checked = checked.and_then(|()| {
            let construct =
                find_export::<(), (Result<(), String>,)>(engine, component, &pre, OBJECT_CONSTRUCTION, "construct")?;
            let alarm =
                find_export::<(AlarmInfo,), (Result<(), String>,)>(engine, component, &pre, ALARM_HANDLER, "alarm")?;
            let websocket = find_websocket_handler(engine, component, &pre)?;
            let mixed = mixed::find(engine, component, &pre)?.filter(|_| !has_object_handler);
            Ok((construct, alarm, websocket, dynamic::find(engine, component, &pre)?, mixed))
        });
        let (construct, alarm, websocket, dynamic, mixed) =
            checked.map_err(|reason| LoadError::WrongType { path: path.to_path_buf(), reason })?;
        let handler = match mixed {
            Some(fetch) => Some(Ok(HandlerIndices::Mixed(fetch))),
            None if has_http_handler => Some(ServiceIndices::new(&pre).map(Arc::new).map(HandlerIndices::Http)),
            None => has_object_handler.then(|| ObjectIndices::new(&pre).map(HandlerIndices::Object)),
        };
        let handler = handler.transpose();
        Ok(ObjectComponent {
            engine: engine.clone(),
            handler: handler.map_err(|error| wrong_type(path, error))?,
            pre,
            construct,
            dynamic,
            alarm,
            websocket,
            methods: methods.clone(),
            takes_strict_turns: *takes_strict_turns,
            digest: *digest,
        })
    }

    /// As a Worker whose instances have these limits and variables, if it is one.
    pub fn worker(&self, limits: GuestLimits, variables: Variables) -> Result<WorkerComponent, LoadError> {
        require_export(&self.engine, &self.component, &self.path, &WORKER_HANDLERS)?;
        WorkerComponent::new(&self.engine, self.link()?, limits, variables, self.digest)
            .map_err(|error| wrong_type(&self.path, error))
    }

    fn link(&self) -> Result<InstancePre<GuestState>, LoadError> {
        let clients = &self.methods.interface.clients;
        for Client { interface, error, .. } in clients {
            if let Some(error) = error {
                let reason = format!("it imports {interface} to call methods, but its function {error}");
                return Err(LoadError::WrongType { path: self.path.to_path_buf(), reason });
            }
        }
        let is_client = |name: &str| clients.iter().any(|client| client.interface == name);
        let unknown: Vec<String> = self
            .component
            .component_type()
            .imports(&self.engine.wasmtime)
            .filter(|(name, _)| !is_offered(name))
            .filter(|(name, item)| !is_client(name) && !has_types_only(&self.engine, &item.ty))
            .map(|(name, _)| name.to_owned())
            .collect();
        if !unknown.is_empty() {
            return Err(LoadError::UnknownImports { path: self.path.to_path_buf(), imports: unknown.join(", ") });
        }
        let linked = host::linker(&self.engine).and_then(|mut linker| {
            host::add_clients(&mut linker, clients)?;
            linker.instantiate_pre(&self.component)
        });
        linked.map_err(|error| wrong_type(&self.path, error))
    }
}

/// Whether an import is an interface with nothing in it that somebody would have to implement.
fn has_types_only(engine: &Engine, item: &ComponentItem) -> bool {
    let ComponentItem::ComponentInstance(interface) = item else { return false };
    interface.exports(&engine.wasmtime).all(|(_, item)| matches!(item.ty, ComponentItem::Type(_)))
}

/// Reads a component, from its text form too, or from a core module that says what component it is meant to be.
pub fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) if componentize::has_world(&bytes) => {
            componentize::componentize(&bytes).map_err(|reason| invalid(path, &reason))
        }
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

/// The function of an interface that a component need not export, if it does, compared with ours.
pub(crate) fn find_export<Params, Results>(
    engine: &Engine,
    component: &Component,
    pre: &InstancePre<GuestState>,
    interface: &str,
    name: &str,
) -> Result<Option<ComponentExportIndex>, String>
where
    Params: ComponentNamedList + Lower,
    Results: ComponentNamedList + Lift,
{
    let Some((_, index)) = component.get_export(None, interface) else { return Ok(None) };
    let function = exported_function(engine, component, interface, name)?;
    function
        .typecheck::<Params, Results>(&pre.instance_type())
        .map_err(|error| format!("{name} of {interface}: {}", one_line(&error)))?;
    Ok(component.get_export_index(Some(&index), name))
}

/// The functions of the handler of websockets, if the component has one.
fn find_websocket_handler(
    engine: &Engine,
    component: &Component,
    pre: &InstancePre<GuestState>,
) -> Result<Option<WebSocketIndices>, String> {
    type Done = (Result<(), String>,);
    let message = find_export::<(u64, Message), Done>(engine, component, pre, WEBSOCKET_HANDLER, "on-message")?;
    let close = find_export::<(u64, CloseInfo), Done>(engine, component, pre, WEBSOCKET_HANDLER, "on-close")?;
    let error = find_export::<(u64, String), Done>(engine, component, pre, WEBSOCKET_HANDLER, "on-error")?;
    Ok(message.zip(close).zip(error).map(|((message, close), error)| WebSocketIndices { message, close, error }))
}

/// A function of an interface that the component exports. All of them may wait.
pub(crate) fn exported_function(
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
