//! The engine of the process and its configuration.
//!
//! There is one function that makes a `wasmtime::Config`, and everything (server, tests, conformance) goes through it, so
//! that what is tested is what runs.
//!
//! Instances come from wasmtime's pooling allocator: slots are reserved once and reused, which makes starting an object
//! cheap and bounds what all objects together can take. A slot reserves address space for all that 32 bits can name if all slots
//! together fit into the 47 bits of a process so, and for one memory at its largest if not.
//!
//! The other thing that bounds the number of instances is that of a process's memory mappings (`vm.max_map_count` on Linux,
//! 65,530 unless somebody raised it): each stack takes two, each memory up to four. A process that runs out of mappings cannot
//! even allocate, so the pool is sized to stay below, and what does not fit is refused by the pool.
//!
//! Time is measured in epochs: a thread of its own advances the epoch every [`EPOCH`], and a guest that is running when
//! that happens is asked whether it has had its slice (see `slice.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::code_cache::CodeCache;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

/// How often running guests are looked at. A guest that spins keeps its executor for at most one to two epochs at a time.
pub const EPOCH: Duration = Duration::from_millis(5);

/// Memories that one component may have; adapters and language runtimes bring their own.
const MEMORIES_PER_COMPONENT_MAX: u32 = 4;
/// Core instances that one component may have. JavaScript and Python runtimes are made of many small modules.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 200;
/// Memories that one core module may have, such as one that joins two others.
const MEMORIES_PER_MODULE_MAX: u32 = MEMORIES_PER_COMPONENT_MAX;
/// Tables that one core module may have.
const TABLES_PER_MODULE_MAX: u32 = 10;
/// Tables that one component may have.
const TABLES_PER_COMPONENT_MAX: u32 = 50;
/// Elements of one table.
pub(crate) const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Bytes that functions of a guest may have on its stack. An interpreter in the guest wants to find out itself that a program
/// recurses too deep, and can only see what it takes of the stack in its memory: QuickJS sees a sixteenth where it sees
/// least, in `JSON.stringify`, and stops at 256 KiB. Pages that are not touched cost nothing.
const GUEST_STACK_BYTES: usize = 5 << 20;
/// Bytes of a whole stack, the host's functions included.
const STACK_BYTES: usize = 6 << 20;

/// Mappings of a stack: itself and its guard page.
const MAPS_PER_STACK: u64 = 2;
/// Mappings of a memory: what the module's data fill, what is accessible beyond, what is not, and the one behind.
const MAPS_PER_MEMORY: u64 = 4;
/// Mappings for everything else: tables, code, libraries, the allocator, other threads.
const MAPS_KEPT: u64 = 3_000;
/// Stacks beyond one for each instance: an event that waits in the middle of a synchronous call holds one more.
const STACKS_EXTRA: u32 = 256;
/// What Linux allows where nobody changed it.
const MAPS_MAX_DEFAULT: u64 = 65_530;

/// What can be set about the engine.
#[derive(Clone)]
pub struct EngineOptions {
    /// Instances that can live at once, objects and Workers together.
    pub instances_max: u32,
    /// Memory mappings that this process may have.
    pub maps_max: u64,
    /// Bytes that a linear memory of any instance may have: so much address space is reserved for each. What a guest gets
    /// is in its [`GuestLimits`](crate::GuestLimits).
    pub memory_bytes_max: usize,
    /// Bytes of address space that all memories together may reserve. Too few of them only cost speed.
    pub address_space_max: u64,
    /// Where the code of functions is kept that were compiled before, if it is.
    pub code_cache: Option<CodeCache>,
    /// Whether the epoch advances. If not, a guest that never gives way keeps its thread for ever, and nothing that guests
    /// do depends on the wall clock: for simulations.
    pub has_epochs: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            instances_max: 5_000,
            maps_max: MAPS_MAX_DEFAULT,
            memory_bytes_max: 128 << 20,
            address_space_max: ADDRESS_SPACE_MAX,
            code_cache: None,
            has_epochs: true,
        }
    }
}

/// The configuration that dohost runs components with.
pub fn config(options: &EngineOptions) -> Config {
    let mut config = Config::new();
    config.wasm_component_model(true);
    config.wasm_component_model_async(true);
    config.wasm_exceptions(true);
    config.epoch_interruption(true);
    config.async_stack_size(STACK_BYTES);
    config.max_wasm_stack(GUEST_STACK_BYTES);
    let (reservation, guard) = options.reservation();
    config.memory_reservation(reservation);
    config.memory_reservation_for_growth(0);
    config.memory_guard_size(guard);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(options)));
    config
}

fn pooling(options: &EngineOptions) -> PoolingAllocationConfig {
    let instances = options.instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        // Only counted, nothing is reserved for them: Python is made of 14.
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT_MAX))
        .total_memories(memories(options))
        .total_tables(instances.saturating_mul(4))
        .total_stacks(stacks(instances))
        .max_memories_per_module(MEMORIES_PER_MODULE_MAX)
        .max_tables_per_module(TABLES_PER_MODULE_MAX)
        .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_memory_size(options.memory_bytes_max);
    pool
}

fn stacks(instances: u32) -> u32 {
    instances.saturating_add(STACKS_EXTRA)
}

/// As many as the mappings allow, but no more than two for each instance.
fn memories(options: &EngineOptions) -> u32 {
    let left = options.maps_max.saturating_sub(MAPS_KEPT + MAPS_PER_STACK * u64::from(stacks(options.instances_max)));
    let memories = (left / MAPS_PER_MEMORY).min(u64::from(options.instances_max) * 2);
    u32::try_from(memories).unwrap_or(u32::MAX)
}

impl EngineOptions {
    /// Address space for each memory, and behind it. If there is room for all that a guest can name, its code need not compare each
    /// address with the end of its memory: JavaScript takes a fifth less time so.
    fn reservation(&self) -> (u64, u64) {
        const ALL: (u64, u64) = (4 << 30, 32 << 20);
        let needed = u64::from(memories(self)) * (ALL.0 + ALL.1);
        match needed <= self.address_space_max {
            true => ALL,
            false => (self.memory_bytes_max as u64, 64 << 10),
        }
    }

    /// Instances with one memory each that this many mappings allow.
    pub fn instances_for(maps_max: u64) -> u32 {
        let fixed = MAPS_KEPT + MAPS_PER_STACK * u64::from(STACKS_EXTRA);
        let instances = maps_max.saturating_sub(fixed) / (MAPS_PER_STACK + MAPS_PER_MEMORY);
        u32::try_from(instances).unwrap_or(u32::MAX)
    }

    /// Mappings that `instances_max` instances with one memory each need.
    pub fn maps_needed(&self) -> u64 {
        let stacks = MAPS_PER_STACK * u64::from(stacks(self.instances_max));
        MAPS_KEPT + stacks + MAPS_PER_MEMORY * u64::from(self.instances_max)
    }
}

/// Three quarters of what a process has on the usual machines.
pub const ADDRESS_SPACE_MAX: u64 = 96 << 40;

/// The engine: compiles components and makes instances. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) options: Arc<EngineOptions>,
    _ticker: Option<Arc<Ticker>>,
}

impl Engine {
    /// Makes the engine and, unless told otherwise, starts the thread that advances its epoch.
    pub fn new(options: EngineOptions) -> Result<Engine, EngineError> {
        if options.maps_needed() > options.maps_max {
            return Err(EngineError::TooFewMaps {
                instances: options.instances_max,
                needed: options.maps_needed(),
                maps_max: options.maps_max,
            });
        }
        let refused = |reason: String| EngineError::Refused(reason);
        let mut options = options;
        let wasmtime = match wasmtime_engine(&options) {
            // Some machines, containers above all, have less address space.
            Err(error) if options.reservation().0 > options.memory_bytes_max as u64 => {
                tracing::info!(
                    "guests compare addresses with the end of their memory, as there is too little address space: {error:#}"
                );
                options.address_space_max = 0;
                wasmtime_engine(&options)
            }
            made => made,
        };
        let wasmtime = wasmtime.map_err(|error| refused(format!("{error:#}")))?;
        let ticker = options.has_epochs.then(|| Ticker::start(wasmtime.weak())).transpose();
        let ticker = ticker.map_err(|error| refused(error.to_string()))?.map(Arc::new);
        Ok(Engine { wasmtime, options: Arc::new(options), _ticker: ticker })
    }

    /// The options it was made with.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }
}

fn wasmtime_engine(options: &EngineOptions) -> wasmtime::Result<wasmtime::Engine> {
    let mut config = config(options);
    if let Some(cache) = &options.code_cache {
        config.enable_incremental_compilation(cache.store())?;
    }
    wasmtime::Engine::new(&config)
}

/// The engine cannot start on this machine with these options.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The process may not have as many memory mappings as the instances need.
    #[error("{instances} instances need {needed} memory mappings, a process may have {maps_max} here")]
    TooFewMaps {
        /// Instances that were asked for.
        instances: u32,
        /// Mappings that they need.
        needed: u64,
        /// Mappings that there are.
        maps_max: u64,
    },
    /// Something else, in the words of wasmtime or the system.
    #[error("cannot start the wasm engine: {0}")]
    Refused(String),
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pool_takes_stays_within_the_mappings() {
        for maps_max in [10_000, MAPS_MAX_DEFAULT, 1_000_000, 10_000_000] {
            let instances_max = EngineOptions::instances_for(maps_max);
            let options = EngineOptions { instances_max, maps_max, ..EngineOptions::default() };
            assert!(options.maps_needed() <= maps_max, "{maps_max}");
            assert!(memories(&options) >= instances_max, "{maps_max}");
            let fewer = EngineOptions { instances_max: instances_max / 3, ..options };
            let pool =
                MAPS_PER_MEMORY * u64::from(memories(&fewer)) + MAPS_PER_STACK * u64::from(stacks(instances_max / 3));
            assert!(pool + MAPS_KEPT <= maps_max, "{maps_max}");
        }
    }
}
