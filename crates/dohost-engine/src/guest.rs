//! What every guest carries in its wasmtime store, and how long it may run at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::config::{EPOCH, Engine};
use crate::guest_log::GuestLog;
use crate::host::http::HttpHooks;
use crate::imports::{Inside, Outside};

/// Resources (stubs, streams, header lists…) that one guest may hold handles to at once.
const RESOURCES_MAX: usize = 100_000;

/// The state of one guest: the data of its store.
pub(crate) struct GuestState {
    pub inside: Option<Box<dyn Inside>>,
    pub outside: Box<dyn Outside>,
    pub table: ResourceTable,
    limits: StoreLimits,
    slice: Arc<Slice>,
    log_name: Arc<str>,
    /// Made when the guest first uses WASI: most objects never do, and it is larger than all the rest.
    wasi: Option<Box<WasiCtx>>,
    http: WasiHttpCtx,
    hooks: HttpHooks,
}

/// Makes a store for one guest.
pub(crate) fn store(
    engine: &Engine,
    log_name: Arc<str>,
    inside: Option<Box<dyn Inside>>,
    outside: Box<dyn Outside>,
) -> (Store<GuestState>, Arc<Slice>) {
    let slice = Arc::new(Slice::new(engine.options.turn_cpu_max));
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES_MAX);
    let limits = StoreLimitsBuilder::new().memory_size(engine.options.memory_bytes_max).build();
    let state = GuestState {
        inside,
        outside,
        table,
        limits,
        slice: slice.clone(),
        log_name,
        wasi: None,
        http: WasiHttpCtx::new(),
        hooks: HttpHooks,
    };
    let mut store = Store::new(&engine.wasmtime, state);
    store.limiter(|state| &mut state.limits);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| match store.data().slice.tick() {
        Verdict::GoOn => Ok(UpdateDeadline::Continue(1)),
        Verdict::Yield => Ok(UpdateDeadline::Yield(1)),
        Verdict::Stop(max) => Err(wasmtime::Error::from(CpuExceeded(max))),
    });
    (store, slice)
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let log_name = &self.log_name;
        let ctx = self.wasi.get_or_insert_with(|| {
            let mut builder = WasiCtxBuilder::new();
            builder.stdout(GuestLog::stdout(log_name.clone()));
            builder.stderr(GuestLog::stderr(log_name.clone()));
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

/// A turn took more CPU time than it may.
#[derive(Debug, thiserror::Error)]
#[error("a turn ran for more than {} ms of CPU time, the limit of one turn", .0.as_millis())]
pub(crate) struct CpuExceeded(Duration);

/// How long a guest has been running.
///
/// wasmtime asks at every epoch while guest code runs. The answer needs two times: how long ago the executor gave this
/// guest the thread (a guest that just woke up is left alone), and how much the current turn has used in all. Both are
/// kept outside the store because they are written while the store is busy.
///
/// Atomics only because a store must be `Send`; all accesses come from the thread that runs the guest.
pub(crate) struct Slice {
    base: Instant,
    polled_at_ns: AtomicU64,
    turn_ns: AtomicU64,
    preempted: AtomicBool,
    turn_max: Duration,
}

enum Verdict {
    GoOn,
    Yield,
    Stop(Duration),
}

impl Slice {
    fn new(turn_max: Duration) -> Slice {
        Slice {
            base: Instant::now(),
            polled_at_ns: AtomicU64::new(0),
            turn_ns: AtomicU64::new(0),
            preempted: AtomicBool::new(false),
            turn_max,
        }
    }

    fn now_ns(&self) -> u64 {
        self.base.elapsed().as_nanos() as u64
    }

    fn tick(&self) -> Verdict {
        let running_ns = self.now_ns().saturating_sub(self.polled_at_ns.load(Ordering::Relaxed));
        if running_ns < EPOCH.as_nanos() as u64 {
            return Verdict::GoOn;
        }
        let turn_ns = self.turn_ns.load(Ordering::Relaxed) + running_ns;
        self.turn_ns.store(turn_ns, Ordering::Relaxed);
        if turn_ns > self.turn_max.as_nanos() as u64 {
            return Verdict::Stop(self.turn_max);
        }
        self.preempted.store(true, Ordering::Relaxed);
        Verdict::Yield
    }

    /// Polls a future that runs the guest, and says whether its turn is over: it is not when the guest was interrupted in
    /// the middle of one to let others run.
    pub fn poll<T>(&self, cx: &mut Context<'_>, guest: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> (Poll<T>, bool) {
        self.polled_at_ns.store(self.now_ns(), Ordering::Relaxed);
        let poll = guest(cx);
        let preempted = self.preempted.swap(false, Ordering::Relaxed);
        let turn_is_over = !(preempted && poll.is_pending());
        if turn_is_over {
            self.turn_ns.store(0, Ordering::Relaxed);
        }
        (poll, turn_is_over)
    }
}
