//! `dohost:object/namespace`.

use wasmtime::component::{Accessor, Resource};

use super::{Host, caller, trap};
use crate::bindings::namespace::{self, CallError, Error};
use crate::bindings::types::{Request, Response};
use crate::guest::GuestState;
use crate::imports::Stub;

impl namespace::Host for &mut GuestState {
    fn bindings(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.outside.bindings())
    }

    fn id_from_name(&mut self, class: String, name: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(self.outside.id_from_name(&class, &name))
    }

    fn id_from_string(&mut self, class: String, id: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(self.outside.id_from_string(&class, &id))
    }

    fn new_unique_id(&mut self, class: String) -> wasmtime::Result<Result<String, Error>> {
        Ok(self.outside.new_unique_id(&class))
    }

    fn get(&mut self, class: String, id: String) -> wasmtime::Result<Result<Resource<Stub>, Error>> {
        let stub = self.outside.stub(&class, &id);
        self.keep(stub)
    }

    fn get_by_name(&mut self, class: String, name: String) -> wasmtime::Result<Result<Resource<Stub>, Error>> {
        let stub = self.outside.stub_by_name(&class, &name);
        self.keep(stub)
    }
}

impl GuestState {
    fn keep(&mut self, stub: Result<Stub, Error>) -> wasmtime::Result<Result<Resource<Stub>, Error>> {
        match stub {
            Ok(stub) => Ok(Ok(self.table.push(stub)?)),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl namespace::HostStub for &mut GuestState {
    fn id(&mut self, stub: Resource<Stub>) -> wasmtime::Result<String> {
        Ok(self.table.get(&stub)?.0.id())
    }

    fn name(&mut self, stub: Resource<Stub>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&stub)?.0.name())
    }

    fn drop(&mut self, stub: Resource<Stub>) -> wasmtime::Result<()> {
        self.table.delete(stub)?;
        Ok(())
    }
}

impl namespace::HostStubWithStore<GuestState> for Host {
    async fn fetch(
        accessor: &Accessor<GuestState, Self>,
        stub: Resource<Stub>,
        request: Request,
    ) -> wasmtime::Result<Result<Response, CallError>> {
        let reply = accessor.with(|mut access| {
            let caller = caller(&mut access);
            wasmtime::error::Ok(access.get().table.get(&stub)?.0.fetch(caller, request))
        })?;
        reply.await.map_err(trap)
    }

    async fn call(
        accessor: &Accessor<GuestState, Self>,
        stub: Resource<Stub>,
        method: String,
        arguments: String,
    ) -> wasmtime::Result<Result<String, CallError>> {
        let reply = accessor.with(|mut access| {
            let caller = caller(&mut access);
            wasmtime::error::Ok(access.get().table.get(&stub)?.0.call(caller, &method, &arguments))
        })?;
        reply.await.map_err(trap)
    }
}
