//! The network of the simulated host: there is none, as no object of the simulation asks for anything outside.

use dohost_engine::imports::{BoxFuture, OutgoingError, RequestOptions};
use dohost_engine::{Body, BodyError, Request, Response};
use dohost_object::{ObjectId, OutgoingFetch, UpgradedConnection};

/// See the module.
pub struct NoNetwork;

impl OutgoingFetch for NoNetwork {
    fn fetch(&self, _: Option<ObjectId>, _: Request) -> BoxFuture<Result<Response, OutgoingError>> {
        Box::pin(async { Err(OutgoingError::Denied("there is no network".into())) })
    }

    fn send(
        &self,
        _: Option<ObjectId>,
        _: http::Request<Body>,
        _: RequestOptions,
    ) -> BoxFuture<Result<http::Response<Body>, BodyError>> {
        Box::pin(async { Err(BodyError::HttpRequestDenied) })
    }

    fn upgrade(
        &self,
        _: Option<ObjectId>,
        _: Request,
    ) -> BoxFuture<Result<(Response, Option<UpgradedConnection>), OutgoingError>> {
        Box::pin(async { Err(OutgoingError::Denied("there is no network".into())) })
    }
}
