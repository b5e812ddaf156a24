//! `dohost:object/mixed`.

use wasmtime::component::{Accessor, Linker, Resource};

use super::http::{into_http, keep_response};
use super::{caller, trap};
use crate::bindings::namespace::CallError;
use crate::guest::GuestState;
use crate::imports::Stub;
use crate::mixed::{GuestRequest, GuestResponse, Mixed};

const MIXED: &str = "dohost:object/mixed@0.1.0";

/// Written by hand, like `streaming`.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    let mut mixed = linker.instance(MIXED)?;
    mixed.func_wrap_concurrent("fetch", |accessor, (stub, request): (Resource<Stub>, GuestRequest)| {
        Box::pin(async move { Ok((fetch(accessor, stub, request).await?,)) })
    })
}

async fn fetch(
    accessor: &Accessor<GuestState>,
    stub: Resource<Stub>,
    request: GuestRequest,
) -> wasmtime::Result<Result<GuestResponse, CallError>> {
    let calling = accessor.with(|mut access| {
        let caller = caller(&mut access);
        let request = match request {
            GuestRequest::Whole(request) => Mixed::Whole(request),
            GuestRequest::Streamed(request) => {
                let request = access.get().table.delete(request)?;
                match into_http(request, &mut access) {
                    Ok((request, _)) => Mixed::Streamed(request),
                    Err(code) => {
                        return Ok(Err(CallError {
                            message: format!("not a request: {code:?}"),
                            remote: false,
                            retryable: false,
                            overloaded: false,
                        }));
                    }
                }
            }
        };
        wasmtime::error::Ok(Ok(access.get().table.get(&stub)?.0.fetch_mixed(caller, request)))
    })?;
    let reply = match calling {
        Ok(calling) => calling.await.map_err(trap)?,
        Err(error) => return Ok(Err(error)),
    };
    Ok(match reply {
        Ok(Mixed::Whole(response)) => Ok(GuestResponse::Whole(response)),
        Ok(Mixed::Streamed(response)) => {
            Ok(GuestResponse::Streamed(accessor.with(|mut access| keep_response(&mut access, response))?))
        }
        Err(error) => Err(error),
    })
}
