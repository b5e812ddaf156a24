//! `dohost:object/dynamic-calls`.

use wasmtime::StoreContextMut;
use wasmtime::component::{Accessor, ComponentType, Lift, Linker, Lower, Resource};

use super::{caller, trap};
use crate::bindings::namespace::CallError;
use crate::guest::GuestState;
use crate::imports::Stub;

const DYNAMIC_CALLS: &str = "dohost:object/dynamic-calls@0.1.0";

/// What methods a class has.
#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
enum Kind {
    #[component(name = "typed")]
    Typed,
    #[component(name = "dynamic")]
    Dynamic,
}

/// Written by hand, as are the types of [`crate::dynamic`].
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let mut instance = linker.instance(DYNAMIC_CALLS)?;
    instance.func_wrap("kind", |store: StoreContextMut<'_, GuestState>, (stub,): (Resource<Stub>,)| {
        let is_dynamic = store.data().table.get(&stub)?.0.is_dynamic();
        Ok((if is_dynamic { Kind::Dynamic } else { Kind::Typed },))
    })?;
    instance.func_wrap_concurrent("call", |accessor, (stub, method, arguments): (Resource<Stub>, String, Vec<u8>)| {
        Box::pin(async move { Ok((call(accessor, stub, &method, arguments).await?,)) })
    })
}

async fn call(
    accessor: &Accessor<GuestState>,
    stub: Resource<Stub>,
    method: &str,
    arguments: Vec<u8>,
) -> wasmtime::Result<Result<Vec<u8>, CallError>> {
    let reply = accessor.with(|mut access| {
        let caller = caller(&mut access);
        wasmtime::error::Ok(access.get().table.get(&stub)?.0.call_dynamic(caller, method, arguments))
    })?;
    reply.await.map_err(trap)
}
