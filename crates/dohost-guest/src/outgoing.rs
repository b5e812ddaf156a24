//! Requests to the network.

use crate::bindings::dohost::object::outgoing;
use crate::{Request, Response, Result};

/// Sends a request to the network and waits for the whole reply. Redirects are not followed.
///
/// The request leaves once what the object wrote before is durable. Where it may go is the operator's choice: public
/// addresses only, unless told otherwise.
pub async fn fetch(request: Request) -> Result<Response> {
    Ok(outgoing::fetch(request.into_wire()).await?.into())
}
