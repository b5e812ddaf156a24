//! The timers of `wasi:clocks/monotonic-clock@0.3`: like every completion of an import, the end of a wait passes the input
//! gate of an object. A Worker has none.

use std::time::Duration;

use wasmtime::component::{Accessor, Linker};
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p3::bindings::clocks::monotonic_clock::Host as MonotonicClock;

use super::caller;
use crate::guest::GuestState;

const MONOTONIC_CLOCK: &str = "wasi:clocks/monotonic-clock@0.3.0";

/// Takes the place of the two functions that wait; the others stay.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut clock = linker.instance(MONOTONIC_CLOCK)?;
    clock.func_wrap_concurrent("wait-for", |accessor: &Accessor<GuestState>, (duration_ns,): (u64,)| {
        Box::pin(async move { wait(accessor, duration_ns).await })
    })?;
    clock.func_wrap_concurrent("wait-until", |accessor: &Accessor<GuestState>, (when_ns,): (u64,)| {
        Box::pin(async move {
            let now_ns = accessor.with(|mut access| access.get().clocks().now())?;
            wait(accessor, when_ns.saturating_sub(now_ns)).await
        })
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

async fn wait(accessor: &Accessor<GuestState>, duration_ns: u64) -> wasmtime::Result<()> {
    if duration_ns > 0 {
        let entered = accessor.with(|mut access| {
            let caller = caller(&mut access);
            access.get().inside.as_ref().map(|inside| inside.enter(caller))
        });
        tokio::time::sleep(Duration::from_nanos(duration_ns)).await;
        if let Some(entered) = entered {
            entered.await;
        }
    }
    Ok(())
}
