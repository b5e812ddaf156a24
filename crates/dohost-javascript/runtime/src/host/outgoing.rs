//! Requests to the network.

use rquickjs::{Ctx, Exception, Result, Value};

use super::{Natives, require_event};
use crate::dohost::object::mixed::MixedResponse;
use crate::dohost::object::outgoing;
use crate::{answer, bytes, http};

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("fetch", fetch)
}

/// A promise of status, headers and body.
fn fetch<'js>(ctx: Ctx<'js>, method: String, url: String, headers: String, body: Value<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let request = http::record(method, &url, &headers, bytes::of_body(&body).unwrap_or_default());
    answer::of(&ctx, outgoing::fetch(request), |ctx, result| match result {
        Ok(reply) => http::received(ctx, MixedResponse::Whole(reply)),
        Err(error) => {
            let (outgoing::Error::Denied(why)
            | outgoing::Error::Invalid(why)
            | outgoing::Error::TooLarge(why)
            | outgoing::Error::Failed(why)) = error;
            Err(Exception::throw_type(ctx, &why))
        }
    })
}

/// Parts of a URL that was parsed before, so it has a scheme and an authority.
pub struct UrlParts<'a> {
    pub scheme: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
}

pub fn url_parts(url: &str) -> UrlParts<'_> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let authority = authority.rsplit('@').next().unwrap_or_default();
    UrlParts { scheme, authority, path: if path.is_empty() { "/" } else { path }, query }
}
