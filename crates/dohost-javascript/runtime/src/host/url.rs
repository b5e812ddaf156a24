//! URLs, as the URL Standard has them.

use rquickjs::{Array, Ctx, IntoJs, Result, Value};
use url::{Position, Url, quirks};

use super::Natives;

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("urlParse", parse)?;
    natives.add("urlSet", set)
}

/// The normalised text with the places where its parts begin and end; null if it is none.
fn parse<'js>(ctx: Ctx<'js>, text: String, base: Option<String>) -> Result<Value<'js>> {
    let url = match base {
        Some(base) => Url::parse(&base).and_then(|base| base.join(&text)),
        None => Url::parse(&text),
    };
    match url {
        Ok(url) => parts(&ctx, &url),
        Err(_) => Ok(Value::new_null(ctx)),
    }
}

/// The same URL with another part, as `url.PART = value` makes it.
fn set<'js>(ctx: Ctx<'js>, text: String, part: String, value: String) -> Result<Value<'js>> {
    let mut url = Url::parse(&text).expect("the text is that of a URL");
    // What a setter refuses has no effect.
    let _ = match part.as_str() {
        "protocol" => quirks::set_protocol(&mut url, &value),
        "username" => quirks::set_username(&mut url, &value),
        "password" => quirks::set_password(&mut url, &value),
        "host" => quirks::set_host(&mut url, &value),
        "hostname" => quirks::set_hostname(&mut url, &value),
        "port" => quirks::set_port(&mut url, &value),
        "pathname" => {
            quirks::set_pathname(&mut url, &value);
            Ok(())
        }
        "search" => {
            quirks::set_search(&mut url, &value);
            Ok(())
        }
        _ => {
            quirks::set_hash(&mut url, &value);
            Ok(())
        }
    };
    parts(&ctx, &url)
}

/// A URL is ASCII, so places in bytes are places in characters.
fn parts<'js>(ctx: &Ctx<'js>, url: &Url) -> Result<Value<'js>> {
    let parts = Array::new(ctx.clone())?;
    parts.set(0, url.as_str())?;
    let places = [
        Position::AfterScheme,
        Position::BeforeUsername,
        Position::AfterUsername,
        Position::BeforePassword,
        Position::AfterPassword,
        Position::BeforeHost,
        Position::AfterHost,
        Position::BeforePort,
        Position::AfterPort,
        Position::BeforePath,
        Position::AfterPath,
        Position::AfterQuery,
    ];
    for (index, place) in places.into_iter().enumerate() {
        parts.set(index + 1, url[..place].len() as i32)?;
    }
    let origin = url.origin();
    if !matches!(url.scheme(), "http" | "https") {
        parts.set(places.len() + 1, origin.ascii_serialization())?;
    }
    parts.into_js(ctx)
}
