//! `dohost:object/outgoing`.

use wasmtime::component::Accessor;

use super::{Host, caller, trap};
use crate::bindings::outgoing::{self, Error};
use crate::bindings::types::{Request, Response};
use crate::guest::GuestState;

impl outgoing::Host for &mut GuestState {}

impl outgoing::HostWithStore<GuestState> for Host {
    async fn fetch(
        accessor: &Accessor<GuestState, Self>,
        request: Request,
    ) -> wasmtime::Result<Result<Response, Error>> {
        let reply = accessor.with(|mut access| {
            let caller = caller(&mut access);
            access.get().outside.fetch(caller, request)
        });
        reply.await.map_err(trap)
    }
}
