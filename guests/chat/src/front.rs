//! The Worker in front: HTTP for browsers and curl.
//!
//! | request | reply |
//! | --- | --- |
//! | `GET /` | the page |
//! | `GET /rooms` | the rooms, the last used one first |
//! | `GET /rooms/{room}/messages?after=` | the messages of a room, those after a number only if there is one |
//! | `POST /rooms/{room}/messages` | posts `{"author": …, "text": …}`; 429 to who posts too much |

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::dohost::object::namespace::CallError;
use crate::example::chat_client::room::Message;
use crate::example::chat_client::{limiter, lobby, room};
use crate::http::{self, error, json as reply};
use crate::wasi::http::types::{Method, Request, Response};
use crate::{LIMITER, LOBBY, NAME_CHARACTERS, ROOM, THE_LOBBY, is_name, log, stub};

const PAGE: &str = include_str!("page.html");

/// Enough for the longest text, whatever its characters are.
const BODY_BYTES: usize = 32 << 10;

pub async fn answer(request: Request) -> Response {
    let target = request.get_path_with_query().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let decoded: Option<Vec<String>> = path.trim_start_matches('/').split('/').map(decode).collect();
    let Some(segments) = decoded else { return error(400, "the path is not UTF-8") };
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();

    let outcome = match (request.get_method(), segments.as_slice()) {
        (Method::Get, [""]) => Ok(http::html(PAGE)),
        (Method::Get, ["rooms"]) => rooms().await,
        (Method::Get, ["rooms", room, "messages"]) => messages(room, query).await,
        (Method::Post, ["rooms", room, "messages"]) => post(room, request).await,
        (_, [""] | ["rooms"]) => Err(error(405, "only GET")),
        (_, ["rooms", _, "messages"]) => Err(error(405, "only GET and POST")),
        _ => Err(error(404, "there is / and /rooms and /rooms/{room}/messages")),
    };
    outcome.unwrap_or_else(|refused| refused)
}

async fn rooms() -> Result<Response, Response> {
    let rooms = lobby::rooms(&stub(LOBBY, THE_LOBBY)).await.map_err(failed)?;
    let rooms: Vec<Json> =
        rooms.into_iter().map(|entry| json!({ "room": entry.room, "lastUsed": entry.last_used })).collect();
    Ok(reply(200, &json!(rooms)))
}

async fn messages(room: &str, query: &str) -> Result<Response, Response> {
    check_name("room", room)?;
    let after = match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after") {
        Some((_, digits)) => Some(digits.parse().map_err(|_| error(400, "after is not a number"))?),
        None => None,
    };
    let messages = room::history(&stub(ROOM, room), after).await.map_err(failed)?;
    Ok(reply(200, &messages.iter().map(in_json).collect()))
}

#[derive(Deserialize)]
struct Post {
    author: String,
    text: String,
}

async fn post(room: &str, request: Request) -> Result<Response, Response> {
    check_name("room", room)?;
    // Pages of other sites cannot send JSON without asking.
    if !http::is_json(&request) {
        return Err(error(415, "the content-type must be application/json"));
    }
    let body = http::read(request, BODY_BYTES).await?;
    let Post { author, text } = serde_json::from_slice(&body).map_err(|reason| error(400, &reason.to_string()))?;
    check_name("author", &author)?;

    // Two calls, one after the other: a user who may not post does not reach the room.
    limiter::take(&stub(LIMITER, &author), 1).await.map_err(failed)?.map_err(too_much)?;
    let posted = room::post(&stub(ROOM, room), author, text).await.map_err(failed)?;
    let message = posted.map_err(|refusal| match refusal {
        room::Refusal::BadAuthor(most) => error(422, &format!("the author has 1 to {most} characters")),
        room::Refusal::BadText(most) => error(422, &format!("the text has 1 to {most} characters")),
    })?;
    Ok(reply(201, &in_json(&message)))
}

fn check_name(what: &str, name: &str) -> Result<(), Response> {
    if is_name(name) { Ok(()) } else { Err(error(422, &format!("the {what} has 1 to {NAME_CHARACTERS} characters"))) }
}

fn too_much(refusal: limiter::Refusal) -> Response {
    match refusal {
        limiter::Refusal::Wait(ms) => http::later(429, "you post too much", ms.div_ceil(1_000)),
        limiter::Refusal::Never => error(500, "BURST is too small to post anything"),
    }
}

/// A call that brought no result. An object that is busy or was reset may answer the next time; the rest is a mistake
/// of ours. It is not tried again here, as the message may have been posted.
fn failed(call: CallError) -> Response {
    log::line(&format!("a call failed: {}", call.message));
    if call.overloaded || call.retryable {
        http::later(503, "try again", 1)
    } else {
        error(500, "something went wrong")
    }
}

fn in_json(message: &Message) -> Json {
    let Message { number, author, text, at } = message;
    json!({ "number": number, "author": author, "text": text, "at": at })
}

/// A part of a path, with `%41` decoded.
fn decode(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(|text| text.into_owned())
}
