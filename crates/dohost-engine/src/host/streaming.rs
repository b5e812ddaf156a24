//! `dohost:object/streaming`.

use wasmtime::component::{Accessor, Linker, Resource};
use wasmtime_wasi_http::p3::{Request, Response};

use super::http::{into_http, keep_response};
use super::{caller, trap};
use crate::bindings::namespace::CallError;
use crate::guest::GuestState;
use crate::imports::Stub;

const STREAMING: &str = "dohost:object/streaming@0.1.0";

/// Written by hand: the generated traits would bring a second set of the types of `wasi:http`.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let mut streaming = linker.instance(STREAMING)?;
    streaming.func_wrap_concurrent("fetch", |accessor, (stub, request): (Resource<Stub>, Resource<Request>)| {
        Box::pin(async move { Ok((fetch(accessor, stub, request).await?,)) })
    })
}

async fn fetch(
    accessor: &Accessor<GuestState>,
    stub: Resource<Stub>,
    request: Resource<Request>,
) -> wasmtime::Result<Result<Resource<Response>, CallError>> {
    let calling = accessor.with(|mut access| {
        let caller = caller(&mut access);
        let request = access.get().table.delete(request)?;
        wasmtime::error::Ok(match into_http(request, &mut access) {
            Ok((request, _)) => Ok(access.get().table.get(&stub)?.0.fetch_streamed(caller, request)),
            Err(code) => Err(CallError {
                message: format!("not a request: {code:?}"),
                remote: false,
                retryable: false,
                overloaded: false,
            }),
        })
    })?;
    let reply = match calling {
        Ok(calling) => calling.await.map_err(trap)?,
        Err(error) => return Ok(Err(error)),
    };
    match reply {
        Ok(response) => accessor.with(|mut access| Ok(Ok(keep_response(&mut access, response)?))),
        Err(error) => Ok(Err(error)),
    }
}
