//! A room: its last messages.
//!
//! | key | value |
//! | --- | --- |
//! | `last` | the number of the last message |
//! | `message/{number}` | a message, in JSON; 20 digits, so that the order of the keys is that of the messages |

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::dohost::object::state;
use crate::dohost::object::storage::{self, Entry, ListOptions};
use crate::example::chat_client::lobby;
use crate::exports::example::chat::room::{Message, Refusal};
use crate::{LOBBY, NAME_CHARACTERS, THE_LOBBY, is_name, log, now, settings, stub};

const LAST: &str = "last";
const MESSAGES: &str = "message/";

const TEXT_CHARACTERS: u32 = 2_000;

/// So many old messages go with one new message: more than one, in case `MESSAGES_KEPT` is less than it was.
const FORGOTTEN_AT_ONCE: u32 = 16;

/// What is stored of a message; its number is in the key.
#[derive(Serialize, Deserialize)]
struct Stored {
    author: String,
    text: String,
    at: u64,
}

/// No lock, no transaction: nothing else enters the object while it waits for its storage, so no two messages get the
/// same number, and all that is written up to the call of the lobby is one commit.
pub async fn post(author: String, text: String) -> Result<Message, Refusal> {
    if !is_name(&author) {
        return Err(Refusal::BadAuthor(NAME_CHARACTERS));
    }
    if !(1..=TEXT_CHARACTERS as usize).contains(&text.chars().count()) {
        return Err(Refusal::BadText(TEXT_CHARACTERS));
    }
    let number = last().await + 1;
    let stored = Stored { author, text, at: now() };
    let entries = vec![
        Entry { key: LAST.to_string(), value: number.to_string().into_bytes() },
        Entry { key: key(number), value: serde_json::to_vec(&stored).expect("strings and a number") },
    ];
    storage::put_many(entries).await.expect("a message is far below the limits");
    forget_before(first_kept(number)).await;
    tell_lobby().await;
    // The host sends this when the message is on disk, and not before.
    Ok(message(number, stored))
}

pub async fn history(after: u64) -> Vec<Message> {
    let first = first_kept(last().await).max(after.saturating_add(1));
    let kept = storage::list(ListOptions { start: Some(key(first)), ..all_messages() }).await.expect("a range");
    kept.iter().map(from_entry).collect()
}

pub async fn members() -> Vec<String> {
    let authors: BTreeSet<String> = history(0).await.into_iter().map(|message| message.author).collect();
    authors.into_iter().collect()
}

/// The number of the last message; 0 if there was none.
async fn last() -> u64 {
    let stored = storage::get(LAST.to_string()).await.expect("a short key");
    stored.map_or(0, |digits| str::from_utf8(&digits).ok().and_then(|text| text.parse().ok()).expect("a number"))
}

fn first_kept(last: u64) -> u64 {
    (last + 1).saturating_sub(settings::number("MESSAGES_KEPT", 100).into())
}

async fn forget_before(first_kept: u64) {
    let old = ListOptions { end: Some(key(first_kept)), limit: Some(FORGOTTEN_AT_ONCE), ..all_messages() };
    let keys = storage::list(old).await.expect("a range").into_iter().map(|entry| entry.key).collect();
    storage::delete_many(keys).await.expect("not too many keys");
}

/// Other calls may enter the room while this one waits for the lobby; the message is complete by now.
///
/// A failure is logged only: the message is there, and the next one tells the lobby again.
async fn tell_lobby() {
    let Some(room) = state::name() else { return };
    if let Err(error) = lobby::used(&stub(LOBBY, THE_LOBBY), room).await {
        log::line(&format!("the lobby was not told: {}", error.message));
    }
}

fn key(number: u64) -> String {
    format!("{MESSAGES}{number:020}")
}

fn all_messages() -> ListOptions {
    let prefix = Some(MESSAGES.to_string());
    ListOptions { start: None, start_after: None, end: None, prefix, reverse: false, limit: None }
}

fn from_entry(entry: &Entry) -> Message {
    let number = entry.key.strip_prefix(MESSAGES).and_then(|digits| digits.parse().ok()).expect("a key of a message");
    message(number, serde_json::from_slice(&entry.value).expect("what post wrote"))
}

fn message(number: u64, Stored { author, text, at }: Stored) -> Message {
    Message { number, author, text, at }
}
