//! `dohost:object/concurrency`.

use wasmtime::component::{Accessor, Resource};

use super::storage::inside;
use super::{Host, caller, trap};
use crate::bindings::concurrency::{self, Error};
use crate::guest::GuestState;
use crate::imports::{OpenSection, Step};

type Handle = Resource<OpenSection>;

impl concurrency::Host for &mut GuestState {}

impl concurrency::HostWithStore<GuestState> for Host {
    async fn block_concurrency(accessor: &Accessor<GuestState, Self>) -> wasmtime::Result<Result<Handle, Error>> {
        let step = accessor.with(|mut access| {
            let caller = caller(&mut access);
            inside(access.get()).block_concurrency(caller)
        });
        let begun = match step {
            Step::Ready(begun) => begun,
            Step::Wait(begins) => begins.await.map_err(trap)?,
        };
        match begun {
            Ok(section) => accessor.with(|mut access| Ok(Ok(access.get().table.push(section)?))),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl concurrency::HostCriticalSection for &mut GuestState {
    fn end(&mut self, section: Handle) -> wasmtime::Result<()> {
        self.table.get_mut(&section)?.0.end().map_err(trap)
    }

    fn drop(&mut self, section: Handle) -> wasmtime::Result<()> {
        self.table.delete(section)?.0.dropped().map_err(trap)
    }
}
