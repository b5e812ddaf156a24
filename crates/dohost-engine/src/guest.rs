//! What every guest carries in its wasmtime store.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::config::{Engine, TABLE_ELEMENTS_MAX};
use crate::guest_log::GuestLog;
use crate::host::http::HttpHooks;
use crate::imports::{Inside, Outside};
use crate::slice::{Slice, Verdict};
use crate::variables::Variables;

/// What one guest may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestLimits {
    /// Bytes that the linear memories of one instance may have together, at most [`EngineOptions::memory_bytes_max`]. A guest
    /// that asks for more sees its `memory.grow` fail.
    ///
    /// [`EngineOptions::memory_bytes_max`]: crate::EngineOptions::memory_bytes_max
    pub memory_bytes_max: usize,
    /// How long one turn may have the thread before the guest is interrupted for good.
    pub turn_cpu_max: Duration,
    /// Resources (stubs, streams, header lists…) that the guest may hold handles to at once. Over it, it traps.
    pub handles_max: usize,
}

impl Default for GuestLimits {
    fn default() -> GuestLimits {
        GuestLimits { memory_bytes_max: 128 << 20, turn_cpu_max: Duration::from_secs(30), handles_max: 100_000 }
    }
}

/// The state of one guest: the data of its store.
pub(crate) struct GuestState {
    pub inside: Option<Box<dyn Inside>>,
    pub outside: Arc<dyn Outside>,
    pub table: ResourceTable,
    memory: MemoryLimit,
    pub slice: Arc<Slice>,
    log_name: Arc<str>,
    variables: Variables,
    /// Made when the guest first uses WASI: most objects never do, and it is larger than all the rest.
    wasi: Option<Box<WasiCtx>>,
    http: WasiHttpCtx,
    hooks: HttpHooks,
}

/// Makes a store for one guest.
pub(crate) fn store(
    engine: &Engine,
    log_name: Arc<str>,
    limits: &GuestLimits,
    variables: Variables,
    inside: Option<Box<dyn Inside>>,
    outside: Box<dyn Outside>,
) -> (Store<GuestState>, Arc<Slice>) {
    let slice = Arc::new(Slice::new(limits.turn_cpu_max));
    let outside: Arc<dyn Outside> = outside.into();
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits.handles_max);
    let is_of_object = inside.is_some();
    let state = GuestState {
        inside,
        outside: outside.clone(),
        table,
        memory: MemoryLimit { bytes: 0, bytes_max: limits.memory_bytes_max },
        slice: slice.clone(),
        log_name,
        variables,
        wasi: None,
        http: WasiHttpCtx::new(),
        hooks: HttpHooks { outside, is_of_object },
    };
    let mut store = Store::new(&engine.wasmtime, state);
    store.limiter(|state| &mut state.memory);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| match store.data().slice.tick() {
        Verdict::GoOn => Ok(UpdateDeadline::Continue(1)),
        // The runtime's own way of giving way, see `Wakes::end`.
        Verdict::Yield => Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))),
        Verdict::Stop(max) => Err(wasmtime::Error::from(CpuExceeded(max))),
    });
    (store, slice)
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let (log_name, variables) = (&self.log_name, &self.variables);
        let ctx = self.wasi.get_or_insert_with(|| {
            let mut builder = WasiCtxBuilder::new();
            builder.stdout(GuestLog::stdout(log_name.clone()));
            builder.stderr(GuestLog::stderr(log_name.clone()));
            builder.envs(variables.pairs());
            builder.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
            Box::new(builder.build())
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

/// All memories of a guest together stay within one limit.
struct MemoryLimit {
    bytes: usize,
    bytes_max: usize,
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let bytes = self.bytes + desired.saturating_sub(current);
        let fits = bytes <= self.bytes_max;
        if fits {
            self.bytes = bytes;
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }
}

/// A turn took more CPU time than it may.
#[derive(Debug, thiserror::Error)]
#[error("it ran for more than {} ms without waiting for anything, the limit turn-cpu", .0.as_millis())]
pub(crate) struct CpuExceeded(Duration);
