//! The engine of the process and its configuration.
//!
//! There is one function that makes a `wasmtime::Config`, and everything (server, tests, conformance) goes through it, so
//! that what is tested is what runs.
//!
//! Instances come from wasmtime's pooling allocator: slots are reserved once and reused, which makes starting an object
//! cheap and bounds what all objects together can take. A slot reserves address space for one memory at its largest, so
//! the number of slots times [`EngineOptions::memory_bytes_max`] must fit into the 47 bits of a process.
//!
//! Time is measured in epochs: a thread of its own advances the epoch every [`EPOCH`], and a guest that is running when
//! that happens is asked whether it has had its slice (see `slice.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often running guests are looked at. A guest that spins keeps its executor for at most one to two epochs at a time.
pub const EPOCH: Duration = Duration::from_millis(5);

/// Memories that one component may have; adapters and language runtimes bring their own.
const MEMORIES_PER_COMPONENT_MAX: u32 = 4;
/// Core instances that one component may have. JavaScript and Python runtimes are made of many small modules.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 200;
/// Tables that one component may have.
const TABLES_PER_COMPONENT_MAX: u32 = 50;
/// Elements of one table.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;

/// What can be set about the engine.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Instances that can live at once, objects and Workers together.
    pub instances_max: u32,
    /// Bytes that the linear memories of one instance may have together. A guest that asks for more sees its `memory.grow`
    /// fail.
    pub memory_bytes_max: usize,
    /// How long one turn may have the thread before the guest is interrupted for good.
    pub turn_cpu_max: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions { instances_max: 10_000, memory_bytes_max: 128 << 20, turn_cpu_max: Duration::from_secs(30) }
    }
}

/// The configuration that dohost runs components with.
pub fn config(options: &EngineOptions) -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    config.wasm_exceptions(true);
    config.epoch_interruption(true);
    config.memory_reservation(options.memory_bytes_max as u64);
    config.memory_reservation_for_growth(0);
    config.memory_guard_size(64 << 10);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(options)));
    config
}

fn pooling(options: &EngineOptions) -> PoolingAllocationConfig {
    let instances = options.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(4))
        .total_memories(instances.saturating_mul(2))
        .total_tables(instances.saturating_mul(4))
        // Each instance keeps one, and each event that waits in the middle of a synchronous call holds another.
        .total_stacks(instances.saturating_mul(2).saturating_add(1_000))
        .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(options.memory_bytes_max);
    pool
}

/// The engine: compiles components and makes instances. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) options: Arc<EngineOptions>,
    _ticker: Arc<Ticker>,
}

impl Engine {
    /// Makes the engine and starts the thread that advances its epoch.
    pub fn new(options: EngineOptions) -> Result<Engine, EngineError> {
        let wasmtime = wasmtime::Engine::new(&config(&options)).map_err(|error| EngineError(format!("{error:#}")))?;
        let ticker = Ticker::start(wasmtime.weak()).map_err(|error| EngineError(error.to_string()))?;
        Ok(Engine { wasmtime, options: Arc::new(options), _ticker: Arc::new(ticker) })
    }

    /// The options it was made with.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }
}

/// The engine cannot start on this machine with these options.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the wasm engine: {0}")]
pub struct EngineError(String);

/// Advances the epoch until it is dropped.
struct Ticker {
    stop: Arc<AtomicBool>,
}

impl Ticker {
    fn start(engine: wasmtime::EngineWeak) -> std::io::Result<Ticker> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        std::thread::Builder::new().name("epoch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(EPOCH);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })?;
        Ok(Ticker { stop })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
