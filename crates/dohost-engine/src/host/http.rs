//! `wasi:http`, 0.2 and 0.3.
//!
//! Types and headers are wasmtime's own. The functions of 0.3 through which bodies pass take the place of wasmtime's: ours
//! know the gates of the object (`bodies.rs`). Requests to the network go where those of `dohost:object/outgoing` go.

use std::future::Future;
use std::sync::Arc;

use http::HeaderName;
use http::uri::{Authority, PathAndQuery, Scheme};
use wasmtime::component::{Access, Accessor, FutureReader, Linker, Resource, StreamReader};
use wasmtime::{AsContextMut, StoreContextMut};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{MaybeMutable, Request, Response};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, FieldMap, RequestOptions, WasiBody, WasiHttpHooks, WasiHttpView,
};

use super::bodies::{self, CHUNK_BYTES_MAX, Passage, Received, Trailers};
use super::http_errors::error_code;
use super::{caller, trap};
use crate::guest::GuestState;
use crate::imports::{Caller, Outside, TaskId};

const TYPES: &str = "wasi:http/types@0.3.0";
const CLIENT: &str = "wasi:http/client@0.3.0";

/// What a request says that was made without a host.
const DEFAULT_AUTHORITY: &str = "localhost";

/// Both versions, for objects and Workers alike.
pub(super) fn add_to_linker(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    wasmtime_wasi_http::p3::add_to_linker(linker)?;
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("[static]request.new", new_request)?;
    types.func_wrap("[static]response.new", new_response)?;
    types.func_wrap(
        "[static]request.consume-body",
        |mut store, (request, received): (Resource<Request>, Received03)| {
            let request = store.data_mut().table.delete(request)?;
            let (request, _) = match into_http(request, &mut store) {
                Ok(request) => request,
                Err(code) => return Err(code.into()),
            };
            consume(store, request.into_body(), received)
        },
    )?;
    types.func_wrap(
        "[static]response.consume-body",
        |mut store, (response, received): (Resource<Response>, Received03)| {
            let mut response = store.data_mut().table.delete(response)?;
            // Whoever sent it was held to the length that it says. A reply to HEAD says one, and has no body.
            let state = store.data_mut();
            response.headers = FieldMap::new_immutable(state.http().hooks, http::HeaderMap::new());
            let response = response.into_http(&mut store, async { Ok(()) })?;
            consume(store, response.into_body(), received)
        },
    )?;
    let mut client = linker.instance(CLIENT)?;
    client.func_wrap_concurrent("send", |accessor, (request,): (Resource<Request>,)| {
        Box::pin(async move { Ok((send(accessor, request).await?,)) })
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

type Trailers03 = FutureReader<Trailers>;
type Received03 = FutureReader<Received>;
type Options = Option<Resource<MaybeMutable<RequestOptions>>>;

fn new_request(
    mut store: StoreContextMut<'_, GuestState>,
    (headers, contents, trailers, options): (Resource<FieldMap>, Option<StreamReader<u8>>, Trailers03, Options),
) -> wasmtime::Result<((Resource<Request>, Received03),)> {
    let passage = passage(&mut store);
    let (body, received) = bodies::take(store.as_context_mut(), passage, contents, trailers)?;
    let table = &mut store.data_mut().table;
    let headers = table.delete(headers)?;
    let options = options.map(|options| table.delete(options)).transpose()?.map(MaybeMutable::into_arc);
    let (request, _) = Request::new(http::Method::GET, None, None, None, headers, options, body);
    Ok(((table.push(request)?, received),))
}

fn new_response(
    mut store: StoreContextMut<'_, GuestState>,
    (headers, contents, trailers): (Resource<FieldMap>, Option<StreamReader<u8>>, Trailers03),
) -> wasmtime::Result<((Resource<Response>, Received03),)> {
    let passage = passage(&mut store);
    let (body, received) = bodies::take(store.as_context_mut(), passage, contents, trailers)?;
    let state = store.data_mut();
    let headers = state.table.delete(headers)?;
    let (mut response, _) = Response::from_http(state.http().hooks, http::Response::new(body));
    response.headers = headers;
    Ok(((state.table.push(response)?, received),))
}

fn consume(
    mut store: StoreContextMut<'_, GuestState>,
    body: WasiBody,
    mut received: Received03,
) -> wasmtime::Result<((StreamReader<u8>, Trailers03),)> {
    // Nobody waits for what the guest makes of it.
    received.close(&mut store)?;
    let passage = passage(&mut store);
    Ok((bodies::give(store, passage, body)?,))
}

fn passage(store: &mut StoreContextMut<'_, GuestState>) -> Passage {
    let caller: Caller = store.async_call_stack().ok().and_then(|stack| stack.last().map(TaskId));
    Passage { gates: store.data().inside.as_ref().map(|inside| inside.gates()), caller }
}

/// A request with what a URL must have, and the options that its maker set.
pub(super) fn into_http(
    mut request: Request,
    store: impl AsContextMut<Data = GuestState>,
) -> wasmtime::Result<(http::Request<WasiBody>, Option<RequestOptions>), ErrorCode> {
    request.scheme.get_or_insert(Scheme::HTTP);
    request.authority.get_or_insert(Authority::from_static(DEFAULT_AUTHORITY));
    request.path_with_query.get_or_insert(PathAndQuery::from_static("/"));
    match request.into_http(store, async { Ok(()) }) {
        Ok((request, options)) => Ok((request, options.as_deref().copied())),
        Err(error) => {
            Err(error.downcast().unwrap_or_else(|error| ErrorCode::InternalError(Some(format!("{error:#}")))))
        }
    }
}

/// Sends a request to the network.
async fn send(
    accessor: &Accessor<GuestState>,
    request: Resource<Request>,
) -> wasmtime::Result<Result<Resource<Response>, ErrorCode>> {
    let sending = accessor.with(|mut access| {
        let caller = caller(&mut access);
        let mut request: Request = access.get().table.delete(request)?;
        if request.authority.is_none() {
            return Ok(Err(ErrorCode::HttpRequestUriInvalid));
        }
        request.scheme.get_or_insert(Scheme::HTTPS);
        let request = into_http(request, &mut access);
        wasmtime::error::Ok(
            request.map(|(request, options)| access.get().outside.send(caller, request, options.unwrap_or_default())),
        )
    })?;
    let reply = match sending {
        Ok(sending) => sending.await.map_err(trap)?,
        Err(code) => return Ok(Err(code)),
    };
    match reply {
        Ok(response) => accessor.with(|mut access| Ok(Ok(keep_response(&mut access, response)?))),
        Err(error) => Ok(Err(error_code(&error))),
    }
}

/// Gives the guest a handle to a response.
pub(super) fn keep_response(
    access: &mut Access<'_, GuestState>,
    response: http::Response<WasiBody>,
) -> wasmtime::Result<Resource<Response>> {
    let state = access.get();
    let (response, _) = Response::from_http(state.http().hooks, response);
    Ok(state.table.push(response)?)
}

type IoResult = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, IoResult), Error>;

/// What wasmtime's part of `wasi:http` asks us.
pub(crate) struct HttpHooks {
    pub outside: Arc<dyn Outside>,
    /// The guest is an object.
    pub is_of_object: bool,
}

impl WasiHttpHooks for HttpHooks {
    /// A request of `wasi:http/outgoing-handler@0.2`, of a Worker: bodies of 0.2 know no gates, and it is not told which event
    /// sends it.
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: IoResult,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        if self.is_of_object {
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        let reply = self.outside.send(None, request, options.unwrap_or_default());
        Box::new(async move {
            match reply.await {
                Ok(reply) => Ok((reply?, Box::new(async { Ok(()) }) as IoResult)),
                // The object is on its way down, and must not see why.
                Err(_) => std::future::pending().await,
            }
        })
    }

    /// A guest may see and say that a message is about a websocket. Who sends a message takes this header away all the same.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        *name != http::header::UPGRADE && DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    /// The host header is part of what the guest was given or made, and of what the client of the network sets.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }
}
