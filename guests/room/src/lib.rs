//! A chat room: an object whose members are websockets that hibernate.

use dohost::object::storage::{self, ListOptions};
use dohost::object::types::{Header, Request, Response};
use dohost::object::websockets::{self, Message, Options};
use exports::dohost::object::handler::{Exception, Guest};
use exports::dohost::object::websocket_handler::{CloseInfo, Guest as WebSocketHandler};
use serde::{Deserialize, Serialize};
use wasi::clocks::system_clock;

wit_bindgen::generate!({
    inline: "
        package example:room;

        world room {
            include dohost:object/object@0.1.0;
            import wasi:clocks/system-clock@0.3.0;
            export dohost:object/websocket-handler@0.1.0;
        }
    ",
    path: "../../wit",
    world: "example:room/room",
    generate_all,
});

struct Room;

export!(Room);

const PAGE: &str = include_str!("page.html");

/// Messages that are kept, and shown to who joins.
const KEPT: u32 = 100;
const TEXT_CHARS_MAX: usize = 2_000;
const NAME_CHARS_MAX: usize = 32;
const MEMBERS_MAX: usize = 1_000;

/// What was said is under keys of this and its number.
const SAID: &str = "said ";

#[derive(Serialize, Deserialize)]
struct Said {
    by: String,
    text: String,
    at: u64,
}

/// What members are sent.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum News<'a> {
    Said(&'a Said),
    Members { members: Vec<String> },
    Refused { reason: &'a str },
}

impl Guest for Room {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        match request.path.as_str() {
            "/" => Ok(reply(200, "text/html; charset=utf-8", PAGE)),
            "/join" => join(&request).await,
            _ => Ok(reply(404, "text/plain", "There are / and /join.\n")),
        }
    }
}

async fn join(request: &Request) -> Result<Response, Exception> {
    if !request.headers.iter().any(|header| header.name == "upgrade" && header.value == b"websocket") {
        return Ok(reply(426, "text/plain", "This is for websockets.\n"));
    }
    let query = request.query.as_deref().unwrap_or_default();
    let name = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "as");
    let name = name.map(|(_, name)| name.trim().to_string()).unwrap_or_default();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Ok(reply(400, "text/plain", "A name has 1 to 32 characters: ?as=…\n"));
    }
    if websockets::sockets(None).len() >= MEMBERS_MAX {
        return Ok(reply(503, "text/plain", "The room is full.\n"));
    }
    let accepted = websockets::accept(&Options { tags: Vec::new(), hibernates: true }).map_err(refused)?;
    websockets::set_attachment(accepted.websocket, Some(name.as_bytes())).map_err(refused)?;
    for said in last_said().await? {
        send(accepted.websocket, &News::Said(&said)).await?;
    }
    tell_members().await?;
    let headers = vec![Header { name: "dohost-websocket".into(), value: accepted.client.into_bytes() }];
    Ok(Response { status: 101, headers, body: Vec::new() })
}

impl WebSocketHandler for Room {
    async fn on_message(websocket: u64, message: Message) -> Result<(), Exception> {
        let Message::Text(text) = message else {
            return send(websocket, &News::Refused { reason: "only text" }).await;
        };
        let text = text.trim();
        if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
            return send(websocket, &News::Refused { reason: "a message has 1 to 2,000 characters" }).await;
        }
        let said = Said { by: name_of(websocket), text: text.to_string(), at: now_ms() };
        keep(&said).await?;
        for member in websockets::sockets(None) {
            send(member, &News::Said(&said)).await?;
        }
        Ok(())
    }

    async fn on_close(_: u64, _: CloseInfo) -> Result<(), Exception> {
        tell_members().await
    }

    async fn on_error(_: u64, _: String) -> Result<(), Exception> {
        tell_members().await
    }
}

async fn tell_members() -> Result<(), Exception> {
    let all = websockets::sockets(None);
    let mut members: Vec<String> = all.iter().map(|websocket| name_of(*websocket)).collect();
    members.sort_unstable();
    members.dedup();
    for websocket in all {
        send(websocket, &News::Members { members: members.clone() }).await?;
    }
    Ok(())
}

async fn send(websocket: u64, news: &News<'_>) -> Result<(), Exception> {
    let text = serde_json::to_string(news).map_err(|error| error.to_string())?;
    websockets::send(websocket, Message::Text(text)).await.map_err(refused)
}

fn name_of(websocket: u64) -> String {
    let name = websockets::attachment(websocket).ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(&name).into_owned()
}

async fn last_said() -> Result<Vec<Said>, Exception> {
    let entries = storage::list(last(KEPT)).await.map_err(|error| format!("{error:?}"))?;
    entries.iter().rev().map(|entry| serde_json::from_slice(&entry.value).map_err(|error| error.to_string())).collect()
}

/// Stores what was said, in the place of the oldest if there are too many.
async fn keep(said: &Said) -> Result<(), Exception> {
    let failed = |error: storage::Error| format!("{error:?}");
    let newest = storage::list(last(1)).await.map_err(failed)?;
    let number = newest.first().and_then(|entry| entry.key.strip_prefix(SAID)?.parse::<u64>().ok());
    let number = number.map_or(0, |number| number + 1);
    let value = serde_json::to_vec(said).map_err(|error| error.to_string())?;
    storage::put(key(number), value).await.map_err(failed)?;
    if let Some(old) = number.checked_sub(KEPT.into()) {
        storage::delete(key(old)).await.map_err(failed)?;
    }
    Ok(())
}

fn key(number: u64) -> String {
    format!("{SAID}{number:012}")
}

fn last(count: u32) -> ListOptions {
    let prefix = Some(SAID.to_string());
    ListOptions { start: None, start_after: None, end: None, prefix, reverse: true, limit: Some(count) }
}

fn now_ms() -> u64 {
    let now = system_clock::now();
    now.seconds as u64 * 1_000 + u64::from(now.nanoseconds) / 1_000_000
}

fn refused(error: websockets::Error) -> Exception {
    format!("{error:?}")
}

fn reply(status: u16, kind: &str, body: &str) -> Response {
    let headers = vec![Header { name: "content-type".into(), value: kind.into() }];
    Response { status, headers, body: body.into() }
}
