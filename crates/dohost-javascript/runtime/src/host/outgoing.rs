//! Requests to the network.

use rquickjs::{Ctx, Exception, Result, Value};

use super::{Natives, require_event};
use crate::dohost::object::mixed::MixedResponse;
use crate::wasi::http::client;
use crate::wasi::http::types::ErrorCode;
use crate::{answer, http};

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("fetch", fetch)
}

/// A promise of status, headers, and the number of a body.
fn fetch<'js>(ctx: Ctx<'js>, method: String, url: String, headers: String, body: Value<'js>) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let request = http::streamed_request(method, &url, &headers, &body)?;
    let request = request.map_err(|why| Exception::throw_type(&ctx, &why))?;
    let sent = async move { client::send(request).await.map_err(|error| in_words(&error, &url)) };
    answer::of(&ctx, sent, |ctx, result| match result {
        Ok(reply) => http::received(ctx, MixedResponse::Streamed(reply)),
        Err(why) => Err(Exception::throw_type(ctx, &why)),
    })
}

fn in_words(error: &ErrorCode, url: &str) -> String {
    let host = url_parts(url).authority;
    match error {
        ErrorCode::HttpRequestDenied => {
            format!("{host} is not among the allowed destinations, --allow-outgoing or [outgoing]")
        }
        ErrorCode::DestinationIpProhibited => {
            format!("{host} is a private address, which --allow-outgoing or [outgoing] would have to name")
        }
        ErrorCode::DnsError(_) => format!("{host} is not known to the name server"),
        ErrorCode::ConnectionRefused => format!("{host} refuses the connection"),
        ErrorCode::ConnectionTimeout | ErrorCode::HttpResponseTimeout => format!("{host} does not answer in time"),
        ErrorCode::InternalError(Some(text)) => format!("the request to {host} failed: {text}"),
        other => format!("the request to {host} failed: {other:?}"),
    }
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
