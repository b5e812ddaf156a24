//! The exports of an object: `mixed-handler`, `construction`, `alarm-handler`, `websocket-handler` and `dynamic`.

use rquickjs::{Array, IntoJs, Value};

use crate::dohost::object::mixed::{MixedRequest, MixedResponse};
use crate::dohost::object::websockets::Message;
use crate::engine::{self, Hook};
use crate::exports::dohost::object::dynamic::{self, Values};
use crate::exports::dohost::object::{alarm_handler, construction, mixed_handler, websocket_handler};
use crate::http::{Incoming, Reply};
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

impl websocket_handler::Guest for Runtime {
    async fn on_message(websocket: u64, message: Message) -> Result<(), Exception> {
        answer::wait(
            move |ctx| {
                let data = match message {
                    Message::Text(text) => text.into_js(ctx)?,
                    Message::Binary(binary) => bytes::array(ctx, binary)?,
                };
                engine::call(ctx, Hook::websocket_message, (websocket as f64, data))
            },
            |_, value| nothing(&value),
        )
        .await
    }

    async fn on_close(websocket: u64, info: websocket_handler::CloseInfo) -> Result<(), Exception> {
        answer::wait(
            move |ctx| {
                let arguments = (websocket as f64, info.code, info.reason, info.was_clean);
                engine::call(ctx, Hook::websocket_close, arguments)
            },
            |_, value| nothing(&value),
        )
        .await
    }

    async fn on_error(websocket: u64, reason: String) -> Result<(), Exception> {
        answer::wait(
            move |ctx| engine::call(ctx, Hook::websocket_error, (websocket as f64, reason)),
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

impl mixed_handler::Guest for Runtime {
    async fn fetch(request: MixedRequest) -> Result<MixedResponse, Exception> {
        let request = match request {
            MixedRequest::Whole(request) => Incoming::of_record(request),
            MixedRequest::Streamed(request) => Incoming::of_stream(request),
        };
        let reply = answer::wait(move |ctx| request.hand_to(ctx, Hook::fetch), |_, value| Reply::of(&value));
        reply.await.mixed()
    }
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
