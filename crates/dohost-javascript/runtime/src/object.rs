//! The exports of an object: `handler`, `construction`, `alarm-handler` and `dynamic`.

use rquickjs::{Array, IntoJs, Value};

use crate::dohost::object::types::{Request, Response};
use crate::engine::{self, Hook};
use crate::exports::dohost::object::dynamic::{self, Values};
use crate::exports::dohost::object::{alarm_handler, construction, handler};
use crate::host::{joined, split};
use crate::{Runtime, answer, bytes};

/// What a handler threw.
type Exception = String;

impl construction::Guest for Runtime {
    async fn construct() -> Result<(), Exception> {
        answer::wait(|ctx| engine::call(ctx, Hook::construct, ()), |_, value| nothing(&value)).await
    }
}

impl alarm_handler::Guest for Runtime {
    async fn alarm(info: alarm_handler::AlarmInfo) -> Result<(), Exception> {
        answer::wait(
            move |ctx| {
                let scheduled_time = info.scheduled_time as f64;
                engine::call(ctx, Hook::alarm, (scheduled_time, info.retry_count, info.is_retry))
            },
            |_, value| nothing(&value),
        )
        .await
    }
}

/// Null, or what was thrown.
fn nothing(value: &Value<'_>) -> Result<(), Exception> {
    match text(value) {
        Some(exception) => Err(exception),
        None => Ok(()),
    }
}

impl handler::Guest for Runtime {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        answer::wait(
            move |ctx| {
                let headers = request.headers.iter().map(|header| (header.name.as_str(), header.value.as_slice()));
                let headers = joined(headers);
                let mut url = format!("{}://{}{}", request.scheme, request.authority, request.path);
                if let Some(query) = &request.query {
                    url.push('?');
                    url.push_str(query);
                }
                let body = if request.body.is_empty() {
                    Value::new_null(ctx.clone())
                } else {
                    bytes::array(ctx, request.body)?
                };
                engine::call(ctx, Hook::fetch, (request.method, url, headers, body))
            },
            |_, value| response(&value),
        )
        .await
    }
}

/// A response of status, headers and body; or what was thrown.
fn response(value: &Value<'_>) -> Result<Response, Exception> {
    if let Some(exception) = text(value) {
        return Err(exception);
    }
    let read = || -> rquickjs::Result<Response> {
        let parts: Array<'_> = value.get()?;
        Ok(Response {
            status: parts.get(0)?,
            headers: split(&parts.get::<String>(1)?),
            body: bytes::of_body(&parts.get(2)?).unwrap_or_default(),
        })
    };
    read().map_err(|error| error.to_string())
}

impl dynamic::Guest for Runtime {
    async fn call(method: String, arguments: Values) -> Result<Values, dynamic::Error> {
        answer::wait(
            move |ctx| {
                let (arguments, is_json) = match arguments {
                    Values::Json(json) => (json.into_js(ctx)?, true),
                    Values::Cloned(encoded) => (bytes::array(ctx, encoded)?, false),
                };
                engine::call(ctx, Hook::call, (method, arguments, is_json))
            },
            |_, value| result(&value),
        )
        .await
    }
}

/// A result of a number that says what it is, and the rest.
fn result(value: &Value<'_>) -> Result<Values, dynamic::Error> {
    if let Some(exception) = text(value) {
        return Err(dynamic::Error::Exception(exception));
    }
    let read = || -> rquickjs::Result<Result<Values, dynamic::Error>> {
        let parts: Array<'_> = value.get()?;
        Ok(match parts.get::<u32>(0)? {
            0 => {
                let result: Value<'_> = parts.get(1)?;
                Ok(match text(&result) {
                    Some(json) => Values::Json(json),
                    None => Values::Cloned(bytes::of_body(&result).unwrap_or_default()),
                })
            }
            1 => Err(dynamic::Error::NoSuchMethod),
            2 => Err(dynamic::Error::InvalidArguments(parts.get(1)?)),
            _ => Err(dynamic::Error::Exception(parts.get(1)?)),
        })
    };
    read().unwrap_or_else(|error| Err(dynamic::Error::Exception(error.to_string())))
}

fn text(value: &Value<'_>) -> Option<String> {
    value.as_string().map(|text| text.to_string().unwrap_or_default())
}
