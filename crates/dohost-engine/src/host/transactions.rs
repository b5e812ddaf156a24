//! `dohost:object/transactions`.

use wasmtime::component::{Accessor, Resource};

use super::{Host, answer_to, inside, keep};
use crate::bindings::storage::Error;
use crate::bindings::transactions;
use crate::guest::GuestState;
use crate::imports::OpenTransaction;

type Handle = Resource<OpenTransaction>;

impl transactions::Host for &mut GuestState {}

impl transactions::HostWithStore<GuestState> for Host {
    async fn begin(accessor: &Accessor<GuestState, Self>) -> wasmtime::Result<Result<Handle, Error>> {
        let opened =
            answer_to(accessor, |state, caller| Ok(inside(state, "transactions")?.begin_transaction(caller))).await?;
        keep(accessor, opened)
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
