//! `/storage/…`: every function of the store, by its own name.
//!
//! | function | parameters | reply |
//! | --- | --- | --- |
//! | `get` | `key` | the value, or 404 |
//! | `get-many` | `keys=a,b,c` or `count` | lines `key=value` |
//! | `put` | `key`, value | `ok` |
//! | `put-many` | `entries=a=1,b=2`, or (`keys` or `count`) and value | `ok` |
//! | `put-each` | `keys`, value, `beside` | `ok`; the keys are put one by one, with a read of `beside` after each |
//! | `delete` | `key` | `true` or `false` |
//! | `delete-many` | `keys` or `count` | how many |
//! | `list` | `start`, `start-after`, `end`, `prefix`, `reverse=true`, `limit` | lines `key=value` |
//! | `delete-all`, `sync` | | `ok` |
//! | `increment` | `key`, `pause=true`, `beside` | the new number; see [`increment`] |
//! | `append` | `key`, value | `ok`; the value is added to the end of what is there |
//! | `fill` | `count`, `value-len` | puts so many keys of 4 letters one by one; how many, or the refusal |
//!
//! A value is `value`, or as many `x` as `value-len` says, or else the request's body. `key-len` stands for a `key` of
//! as many `k`, and `count` for that many keys `key-0000`, `key-0001`…

use crate::dohost::object::storage::{self, Entry, Error, ListOptions};
use crate::exports::dohost::object::handler::{Request, Response};
use crate::query::Query;
use crate::reply::{Failure, bytes, lines, text};

pub async fn call(function: &str, request: &Request, query: &Query) -> Result<Response, Failure> {
    match function {
        "get" => match storage::get(key(query)?).await? {
            Some(value) => Ok(bytes(200, value)),
            None => Ok(text(404, "no such key")),
        },
        "get-many" => Ok(entry_lines(storage::get_many(keys(query)?).await?)),
        "put" => {
            storage::put(key(query)?, value(request, query)?).await?;
            Ok(text(200, "ok"))
        }
        "put-many" => {
            storage::put_many(entries(request, query)?).await?;
            Ok(text(200, "ok"))
        }
        "put-each" => {
            for key in keys(query)? {
                storage::put(key, value(request, query)?).await?;
                if let Some(beside) = query.get("beside") {
                    storage::get(beside).await?;
                }
            }
            Ok(text(200, "ok"))
        }
        "delete" => Ok(text(200, storage::delete(key(query)?).await?)),
        "delete-many" => Ok(text(200, storage::delete_many(keys(query)?).await?)),
        "list" => Ok(entry_lines(storage::list(list_options(query)?).await?)),
        "delete-all" => {
            storage::delete_all().await?;
            Ok(text(200, "ok"))
        }
        "sync" => {
            storage::sync().await;
            Ok(text(200, "ok"))
        }
        "increment" => increment(query).await,
        "append" => {
            let key = key(query)?;
            let mut all = storage::get(key.clone()).await?.unwrap_or_default();
            all.extend(value(request, query)?);
            storage::put(key, all).await?;
            Ok(text(200, "ok"))
        }
        "fill" => fill(query).await,
        _ => Err(Failure::of_probe(format!("no such function: {function}"))),
    }
}

/// Reads, adds one, writes. With a pause in the middle an increment that overlaps gets lost; without, none may, not even
/// with a read of the key `beside` in the middle.
pub async fn increment(query: &Query) -> Result<Response, Failure> {
    let key = key(query)?;
    let old = storage::get(key.clone()).await?.unwrap_or_default();
    if query.says("pause") {
        storage::sync().await;
    }
    if let Some(beside) = query.get("beside") {
        storage::get(beside).await?;
    }
    let new = String::from_utf8_lossy(&old).parse().unwrap_or(0_u64) + 1;
    storage::put(key, new.to_string().into_bytes()).await?;
    Ok(text(200, new))
}

async fn fill(query: &Query) -> Result<Response, Failure> {
    let (count, value) = (query.number::<u32>("count")?, vec![b'x'; query.number("value-len")?]);
    for number in 0..count {
        let letter = |place: u32| char::from(b'a' + (number / 26_u32.pow(place) % 26) as u8);
        let key = (0..4).rev().map(letter).collect();
        if let Err(error) = storage::put(key, value.clone()).await {
            let Failure::Refused { case, text } = Failure::from(error) else { unreachable!("the host refused") };
            return Err(Failure::Refused { case, text: format!("{text} (after {number})") });
        }
    }
    Ok(text(200, count))
}

fn key(query: &Query) -> Result<String, Failure> {
    match query.get("key") {
        Some(key) => Ok(key),
        None if query.get("key-len").is_some() => Ok("k".repeat(query.number("key-len")?)),
        None => query.text("key"),
    }
}

pub fn value(request: &Request, query: &Query) -> Result<Vec<u8>, Failure> {
    match query.get("value") {
        Some(value) => Ok(value.into_bytes()),
        None if query.get("value-len").is_some() => Ok(vec![b'x'; query.number("value-len")?]),
        None => Ok(request.body.clone()),
    }
}

fn keys(query: &Query) -> Result<Vec<String>, Failure> {
    if query.get("count").is_some() {
        let count: u32 = query.number("count")?;
        return Ok((0..count).map(|number| format!("key-{number:04}")).collect());
    }
    let keys = query.text("keys")?;
    Ok(if keys.is_empty() { Vec::new() } else { keys.split(',').map(str::to_string).collect() })
}

fn entries(request: &Request, query: &Query) -> Result<Vec<Entry>, Failure> {
    let Some(entries) = query.get("entries") else {
        let value = value(request, query)?;
        return Ok(keys(query)?.into_iter().map(|key| Entry { key, value: value.clone() }).collect());
    };
    let entry = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        Some(Entry { key: key.to_string(), value: value.as_bytes().to_vec() })
    };
    let entries = entries.split(',').map(entry).collect::<Option<_>>();
    entries.ok_or_else(|| Failure::of_probe("entries are not like a=1,b=2"))
}

fn list_options(query: &Query) -> Result<ListOptions, Failure> {
    Ok(ListOptions {
        start: query.get("start"),
        start_after: query.get("start-after"),
        end: query.get("end"),
        prefix: query.get("prefix"),
        reverse: query.says("reverse"),
        limit: query.get("limit").map(|_| query.number("limit")).transpose()?,
    })
}

fn entry_lines(entries: Vec<Entry>) -> Response {
    lines(entries.into_iter().map(|entry| format!("{}={}", entry.key, String::from_utf8_lossy(&entry.value))))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (case, text) = match error {
            Error::Invalid(text) => ("invalid", text),
            Error::TooLarge(text) => ("too-large", text),
            Error::NotAllowed(text) => ("not-allowed", text),
        };
        Self::Refused { case, text }
    }
}
