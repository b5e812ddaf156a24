//! What a guest should not do, and what the host must survive.
//!
//! | path | deed |
//! | --- | --- |
//! | `/trap` | panics |
//! | `/put-then-trap?key=&value=` | writes, then panics: the write must not stay |
//! | `/put-then-wait-then-trap?key=&value=` | writes, waits until that is durable, then panics: the write must stay |
//! | `/put-then-exception?key=&value=` | writes, then fails in its own words: the write must stay |
//! | `/put-then-yield-then-trap?key=&value=` | writes, yields, writes `{key}-2`, then panics: neither may stay |
//! | `/spin` | never gives way |
//! | `/yield`, `/yield?blocking=true` | yields for ever: it gives way, but waits for nothing |
//! | `/give-up?key=&later=true` | begins a read and drops it, at once or later; says whether it `waited` |
//! | `/recurse` | runs out of stack |
//! | `/grow?bytes=` | takes so much memory for good; 507 if it gets none |

use std::hint::black_box;
use std::pin::pin;

use futures_util::future::poll_immediate;

use crate::dohost::object::storage;
use crate::exports::dohost::object::handler::Response;
use crate::query::Query;
use crate::reply::{Failure, text};

pub async fn call(path: &str, query: &Query) -> Result<Response, Failure> {
    match path {
        "/trap" => panic!("asked to"),
        "/put-then-trap" => {
            put(query).await?;
            panic!("asked to")
        }
        "/put-then-wait-then-trap" => {
            put(query).await?;
            storage::sync().await;
            panic!("asked to")
        }
        "/put-then-yield-then-trap" => {
            put(query).await?;
            wit_bindgen::yield_async().await;
            storage::put(query.text("key")? + "-2", Vec::new()).await?;
            panic!("asked to")
        }
        "/put-then-exception" => {
            put(query).await?;
            Err(Failure::Thrown("thrown after a write".to_string()))
        }
        "/spin" => loop {
            black_box(());
        },
        "/yield" if query.says("blocking") => loop {
            wit_bindgen::yield_blocking();
        },
        "/yield" => loop {
            wit_bindgen::yield_async().await;
        },
        "/give-up" => give_up(query).await,
        "/recurse" => Ok(text(200, recurse(1))),
        "/grow" => grow(query.number("bytes")?),
        _ => Ok(text(404, "Not found")),
    }
}

async fn put(query: &Query) -> Result<(), Failure> {
    storage::put(query.text("key")?, query.text("value")?.into_bytes()).await?;
    Ok(())
}

async fn give_up(query: &Query) -> Result<Response, Failure> {
    let mut read = pin!(storage::get(query.text("key")?));
    let has_waited = poll_immediate(&mut read).await.is_none();
    if query.says("later") {
        // Ends after the read, which holds the gate. Nobody has taken the answer by then.
        storage::sync().await;
    }
    Ok(text(200, if has_waited { "waited" } else { "did not wait" }))
}

/// Deeper with each call, and never done. What comes after the call keeps the compiler from making a loop of it.
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if frame[0] == 0 { 0 } else { recurse(depth + 1) + frame[63] }
}

fn grow(bytes: usize) -> Result<Response, Failure> {
    let mut memory = Vec::<u8>::new();
    if memory.try_reserve_exact(bytes).is_err() {
        return Ok(text(507, "no memory"));
    }
    memory.resize(bytes, 1);
    memory.leak();
    Ok(text(200, bytes))
}
