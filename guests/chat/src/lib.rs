//! A chat: three classes and a Worker in one component, which call each other's methods.
//!
//! | who | what it is | file |
//! | --- | --- | --- |
//! | `front` | the Worker: HTTP for browsers and curl | `front.rs` |
//! | `Limiter` | one object per user: may this user post now? | `limiter.rs` |
//! | `Room` | one object per room: its messages | `room.rs` |
//! | `Lobby` | one object: which rooms there are | `lobby.rs` |
//!
//! This file ties them to the bindings; the README shows how the calls go. All are the same component, so an object
//! asks `state.class` who it is: a `Room` must not answer for a `Limiter`.

mod front;
mod http;
mod limiter;
mod lobby;
mod log;
mod room;
mod settings;

use dohost::object::namespace::{self, Stub};
use dohost::object::{state, types as object};
use exports::dohost::object::handler::{Exception, Guest as Handler};
use exports::example::chat::limiter::{Guest as LimiterMethods, Refusal as LimiterRefusal};
use exports::example::chat::lobby::{Entry, Guest as LobbyMethods};
use exports::example::chat::room::{Guest as RoomMethods, Message, Refusal as RoomRefusal};
use exports::wasi::http::handler::Guest as Worker;
use wasi::clocks::system_clock;
use wasi::http::types::{ErrorCode, Request, Response};

// Reads the WIT files and writes the Rust for them: a trait for each interface that is exported, and functions for what
// is imported. `exports::example::chat::room` is what a Room implements, `example::chat_client::room` what others call.
wit_bindgen::generate!({
    world: "example:chat/chat",
    path: ["../../wit", "wit"],
    generate_all,
});

// The classes, as dohost.toml names them.
const ROOM: &str = "Room";
const LIMITER: &str = "Limiter";
const LOBBY: &str = "Lobby";

/// The only object of its class.
const THE_LOBBY: &str = "lobby";

struct Chat;

export!(Chat);

impl RoomMethods for Chat {
    async fn post(author: String, text: String) -> Result<Message, RoomRefusal> {
        must_be(ROOM);
        room::post(author, text).await
    }

    async fn history(after: Option<u64>) -> Vec<Message> {
        must_be(ROOM);
        room::history(after.unwrap_or(0)).await
    }

    async fn members() -> Vec<String> {
        must_be(ROOM);
        room::members().await
    }
}

impl LimiterMethods for Chat {
    async fn take(cost: u32) -> Result<u32, LimiterRefusal> {
        must_be(LIMITER);
        limiter::take(cost).await
    }
}

impl LobbyMethods for Chat {
    async fn used(room: String) {
        must_be(LOBBY);
        lobby::used(room).await;
    }

    async fn rooms() -> Vec<Entry> {
        must_be(LOBBY);
        lobby::rooms().await
    }
}

impl Worker for Chat {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        Ok(front::answer(request).await)
    }
}

/// Requests that reach an object and not the Worker. Without this the host would hand them to `handle` above.
impl Handler for Chat {
    async fn fetch(_: object::Request) -> Result<object::Response, Exception> {
        let body = format!("A {} has methods only: POST /{{class}}/{{name}}/rpc/{{method}}\n", state::class());
        Ok(object::Response { status: 404, headers: Vec::new(), body: body.into_bytes() })
    }
}

/// Ends the call, and this life of the object, unless it is of this class. What it stored stays.
fn must_be(class: &str) {
    if state::class() != class {
        state::abort(Some(&format!("This is a method of {class}, and not of {}.", state::class())));
        unreachable!("abort does not return");
    }
}

/// A stub is made at once and asks nobody; the object starts with the first call.
fn stub(class: &str, name: &str) -> Stub {
    namespace::get_by_name(class, name).expect("dohost.toml has the class, and names of objects are short")
}

/// In milliseconds since 1970.
fn now() -> u64 {
    let now = system_clock::now();
    u64::try_from(now.seconds).unwrap_or(0) * 1_000 + u64::from(now.nanoseconds / 1_000_000)
}

const NAME_CHARACTERS: u32 = 40;

/// Whether a room or a user may have this name.
fn is_name(name: &str) -> bool {
    (1..=NAME_CHARACTERS as usize).contains(&name.chars().count())
}
