//! `dohost:object/mixed-handler`: requests and replies whose bodies are whole or streams.

use wasmtime::component::{
    Access, Component, ComponentExportIndex, ComponentType, InstancePre, Lift, Lower, Resource, TypedFunc,
};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p3::{Request as HttpRequest, Response as HttpResponse};

use crate::bindings::types::{Request, Response};
use crate::component::find_export;
use crate::config::Engine;
use crate::event::{Body, Output};
use crate::guest::GuestState;

/// What an object exports that takes both.
pub(crate) const MIXED_HANDLER: &str = "dohost:object/mixed-handler@0.1.0";

/// A request that is there as a whole, or comes as it is sent; or so a reply.
#[derive(Debug)]
pub enum Mixed<W, S> {
    /// As a record.
    Whole(W),
    /// Its body is a stream.
    Streamed(S),
}

/// A request of either kind.
pub type MixedRequest = Mixed<Request, http::Request<Body>>;
/// A reply of either kind.
pub type MixedResponse = Mixed<Response, http::Response<Body>>;

/// `mixed-request`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum GuestRequest {
    #[component(name = "whole")]
    Whole(Request),
    #[component(name = "streamed")]
    Streamed(Resource<HttpRequest>),
}

/// `mixed-response`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum GuestResponse {
    #[component(name = "whole")]
    Whole(Response),
    #[component(name = "streamed")]
    Streamed(Resource<HttpResponse>),
}

pub(crate) type Fetch = TypedFunc<(GuestRequest,), (Result<GuestResponse, String>,)>;

/// The handler of a component, if it has this one.
pub(crate) fn find(
    engine: &Engine,
    component: &Component,
    pre: &InstancePre<GuestState>,
) -> Result<Option<ComponentExportIndex>, String> {
    find_export::<(GuestRequest,), (Result<GuestResponse, String>,)>(engine, component, pre, MIXED_HANDLER, "fetch")
}

/// What the guest is given.
pub(crate) fn give(access: &mut Access<'_, GuestState>, request: MixedRequest) -> wasmtime::Result<GuestRequest> {
    Ok(match request {
        Mixed::Whole(request) => GuestRequest::Whole(request),
        Mixed::Streamed(request) => {
            let state = access.get();
            let (request, _) = HttpRequest::from_http(state.http().hooks, request);
            GuestRequest::Streamed(state.table.push(request)?)
        }
    })
}

/// What the guest gave.
pub(crate) fn take(access: &mut Access<'_, GuestState>, reply: GuestResponse) -> wasmtime::Result<Output> {
    Ok(match reply {
        GuestResponse::Whole(response) => Output::Response(response),
        GuestResponse::Streamed(response) => {
            let response = access.get().table.delete(response)?;
            Output::Http(response.into_http(access, async { Ok(()) })?)
        }
    })
}
