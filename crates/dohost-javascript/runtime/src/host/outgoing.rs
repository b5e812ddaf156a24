//! Requests to the network.

use rquickjs::{Array, Ctx, Exception, IntoJs, Result, Value};

use super::{Natives, joined, require_event, split};
use crate::dohost::object::outgoing;
use crate::dohost::object::types::{Request, Response};
use crate::{answer, bytes};

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("fetch", fetch)
}

/// A promise of status, headers and body.
fn fetch<'js>(ctx: Ctx<'js>, method: String, url: String, headers: String, body: Value<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let request = request(method, &url, &headers, &body);
    answer::of(&ctx, outgoing::fetch(request), |ctx, result| match result {
        Ok(reply) => response(ctx, reply),
        Err(error) => {
            let (outgoing::Error::Denied(why)
            | outgoing::Error::Invalid(why)
            | outgoing::Error::TooLarge(why)
            | outgoing::Error::Failed(why)) = error;
            Err(Exception::throw_type(ctx, &why))
        }
    })
}

/// A request of its parts; `url` is one that was parsed before, so it has a scheme and an authority.
pub fn request(method: String, url: &str, headers: &str, body: &Value<'_>) -> Request {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_string())),
        None => (target, None),
    };
    Request {
        method,
        scheme: scheme.to_string(),
        authority: authority.rsplit('@').next().unwrap_or_default().to_string(),
        path: if path.is_empty() { "/".to_string() } else { path.to_string() },
        query,
        headers: split(headers),
        body: bytes::of_body(body).unwrap_or_default(),
    }
}

/// Status, headers and body.
pub fn response<'js>(ctx: &Ctx<'js>, response: Response) -> Result<Value<'js>> {
    let parts = Array::new(ctx.clone())?;
    parts.set(0, response.status)?;
    parts.set(1, joined(response.headers.iter().map(|header| (header.name.as_str(), header.value.as_slice()))))?;
    parts.set(2, bytes::array(ctx, response.body)?)?;
    parts.into_js(ctx)
}
