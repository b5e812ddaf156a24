//! An object with a constructor, for tests of the host. Its name says what the constructor does, as that has no
//! parameters: a deed, and after a `-` what the deed needs to know.
//!
//! | name | the constructor |
//! | --- | --- |
//! | `throws-N` | throws the first N times that the object is constructed |
//! | `traps-N`, `aborts-N` | the same, and traps or aborts |
//! | `fetches-AUTHORITY` | asks that server for `/construct`, and keeps the answer as `fetched` |
//! | `calls-CLASS` | calls `/increment` of the object `callee` of that class, and keeps the answer as `called` |
//! | `calls_itself` | the same with `/constructions` of this very object |
//! | `circles` | the same through the object `middle` of the class `probe` |
//! | `sleeps-MS` | waits for a timer |
//! | `enters` | goes through a critical section |
//! | `transacts` | keeps `kept` by one transaction and rolls `dropped` back by another |
//! | `lingers-AUTHORITY` | leaves work behind that asks that server for `/linger` and then keeps the answer as `lingered` |
//! | all others | does nothing more |
//!
//! Each construction is counted, durably, before the deed. What a deed that fails writes is called `left-behind`.
//!
//! | path | reply |
//! | --- | --- |
//! | `/constructions` | how often the object was constructed in all its lives |
//! | `/constructions-here` | how often in this life |
//! | `/events-here` | how many events this life has seen before this one |
//! | `/is-constructed` | whether the constructor was done when this life's first event came |
//! | `/get/KEY` | the value, or 404 |
//! | `/trap` | none |

use std::cell::Cell;

use dohost::object::types::{Header, Request, Response};
use dohost::object::{concurrency, namespace, outgoing, state, storage, transactions};
use exports::dohost::object::construction::Guest as Construction;
use exports::dohost::object::handler::{Exception, Guest};
use wasi::clocks::monotonic_clock;

wit_bindgen::generate!({
    inline: "
        package dohost:constructed;

        /// An object with a constructor, which knows the time too.
        world constructed {
            include dohost:object/object@0.1.0;
            import wasi:clocks/monotonic-clock@0.3.0;
            export dohost:object/construction@0.1.0;
        }
    ",
    path: "../../wit",
    world: "dohost:constructed/constructed",
    generate_all,
});

struct Constructed;

export!(Constructed);

thread_local! {
    static CONSTRUCTIONS: Cell<u32> = const { Cell::new(0) };
    static IS_DONE: Cell<bool> = const { Cell::new(false) };
    static WAS_DONE_AT_FIRST_EVENT: Cell<bool> = const { Cell::new(false) };
    static EVENTS: Cell<u32> = const { Cell::new(0) };
}

impl Construction for Constructed {
    async fn construct() -> Result<(), Exception> {
        CONSTRUCTIONS.set(CONSTRUCTIONS.get() + 1);
        let number = constructions().await? + 1;
        put("constructions", number.to_string()).await?;
        let name = state::name().unwrap_or_default();
        let (deed, argument) = name.split_once('-').unwrap_or((&name, ""));
        let still_fails = number <= argument.parse().unwrap_or(0);
        match deed {
            "throws" | "traps" | "aborts" if still_fails => {
                storage::sync().await;
                put("left-behind", "1").await?;
                match deed {
                    "throws" => return Err(format!("construction {number} threw")),
                    "traps" => panic!("asked to"),
                    _ => state::abort(Some("not like this")),
                }
            }
            "fetches" => put("fetched", fetch(argument, "/construct").await?).await?,
            "calls" => put("called", call(argument, "callee", "/increment").await?).await?,
            "calls_itself" => {
                let answer = call(&state::class(), &name, "/constructions").await;
                put("called", answer.unwrap_or_else(|why| why)).await?;
            }
            "circles" => {
                let path = format!("/steps?do=call+{}/{name}+/constructions", state::class());
                put("called", call("probe", "middle", &path).await?).await?;
            }
            "sleeps" => monotonic_clock::wait_for(argument.parse().unwrap_or(0) * 1_000_000).await,
            "enters" => {
                let section = concurrency::block_concurrency().await.map_err(|error| format!("{error:?}"))?;
                storage::sync().await;
                section.end();
            }
            "transacts" => {
                for (key, is_kept) in [("kept", true), ("dropped", false)] {
                    let transaction = transactions::begin().await.map_err(|error| error.to_string())?;
                    put(key, "1").await?;
                    storage::sync().await;
                    let end = if is_kept { transaction.commit() } else { transaction.rollback() };
                    end.map_err(|error| error.to_string())?;
                }
            }
            "lingers" => {
                let authority = argument.to_string();
                wit_bindgen::spawn_local(async move {
                    let answer = fetch(&authority, "/linger").await.unwrap_or_else(|why| why);
                    // Nobody is there who could be told of a failure; the test looks for the key.
                    let _ = put("lingered", answer).await;
                });
            }
            _ => {}
        }
        IS_DONE.set(true);
        Ok(())
    }
}

impl Guest for Constructed {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        let events = EVENTS.replace(EVENTS.get() + 1);
        if events == 0 {
            WAS_DONE_AT_FIRST_EVENT.set(IS_DONE.get());
        }
        let body = match request.path.as_str() {
            "/constructions" => constructions().await?.to_string(),
            "/constructions-here" => CONSTRUCTIONS.get().to_string(),
            "/events-here" => events.to_string(),
            "/is-constructed" => WAS_DONE_AT_FIRST_EVENT.get().to_string(),
            "/trap" => panic!("asked to"),
            path => match path.strip_prefix("/get/") {
                Some(key) => match storage::get(key.to_string()).await.map_err(|error| error.to_string())? {
                    Some(value) => String::from_utf8_lossy(&value).into_owned(),
                    None => return Ok(text(404, "no such key")),
                },
                None => return Ok(text(404, "Not found")),
            },
        };
        Ok(text(200, &body))
    }
}

async fn constructions() -> Result<u32, Exception> {
    let count = storage::get("constructions".to_string()).await.map_err(|error| error.to_string())?;
    Ok(count.and_then(|digits| str::from_utf8(&digits).ok()?.parse().ok()).unwrap_or(0))
}

async fn put(key: &str, value: impl Into<String>) -> Result<(), Exception> {
    storage::put(key.to_string(), value.into().into_bytes()).await.map_err(|error| error.to_string())
}

async fn fetch(authority: &str, path: &str) -> Result<String, Exception> {
    let reply = outgoing::fetch(request(authority, path)).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&reply.body).into_owned())
}

async fn call(class: &str, name: &str, path: &str) -> Result<String, Exception> {
    let stub = namespace::get_by_name(class, name).map_err(|error| error.to_string())?;
    let reply = stub.fetch(request("object", path)).await.map_err(|error| format!("failed: {}", error.message))?;
    Ok(String::from_utf8_lossy(&reply.body).into_owned())
}

fn request(authority: &str, target: &str) -> Request {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Request {
        method: "GET".to_string(),
        scheme: "http".to_string(),
        authority: authority.to_string(),
        path: path.to_string(),
        query: query.map(str::to_string),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

fn text(status: u16, body: &str) -> Response {
    let content_type = Header { name: "content-type".to_string(), value: b"text/plain".to_vec() };
    Response { status, headers: vec![content_type], body: body.as_bytes().to_vec() }
}
