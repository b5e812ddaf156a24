//! The functions that guests import: one file for each WIT interface.
//!
//! Each takes what it needs out of the store, waits outside of it, and never holds it across an await. What the functions
//! do is behind the traits of [`crate::imports`].

mod alarms;
mod bodies;
mod clients;
mod concurrency;
mod dynamic_calls;
pub(crate) mod http;
pub(crate) mod http_errors;
mod mixed;
mod namespace;
mod outgoing;
mod state;
mod storage;
mod streaming;
mod timers;
mod transactions;
mod websockets;

use wasmtime::AsContextMut;
use wasmtime::component::{Access, Accessor, HasData, HasSelf, Linker, Resource};

use crate::bindings;
use crate::config::Engine;
use crate::guest::GuestState;
use crate::imports::{Caller, Fatal, Inside, Step, TaskId};

/// Names our implementations of the generated traits.
pub(crate) struct Host;

impl HasData for Host {
    type Data<'a> = &'a mut GuestState;
}

pub(crate) use clients::add_to_linker as add_clients;

/// Everything that a guest may import, be it an object or a Worker.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<GuestState>> {
    let mut linker = Linker::new(&engine.wasmtime);
    add_wasi(&mut linker)?;
    timers::add_to_linker(&mut linker)?;
    http::add_to_linker(&mut linker)?;
    bindings::types::add_to_linker::<_, HasSelf<GuestState>>(&mut linker, |state| state)?;
    bindings::namespace::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    dynamic_calls::add_to_linker(&mut linker)?;
    streaming::add_to_linker(&mut linker)?;
    mixed::add_to_linker(&mut linker)?;
    bindings::outgoing::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    bindings::storage::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    bindings::alarms::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    bindings::websockets::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    bindings::transactions::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    bindings::concurrency::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    bindings::state::add_to_linker::<_, Host>(&mut linker, |state| state)?;
    Ok(linker)
}

/// WASI 0.2 and 0.3. Clocks and random numbers are real, output goes to the log; there are no files and no sockets.
fn add_wasi(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    wasmtime_wasi::p3::add_to_linker(linker)
}

/// A Worker called what only an object has.
#[derive(Debug, thiserror::Error)]
#[error("dohost:object/{0} is for objects; this instance is a Worker")]
pub(crate) struct NotAnObject(&'static str);

/// What an object has of its own; `interface` is the one that asks for it.
fn inside<'a>(state: &'a GuestState, interface: &'static str) -> wasmtime::Result<&'a dyn Inside> {
    state.inside.as_deref().ok_or_else(|| wasmtime::Error::from(NotAnObject(interface)))
}

impl bindings::types::Host for GuestState {}

/// Asks the import for its answer and waits for it, if it has to, without holding the store.
async fn answer<R>(
    accessor: &Accessor<GuestState, Host>,
    ask: impl FnOnce(&mut GuestState) -> wasmtime::Result<Step<R>>,
) -> wasmtime::Result<R> {
    match accessor.with(|mut access| ask(access.get()))? {
        Step::Ready(answer) => Ok(answer),
        Step::Wait(future) => future.await.map_err(trap),
    }
}

/// The same for an import that wants to know which task calls it.
async fn answer_to<R>(
    accessor: &Accessor<GuestState, Host>,
    ask: impl FnOnce(&mut GuestState, Caller) -> wasmtime::Result<Step<R>>,
) -> wasmtime::Result<R> {
    let step = accessor.with(|mut access| {
        let caller = caller(&mut access);
        ask(access.get(), caller)
    })?;
    match step {
        Step::Ready(answer) => Ok(answer),
        Step::Wait(future) => future.await.map_err(trap),
    }
}

/// Gives the guest a handle to what an import opened.
fn keep<T: Send + 'static, E>(
    accessor: &Accessor<GuestState, Host>,
    opened: Result<T, E>,
) -> wasmtime::Result<Result<Resource<T>, E>> {
    match opened {
        Ok(opened) => accessor.with(|mut access| Ok(Ok(access.get().table.push(opened)?))),
        Err(error) => Ok(Err(error)),
    }
}

/// Which task of the guest calls this import. To be asked before the import waits for the first time: later the guest is
/// somewhere else.
fn caller<D: HasData + ?Sized>(access: &mut Access<'_, GuestState, D>) -> Caller {
    let mut store = access.as_context_mut();
    // The last one is the export that the host called.
    store.async_call_stack().ok()?.last().map(TaskId)
}

fn trap(fatal: Fatal) -> wasmtime::Error {
    wasmtime::Error::from(fatal)
}
