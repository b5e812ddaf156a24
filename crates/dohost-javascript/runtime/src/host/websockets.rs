//! WebSockets that the host holds. JavaScript knows each by the host's number, which a double holds exactly.

use rquickjs::{Array, Ctx, Exception, IntoJs, Object, Result, Value};

use super::{Natives, require_event};
use crate::clone::Instances;
use crate::dohost::object::mixed::MixedResponse;
use crate::dohost::object::outgoing;
use crate::dohost::object::websockets::{self, AutoResponse, ConnectError, Error, Message, Options};
use crate::{answer, bytes, clone, http};

pub fn install(natives: &Natives<'_>) -> Result<()> {
    natives.add("wsRequireEvent", |ctx: Ctx<'_>| require_event(&ctx))?;
    natives.add("wsAccept", accept)?;
    natives.add("wsConnect", connect)?;
    natives.add("wsConnectClient", connect_client)?;
    natives.add("wsSetOptions", set_options)?;
    natives.add("wsSend", send)?;
    natives.add("wsClose", close)?;
    natives.add("wsSockets", |tag: Option<String>| {
        websockets::sockets(tag.as_deref()).into_iter().map(|number| number as f64).collect::<Vec<_>>()
    })?;
    natives.add("wsDescribe", describe)?;
    natives.add("wsEncode", encode)?;
    natives.add("wsAttachment", attachment)?;
    natives.add("wsSetAttachment", set_attachment)?;
    natives.add("wsSetAutoResponse", set_auto_response)?;
    natives.add("wsAutoResponse", auto_response)?;
    natives.add("wsSetEventTimeout", |ctx: Ctx<'_>, milliseconds: Option<u32>| {
        websockets::set_event_timeout(milliseconds).map_err(|error| thrown(&ctx, error))
    })?;
    natives.add("wsEventTimeout", websockets::get_event_timeout)
}

/// For WebSockets that keep the object resident.
fn resident() -> Options {
    Options { tags: Vec::new(), hibernates: false }
}

/// The number, and the ticket of the other end.
fn accept<'js>(ctx: Ctx<'js>, tags: Vec<String>, hibernates: bool) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let accepted = websockets::accept(&Options { tags, hibernates }).map_err(|error| thrown(&ctx, error))?;
    let pair = Array::new(ctx.clone())?;
    pair.set(0, accepted.websocket as f64)?;
    pair.set(1, accepted.client)?;
    pair.into_js(&ctx)
}

fn connect_client(ctx: Ctx<'_>, ticket: String) -> Result<f64> {
    require_event(&ctx)?;
    let number = websockets::connect_client(&ticket, &resident()).map_err(|error| thrown(&ctx, error))?;
    Ok(number as f64)
}

/// A promise of status, headers, body, and of the number if the server agreed.
fn connect<'js>(ctx: Ctx<'js>, method: String, url: String, headers: String) -> Result<Value<'js>> {
    require_event(&ctx)?;
    let request = http::record(method, &url, &headers, Vec::new());
    answer::of(&ctx, websockets::connect(request, resident()), |ctx, result| {
        let (response, number) = match result {
            Ok(connected) => (connected.response, Some(connected.websocket as f64)),
            Err(ConnectError::Answered(response)) => (response, None),
            Err(ConnectError::Refused(error)) => return Err(thrown(ctx, error)),
            Err(ConnectError::Failed(error)) => {
                let (outgoing::Error::Denied(why)
                | outgoing::Error::Invalid(why)
                | outgoing::Error::TooLarge(why)
                | outgoing::Error::Failed(why)) = error;
                return Err(Exception::throw_type(ctx, &why));
            }
        };
        let parts = http::received(ctx, MixedResponse::Whole(response))?;
        if let (Some(number), Some(parts)) = (number, parts.as_array()) {
            parts.set(3, number)?;
        }
        Ok(parts)
    })
}

fn set_options(ctx: Ctx<'_>, number: f64, tags: Vec<String>, hibernates: bool) -> Result<()> {
    let options = Options { tags, hibernates };
    websockets::set_options(number as u64, &options).map_err(|error| thrown(&ctx, error))
}

/// A promise, if it has to wait for room. That the other side has gone is no error.
fn send<'js>(ctx: Ctx<'js>, number: f64, data: Value<'js>) -> Result<Value<'js>> {
    let message = match data.as_string() {
        Some(text) => Message::Text(text.to_string()?),
        None => Message::Binary(bytes::in_array(&data).unwrap_or_default()),
    };
    let sent = async move { websockets::send(number as u64, message).await };
    answer::of(&ctx, sent, |ctx, result| match result {
        Ok(()) | Err(Error::Gone(_)) => Ok(Value::new_undefined(ctx.clone())),
        Err(error) => Err(thrown(ctx, error)),
    })
}

fn close(ctx: Ctx<'_>, number: f64, code: Option<u16>, reason: String) -> Result<()> {
    match websockets::close(number as u64, code, &reason) {
        Ok(()) | Err(Error::Gone(_)) => Ok(()),
        Err(error) => Err(thrown(&ctx, error)),
    }
}

/// Null if there is no such WebSocket any more.
fn describe<'js>(ctx: Ctx<'js>, number: f64) -> Result<Value<'js>> {
    let Ok(description) = websockets::describe(number as u64) else { return Ok(Value::new_null(ctx)) };
    let described = Object::new(ctx.clone())?;
    described.set("state", description.state as u8)?;
    described.set("tags", description.tags)?;
    described.set("protocol", description.protocol)?;
    described.set("url", description.url)?;
    described.set("buffered", description.buffered as f64)?;
    described.set("autoResponseTime", description.auto_response_time.map(|time| time as f64))?;
    described.into_js(&ctx)
}

fn encode<'js>(ctx: Ctx<'js>, value: Value<'js>) -> Result<Value<'js>> {
    let encoded = clone::encode(&ctx, &value, Instances::AsPlain)?;
    bytes::array(&ctx, encoded)
}

/// Null if there is none.
fn attachment<'js>(ctx: Ctx<'js>, number: f64) -> Result<Value<'js>> {
    match websockets::attachment(number as u64) {
        Ok(Some(attachment)) => bytes::array(&ctx, attachment),
        Ok(None) | Err(_) => Ok(Value::new_null(ctx)),
    }
}

fn set_attachment<'js>(ctx: Ctx<'js>, number: f64, attachment: Value<'js>) -> Result<()> {
    let attachment = bytes::in_array(&attachment);
    match websockets::set_attachment(number as u64, attachment.as_deref()) {
        Ok(()) | Err(Error::Gone(_)) => Ok(()),
        Err(error) => Err(thrown(&ctx, error)),
    }
}

fn set_auto_response(ctx: Ctx<'_>, request: Option<String>, response: Option<String>) -> Result<()> {
    let pair = request.zip(response).map(|(request, response)| AutoResponse { request, response });
    websockets::set_auto_response(pair.as_ref()).map_err(|error| thrown(&ctx, error))
}

/// Request and response, or null.
fn auto_response<'js>(ctx: Ctx<'js>) -> Result<Value<'js>> {
    match websockets::get_auto_response() {
        Some(pair) => vec![pair.request, pair.response].into_js(&ctx),
        None => Ok(Value::new_null(ctx)),
    }
}

fn thrown(ctx: &Ctx<'_>, error: Error) -> rquickjs::Error {
    let (Error::Invalid(why) | Error::TooLarge(why) | Error::NotAllowed(why) | Error::Gone(why)) = error;
    Exception::throw_message(ctx, &why)
}
