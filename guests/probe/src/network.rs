//! `/fetch?url=`: a request to the network.

use crate::dohost::object::outgoing::{self, Error};
use crate::exports::dohost::object::handler::{Request, Response};
use crate::query::Query;
use crate::reply::Failure;

/// Sends on method and body, and replies what came back.
pub async fn fetch(request: &Request, query: &Query) -> Result<Response, Failure> {
    let url = query.text("url")?;
    let (scheme, rest) = url.split_once("://").ok_or_else(|| Failure::of_probe("url has no scheme"))?;
    let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_string())),
        None => (target, None),
    };
    let sent = Request {
        method: request.method.clone(),
        scheme: scheme.to_string(),
        authority: authority.to_string(),
        path: if path.is_empty() { "/".to_string() } else { path.to_string() },
        query,
        headers: Vec::new(),
        body: request.body.clone(),
    };
    Ok(outgoing::fetch(sent).await?)
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (case, text) = match error {
            Error::Denied(text) => ("denied", text),
            Error::Invalid(text) => ("invalid", text),
            Error::TooLarge(text) => ("too-large", text),
            Error::Failed(text) => ("failed", text),
        };
        Self::Refused { case, text }
    }
}
