//! Programs of languages that are interpreted become components: their runtime, a component too, is run with the program's
//! modules until it has evaluated them, and what its memory is then is what the component begins with.
//!
//! The runtime exports `dohost:javascript/program`. While it evaluates the modules it reaches nothing: no store, no other
//! object, no network; clocks stand still, and random numbers are always the same. So the same modules make the same
//! component.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{
    Component, ComponentType, Instance, Lift, Linker, Lower, ResourceTable, ResourceType, TypedFunc, WasmList,
};
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wizer::{ComponentContext, ComponentInstanceState, Wizer};

use crate::config::{EPOCH, Engine};
use crate::guest_log::GuestLog;

/// The interface that a runtime exports.
const PROGRAM: &str = "dohost:javascript/program";
/// What of WASI is there.
const WASI: [&str; 6] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// How long the modules of a program may take to be evaluated.
const LOAD_MAX: Duration = Duration::from_secs(5);
/// Bytes of memory that they may take.
const MEMORY_BYTES_MAX: usize = 128 << 20;

/// A module of a program.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower, Lift)]
#[component(record)]
pub struct Module {
    /// What it is called, in stack traces too.
    pub specifier: String,
    /// Its text.
    pub source: String,
    /// What its imports mean: the specifier as it is written, and that of the module.
    pub imports: Vec<(String, String)>,
}

/// What a program exports.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower, Lift)]
#[component(record)]
pub struct Exports {
    /// The classes.
    pub classes: Vec<Class>,
    /// Whether it is a Worker.
    pub worker: bool,
}

/// A class that a program exports.
#[derive(Clone, Debug, PartialEq, Eq, ComponentType, Lower, Lift)]
#[component(record)]
pub struct Class {
    /// The name of the export.
    pub name: String,
    /// Methods that can be called from outside.
    pub methods: Vec<String>,
    /// What it handles: `fetch`, `alarm`…
    pub handlers: Vec<String>,
}

#[derive(Clone, Debug, ComponentType, Lower, Lift)]
#[component(record)]
struct LoadError {
    message: String,
    stack: String,
}

/// Why a program did not become a component.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProgramError {
    /// Its modules cannot be linked, or one of them threw.
    #[error("{message}")]
    Threw {
        /// What it said.
        message: String,
        /// Where that was, if it is known.
        stack: String,
    },
    /// The runtime went down.
    #[error("{0}")]
    Trapped(String),
    /// The runtime itself is not as it should be.
    #[error("the runtime of JavaScript does not work: {0}")]
    Runtime(String),
}

/// A runtime that programs are made of. Compiled once.
pub struct Runtime {
    engine: Engine,
    context: ComponentContext<'static>,
    instrumented: Component,
}

impl Runtime {
    /// Compiles it.
    pub fn new(engine: &Engine, binary: &'static [u8]) -> Result<Runtime, ProgramError> {
        let broken = |error: wasmtime::Error| ProgramError::Runtime(format!("{error:#}"));
        let (context, instrumented) = Wizer::new().instrument_component(binary).map_err(broken)?;
        let digest = Sha256::digest(&instrumented).into();
        let (instrumented, _) = engine.compile(&instrumented, &digest, true).map_err(broken)?;
        Ok(Runtime { engine: engine.clone(), context, instrumented })
    }

    /// The component that a program is, and what it exports. The first module is where it begins.
    ///
    /// What it prints meanwhile goes to the log, under this name.
    pub async fn load(&self, log_name: &str, modules: Vec<Module>) -> Result<(Vec<u8>, Exports), ProgramError> {
        let broken = |error: wasmtime::Error| ProgramError::Runtime(format!("{error:#}"));
        let mut store = Store::new(&self.engine.wasmtime, State::new(log_name));
        store.limiter(|state| &mut state.limits);
        store.set_epoch_deadline(u64::try_from(LOAD_MAX.as_millis() / EPOCH.as_millis()).expect("a few"));
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Interrupt));
        let mut linker = Linker::new(&self.engine.wasmtime);
        add_wasi(&mut linker).map_err(broken)?;
        self.refuse_the_rest(&mut linker).map_err(broken)?;
        let instance = linker.instantiate_async(&mut store, &self.instrumented).await.map_err(broken)?;
        let load = self.load_func(&mut store, &instance)?;
        let loaded = load.call_async(&mut store, (modules,)).await.map_err(trapped)?;
        let exports = loaded.0.map_err(|LoadError { message, stack }| ProgramError::Threw { message, stack })?;
        let mut state = InstanceState { store, instance };
        // Its accessors run in the same store, which has time for them again.
        state.store.set_epoch_deadline(u64::MAX / 2);
        let component = Wizer::new().snapshot_component(&self.context, &mut state).await.map_err(broken)?;
        Ok((component, exports))
    }

    /// What is not WASI can be imported, and traps when it is called.
    fn refuse_the_rest(&self, linker: &mut Linker<State>) -> wasmtime::Result<()> {
        let engine = &self.engine.wasmtime;
        for (interface, import) in self.instrumented.component_type().imports(engine) {
            let ComponentItem::ComponentInstance(instance) = import.ty else { continue };
            if WASI.iter().any(|prefix| interface.starts_with(prefix)) {
                continue;
            }
            let mut refused = linker.instance(interface)?;
            for (name, item) in instance.exports(engine) {
                let text = format!("{interface}.{name} is not there while the modules are evaluated");
                match item.ty {
                    ComponentItem::ComponentFunc(function) if function.async_() => {
                        refused.func_new_concurrent(name, move |_, _, _, _| {
                            let text = text.clone();
                            Box::pin(async move { Err(wasmtime::Error::msg(text)) })
                        })?;
                    }
                    ComponentItem::ComponentFunc(_) => {
                        refused.func_new(name, move |_, _, _, _| Err(wasmtime::Error::msg(text.clone())))?;
                    }
                    ComponentItem::Resource(_) => {
                        refused.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn load_func(&self, store: &mut Store<State>, instance: &Instance) -> Result<LoadFunc, ProgramError> {
        let missing = || ProgramError::Runtime(format!("it has no {PROGRAM}"));
        let ty = self.instrumented.component_type();
        let mut names = ty.exports(&self.engine.wasmtime).map(|(name, _)| name);
        let name = names.find(|name| name.starts_with(PROGRAM)).ok_or_else(missing)?;
        let interface = self.instrumented.get_export_index(None, name).ok_or_else(missing)?;
        let load = self.instrumented.get_export_index(Some(&interface), "load").ok_or_else(missing)?;
        instance.get_typed_func(store, load).map_err(|error| ProgramError::Runtime(format!("{error:#}")))
    }
}

type LoadFunc = TypedFunc<(Vec<Module>,), (Result<Exports, LoadError>,)>;

fn trapped(error: wasmtime::Error) -> ProgramError {
    tracing::debug!("the runtime of JavaScript went down: {error:?}");
    let reason = match error.downcast_ref::<wasmtime::Trap>() {
        Some(wasmtime::Trap::Interrupt) => {
            format!("the modules were not evaluated within {} s: they must not wait or loop", LOAD_MAX.as_secs())
        }
        Some(trap) => trap.to_string(),
        None => format!("{:#}", error),
    };
    ProgramError::Trapped(reason)
}

/// WASI, with clocks that stand still and nothing behind it.
fn add_wasi(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)
}

struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    limits: StoreLimits,
}

impl State {
    fn new(log_name: &str) -> State {
        let log_name: Arc<str> = log_name.into();
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(GuestLog::stdout(log_name.clone()));
        wasi.stderr(GuestLog::stderr(log_name));
        wasi.secure_random(Deterministic::new(vec![0x5d]));
        wasi.insecure_random(Deterministic::new(vec![0x5d]));
        wasi.insecure_random_seed(0x5d);
        wasi.wall_clock(Stopped);
        wasi.monotonic_clock(Stopped);
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_BYTES_MAX).build();
        State { wasi: wasi.build(), table: ResourceTable::new(), limits }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// A clock that stands still.
struct Stopped;

impl HostWallClock for Stopped {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Stopped {
    fn resolution(&self) -> u64 {
        1_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

/// How the state of the instance is read: by functions that the instrumentation added.
struct InstanceState {
    store: Store<State>,
    instance: Instance,
}

impl InstanceState {
    async fn call<R: Lift + Send + Sync + 'static>(&mut self, interface: &str, function: &str) -> R {
        let interface = self.instance.get_export_index(&mut self.store, None, interface);
        let interface = interface.expect("the instrumentation exports it");
        let function = self.instance.get_export_index(&mut self.store, Some(&interface), function);
        let function = function.expect("the instrumentation exports it");
        let function = self.instance.get_typed_func::<(), (R,)>(&mut self.store, &function);
        let function = function.expect("it is of this type");
        function.call_async(&mut self.store, ()).await.expect("it only reads").0
    }
}

impl ComponentInstanceState for InstanceState {
    async fn call_func_ret_list_u8(&mut self, instance: &str, func: &str, contents: impl FnOnce(&[u8]) + Send) {
        let list: WasmList<u8> = self.call(instance, func).await;
        contents(list.as_le_slice(&self.store));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func).await
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func).await
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func).await.to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func).await.to_bits()
    }
}
