//! A chat room: an object whose members are websockets that hibernate.

use dohost_guest::*;
use serde::{Deserialize, Serialize};

const PAGE: &str = include_str!("page.html");

/// Messages that are kept, and shown to who joins.
const KEPT: u64 = 100;
const TEXT_CHARS_MAX: usize = 2_000;
const NAME_CHARS_MAX: usize = 32;
const MEMBERS_MAX: usize = 1_000;

/// What was said is under keys of this and its number.
const SAID: &str = "said ";

#[derive(Clone, Serialize, Deserialize)]
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

#[durable_object(websocket)]
pub struct Room {
    state: State,
}

impl DurableObject for Room {
    fn new(state: State, _env: Env) -> Self {
        Self { state }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        match request.path() {
            "/" => Response::from_html(PAGE),
            "/join" => self.join(&request).await,
            _ => Response::error("There are / and /join.\n", 404),
        }
    }

    async fn websocket_message(&self, member: WebSocket, message: WebSocketMessage) -> Result<()> {
        let WebSocketMessage::Text(text) = message else {
            return member.send_json(&News::Refused { reason: "only text" }).await;
        };
        let text = text.trim();
        if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
            return member.send_json(&News::Refused { reason: "a message has 1 to 2,000 characters" }).await;
        }
        let said = Said { by: name_of(member), text: text.into(), at: Date::now().as_millis() };
        self.keep(&said).await?;
        // Leaves when it is durable.
        self.tell(&News::Said(&said)).await
    }

    async fn websocket_close(&self, _: WebSocket, _: WebSocketClose) -> Result<()> {
        self.tell_members().await
    }

    async fn websocket_error(&self, _: WebSocket, _: String) -> Result<()> {
        self.tell_members().await
    }
}

impl Room {
    async fn join(&self, request: &Request) -> Result<Response> {
        if request.headers().get("upgrade") != Some("websocket") {
            return Response::error("This is for websockets.\n", 426);
        }
        let name = request.query_value("as").unwrap_or_default().trim().to_string();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            return Response::error("A name has 1 to 32 characters: ?as=…\n", 400);
        }
        if self.state.websockets(None).len() >= MEMBERS_MAX {
            return Response::error("The room is full.\n", 503);
        }
        let (member, response) = self.state.accept_websocket(WebSocketOptions::new())?;
        member.set_attachment(&name)?;
        for (_, said) in self.last_said(KEPT).await?.iter().rev() {
            member.send_json(&News::Said(said)).await?;
        }
        self.tell_members().await?;
        Ok(response)
    }

    async fn tell_members(&self) -> Result<()> {
        let mut members: Vec<String> = self.state.websockets(None).into_iter().map(name_of).collect();
        members.sort_unstable();
        members.dedup();
        self.tell(&News::Members { members }).await
    }

    async fn tell(&self, news: &News<'_>) -> Result<()> {
        for member in self.state.websockets(None) {
            member.send_json(news).await?;
        }
        Ok(())
    }

    /// The newest first.
    async fn last_said(&self, count: u64) -> Result<Vec<(String, Said)>> {
        let options = ListOptions::new().prefix(SAID).reverse(true).limit(count as u32);
        self.state.storage().list_with_options(options).await
    }

    /// Stores what was said, in the place of the oldest if there are too many.
    async fn keep(&self, said: &Said) -> Result<()> {
        let newest = self.last_said(1).await?;
        let number = newest.first().and_then(|(key, _)| key.strip_prefix(SAID)?.parse::<u64>().ok());
        let number = number.map_or(0, |number| number + 1);
        let storage = self.state.storage();
        storage.put(&key(number), said).await?;
        if let Some(old) = number.checked_sub(KEPT) {
            storage.delete(&key(old)).await?;
        }
        Ok(())
    }
}

fn key(number: u64) -> String {
    format!("{SAID}{number:012}")
}

fn name_of(member: WebSocket) -> String {
    member.attachment().ok().flatten().unwrap_or_default()
}
