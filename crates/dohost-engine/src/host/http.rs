//! Requests that a Worker sends through `wasi:http`.

use std::future::Future;

use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

type IoResult = Box<dyn Future<Output = Result<(), Error>> + Send>;

/// Decides what `wasi:http` may do. Outgoing requests of this interface are refused; `dohost:object/outgoing` sends them.
pub(crate) struct HttpHooks;

impl WasiHttpHooks for HttpHooks {
    fn send_request(
        &mut self,
        _: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: IoResult,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, IoResult), Error>> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
