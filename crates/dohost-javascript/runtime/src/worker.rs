//! The export of a Worker: requests and responses of `wasi:http`, with streamed bodies.

use crate::engine::Hook;
use crate::exports::wasi::http::handler::Guest;
use crate::http::{Incoming, Reply};
use crate::wasi::http::types::{ErrorCode, Request, Response};
use crate::{Runtime, answer};

impl Guest for Runtime {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let request = Incoming::of_stream(request);
        let reply = answer::wait(move |ctx| request.hand_to(ctx, Hook::worker), |_, value| Reply::of(&value));
        reply.await.streamed()
    }
}
