//! `dohost:object/concurrency`.

use wasmtime::component::{Accessor, Resource};

use super::{Host, answer_to, inside, keep, trap};
use crate::bindings::concurrency::{self, Error};
use crate::guest::GuestState;
use crate::imports::OpenSection;

type Handle = Resource<OpenSection>;

impl concurrency::Host for &mut GuestState {}

impl concurrency::HostWithStore<GuestState> for Host {
    async fn block_concurrency(accessor: &Accessor<GuestState, Self>) -> wasmtime::Result<Result<Handle, Error>> {
        let opened =
            answer_to(accessor, |state, caller| Ok(inside(state, "concurrency")?.block_concurrency(caller))).await?;
        keep(accessor, opened)
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
