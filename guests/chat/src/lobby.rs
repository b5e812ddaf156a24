//! The lobby: which rooms there are. A key is the name of a room, its value when the room was last used.

use std::cmp::Reverse;

use crate::dohost::object::storage::{self, Entry as Stored, ListOptions};
use crate::exports::example::chat::lobby::Entry;
use crate::now;

/// A new room beyond these takes the place of the one that was not used for the longest time.
const ROOMS_KNOWN: usize = 1_000;

pub async fn used(room: String) {
    let is_new = storage::get(room.clone()).await.expect("names of rooms are short").is_none();
    let entry = vec![Stored { key: room, value: now().to_string().into_bytes() }];
    if is_new {
        make_place().await;
        storage::put_many(entry).await.expect("a short value");
    } else {
        // That the room exists must not be lost in a crash; the time may be, so nobody has to wait for the disk.
        storage::put_unconfirmed(entry).await.expect("a short value");
    }
}

pub async fn rooms() -> Vec<Entry> {
    let all = ListOptions { start: None, start_after: None, end: None, prefix: None, reverse: false, limit: None };
    let stored = storage::list(all).await.expect("everything");
    let mut rooms: Vec<Entry> = stored.into_iter().map(from_stored).collect();
    rooms.sort_by_key(|entry| Reverse(entry.last_used));
    rooms
}

async fn make_place() {
    let rooms = rooms().await;
    let surplus: Vec<String> = rooms.into_iter().skip(ROOMS_KNOWN - 1).map(|entry| entry.room).collect();
    storage::delete_many(surplus).await.expect("one at most");
}

fn from_stored(stored: Stored) -> Entry {
    let time = str::from_utf8(&stored.value).ok().and_then(|digits| digits.parse().ok());
    Entry { room: stored.key, last_used: time.expect("what used wrote") }
}
