//! `dohost:object/transactions`.

use wasmtime::component::{Accessor, Resource};

use super::storage::inside;
use super::{Host, caller, trap};
use crate::bindings::storage::Error;
use crate::bindings::transactions;
use crate::guest::GuestState;
use crate::imports::{OpenTransaction, Step};

type Handle = Resource<OpenTransaction>;

impl transactions::Host for &mut GuestState {}

impl transactions::HostWithStore<GuestState> for Host {
    async fn begin(accessor: &Accessor<GuestState, Self>) -> wasmtime::Result<Result<Handle, Error>> {
        let step = accessor.with(|mut access| {
            let caller = caller(&mut access);
            inside(access.get()).begin_transaction(caller)
        });
        let begun = match step {
            Step::Ready(begun) => begun,
            Step::Wait(begins) => begins.await.map_err(trap)?,
        };
        match begun {
            Ok(transaction) => accessor.with(|mut access| Ok(Ok(access.get().table.push(transaction)?))),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl transactions::HostTransaction for &mut GuestState {
    fn commit(&mut self, transaction: Handle) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.table.get_mut(&transaction)?.0.commit())
    }

    fn rollback(&mut self, transaction: Handle) -> wasmtime::Result<Result<(), Error>> {
        Ok(self.table.get_mut(&transaction)?.0.rollback())
    }

    fn drop(&mut self, transaction: Handle) -> wasmtime::Result<()> {
        self.table.delete(transaction)?.0.dropped();
        Ok(())
    }
}
