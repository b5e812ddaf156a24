//! An object that does what its request says, for tests of the host.
//!
//! The path names the deed, the query its parameters. Replies are plain text, one fact per line.
//!
//! | path | deed |
//! | --- | --- |
//! | `/echo` | tells method, scheme, authority, path, query, headers and body |
//! | `/body` | gives the request's body back |
//! | `/status?code=` | replies with that status |
//! | `/header?name=&value=` | replies with that header |
//! | `/headers?count=` | replies with so many headers, each of another name |
//! | `/bytes?len=` | replies with so many `x` |
//! | `/exception?message=` | fails in its own words |
//! | `/state` | `id`, `name` (a line that is left out if there is none), `class` |
//! | `/memory` | how often this instance was asked that, 1 if it is fresh |
//! | `/overlap` | the most events that were ever in flight on this instance, this one included |
//! | `/fetch?url=` | sends a request of the same method and body to the network |
//! | `/storage/…` | see [`storage`] |
//! | `/namespace/…` | see [`namespace`] |
//! | `/script` | see [`script`] |
//! | `/steps?do=…&do=…` | several things in one event, see [`steps`] |
//! | `/notes` | what steps have noted on this instance, in order |
//! | `/trap`, `/put-then-trap`, `/spin`… | see [`harm`] |
//!
//! What the host refuses comes back as status 400 and `<case>: <text>`, such as `too-large: …`; what the probe itself
//! does not understand as 400 and `probe: …`.

mod harm;
mod lifecycle;
mod namespace;
mod network;
mod pending;
mod query;
mod reply;
mod script;
mod sections;
mod steps;
mod storage;
mod transactions;

use std::cell::Cell;

use dohost::object::{state, types::Header};
use exports::dohost::object::handler::{Exception, Guest, Request, Response};

use crate::query::Query;
use crate::reply::{Failure, bytes, lines, text};

wit_bindgen::generate!({
    inline: "
        package dohost:probe;

        /// An object that knows the time too.
        world probe {
            include dohost:object/object@0.1.0;
            import wasi:clocks/monotonic-clock@0.3.0;
        }
    ",
    path: "../../wit",
    world: "dohost:probe/probe",
    generate_all,
});

struct Probe;

export!(Probe);

thread_local! {
    static IN_FLIGHT: Cell<u32> = const { Cell::new(0) };
    static MOST_IN_FLIGHT: Cell<u32> = const { Cell::new(0) };
}

impl Guest for Probe {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        IN_FLIGHT.set(IN_FLIGHT.get() + 1);
        MOST_IN_FLIGHT.set(MOST_IN_FLIGHT.get().max(IN_FLIGHT.get()));
        let query = Query::of(&request);
        let done = deed(&request, &query).await.or_else(Failure::into_reply);
        IN_FLIGHT.set(IN_FLIGHT.get() - 1);
        done
    }
}

async fn deed(request: &Request, query: &Query) -> Result<Response, Failure> {
    let path = request.path.as_str();
    if let Some(function) = path.strip_prefix("/storage/") {
        return storage::call(function, request, query).await;
    }
    if let Some(function) = path.strip_prefix("/namespace/") {
        return namespace::call(function, request, query).await;
    }
    match path {
        "/echo" => Ok(echo(request)),
        "/body" => Ok(bytes(200, request.body.clone())),
        "/status" => Ok(text(query.number("code")?, "")),
        "/header" => {
            let mut reply = text(200, "");
            reply.headers.push(Header { name: query.text("name")?, value: query.text("value")?.into_bytes() });
            Ok(reply)
        }
        "/headers" => {
            let headers = (0..query.number("count")?).map(|number: u32| format!("x-{number}"));
            let headers = headers.map(|name| Header { name, value: Vec::new() });
            Ok(Response { headers: headers.collect(), ..text(200, "") })
        }
        "/bytes" => Ok(bytes(200, vec![b'x'; query.number("len")?])),
        "/exception" => Err(Failure::Thrown(query.text("message")?)),
        "/state" => Ok(state_lines()),
        "/memory" => Ok(text(200, lifecycle::memory())),
        "/notes" => Ok(lines(lifecycle::notes())),
        "/steps" => steps::call(query).await,
        "/overlap" => Ok(text(200, MOST_IN_FLIGHT.get())),
        "/fetch" => network::fetch(request, query).await,
        "/script" => script::run(request).await,
        _ => harm::call(path, query).await,
    }
}

fn echo(request: &Request) -> Response {
    let mut facts = vec![
        format!("method {}", request.method),
        format!("scheme {}", request.scheme),
        format!("authority {}", request.authority),
        format!("path {}", request.path),
    ];
    facts.extend(request.query.iter().map(|query| format!("query {query}")));
    for header in &request.headers {
        facts.push(format!("header {}: {}", header.name, String::from_utf8_lossy(&header.value)));
    }
    facts.push(format!("body {}", String::from_utf8_lossy(&request.body)));
    lines(facts)
}

fn state_lines() -> Response {
    let mut facts = vec![format!("id {}", state::id())];
    facts.extend(state::name().map(|name| format!("name {name}")));
    facts.push(format!("class {}", state::class()));
    lines(facts)
}
