//! `/steps`: one event that does several things, each named by a parameter, with the reply one line per step.
//!
//! `do` is a step, done in the order in which they come. `beside` is a step of a second lane, which runs concurrently in
//! the same event. `after` is a step that is done after the reply has been given. `outside` is the authority that `fetch`
//! asks.
//!
//! | step | line |
//! | --- | --- |
//! | `put K V`, `put-unconfirmed K V`, `delete-all`, `sync` | `ok` |
//! | `get K` | the value, or `none` |
//! | `get-many K…`, `list [PREFIX]`, `list-reverse [PREFIX]` | `a=1 b=2`, or `nothing` |
//! | `delete K` | `true` or `false` |
//! | `delete-unconfirmed K…` | how many there were |
//! | `put-many K=V…`, `put-many-unconfirmed K=V…` | `ok` |
//! | `set-alarm TIME` | what the host says of it, as this object has no handler for alarms |
//! | `put-large K BYTES`, `put-large-unconfirmed K BYTES` | `ok` |
//! | `increment K`, `slow-increment K` | the new number; the slow one lets others in between reading and writing |
//! | `enter S`, `leave S`, `drop-section S`, `leak-section S`, `enter-many N` | see [`crate::sections`] |
//! | `begin T`, `begin-many N`, `commit T`, `rollback T`, `drop T`, `leak T` | see [`crate::transactions`] |
//! | `fetch K`, `call OBJECT PATH`, `sleep MS` | the answer; see [`crate::pending`] |
//! | `begin-fetch K`, `begin-call K OBJECT PATH`, `begin-sleep K MS`, `begin-sync K` | `begun` |
//! | `is-done K`, `await K`, `give-up K` | `true` or `false`; the answer; `ok` |
//! | `note X` | `ok`; this instance remembers it, and `/notes` tells |
//! | `yield` | `ok` |
//! | `memory` | how often this instance was asked that |
//! | `throw TEXT`, `trap`, `abort [REASON]` | none |
//!
//! What the host refuses is a line too, `<case>: <text>`, and the next step is done.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::{Either, join, select};

use crate::dohost::object::alarms;
use crate::dohost::object::storage::{self, Entry, ListOptions};
use crate::exports::dohost::object::handler::Response;
use crate::lifecycle;
use crate::pending::Pending;
use crate::query::Query;
use crate::reply::{Failure, lines};
use crate::sections::Sections;
use crate::transactions::Transactions;

/// What the steps of one event have in common.
struct Steps {
    sections: Sections,
    transactions: Transactions,
    pending: Pending,
}

type Line = Result<String, Failure>;

pub async fn call(query: &Query) -> Result<Response, Failure> {
    let pending = Pending::new(query.get("outside"));
    let steps = Rc::new(Steps { sections: Sections::default(), transactions: Transactions::default(), pending });
    let lane = |name: &str| query.all(name).collect::<Vec<String>>();
    let said = both(steps.lane(lane("do")), steps.lane(lane("beside"))).await?;
    let after = lane("after");
    if !after.is_empty() {
        wit_bindgen::spawn_local(async move {
            // Nobody is there any more who could be told.
            let _ = steps.lane(after).await;
        });
    }
    Ok(lines(said))
}

/// The lines of both; or why one of them ended early, which ends the other one too.
async fn both(
    first: impl Future<Output = Result<Vec<String>, Failure>>,
    second: impl Future<Output = Result<Vec<String>, Failure>>,
) -> Result<Vec<String>, Failure> {
    let failure: RefCell<Option<Failure>> = RefCell::default();
    let never = async |result: Result<Vec<String>, Failure>| match result {
        Ok(lines) => lines,
        Err(why) => {
            *failure.borrow_mut() = Some(why);
            std::future::pending().await
        }
    };
    let lanes = join(async { never(first.await).await }, async { never(second.await).await });
    let failed = std::future::poll_fn(|_| match failure.borrow_mut().take() {
        Some(why) => std::task::Poll::Ready(why),
        None => std::task::Poll::Pending,
    });
    match select(std::pin::pin!(lanes), failed).await {
        Either::Left(((first, second), _)) => Ok([first, second].concat()),
        Either::Right((why, _)) => Err(why),
    }
}

impl Steps {
    /// Does steps one after the other.
    async fn lane(&self, steps: Vec<String>) -> Result<Vec<String>, Failure> {
        let mut said = Vec::new();
        for step in steps {
            let words: Vec<&str> = step.split(' ').collect();
            said.push(match self.step(&words).await {
                Ok(line) => line,
                Err(Failure::Refused { case, text }) => format!("{case}: {text}"),
                Err(failure @ Failure::Thrown(_)) => return Err(failure),
            });
        }
        Ok(said)
    }

    async fn step(&self, words: &[&str]) -> Line {
        match *words {
            ["enter", section] => self.sections.enter(section).await,
            ["leave", section] => self.sections.leave(section),
            ["drop-section", section] => self.sections.discard(section),
            ["leak-section", section] => self.sections.leak(section),
            ["enter-many", count] => self.sections.enter_many(count).await,
            ["begin", name] => self.transactions.begin(name).await,
            ["begin-many", count] => self.transactions.begin_many(count).await,
            ["commit", name] => self.transactions.commit(name),
            ["rollback", name] => self.transactions.rollback(name),
            ["drop", name] => self.transactions.discard(name),
            ["leak", name] => self.transactions.leak(name),
            ["throw", ..] => Err(Failure::Thrown(words[1..].join(" "))),
            ["trap"] => panic!("asked to"),
            ["abort", ..] => lifecycle::abort(&words[1..]),
            ["note", note] => lifecycle::note(note),
            ["memory"] => Ok(lifecycle::memory().to_string()),
            ["yield"] => {
                wit_bindgen::yield_async().await;
                ok()
            }
            _ => match self.pending.step(words).await {
                Some(line) => line,
                None => store(words).await,
            },
        }
    }
}

/// Steps that are one call of the store.
async fn store(words: &[&str]) -> Line {
    match *words {
        ["get", key] => Ok(storage::get(key.to_string()).await?.map_or("none".to_string(), text)),
        ["get-many", ..] => Ok(of_entries(storage::get_many(owned(&words[1..])).await?)),
        ["list"] => list("", false).await,
        ["list", prefix] => list(prefix, false).await,
        ["list-reverse"] => list("", true).await,
        ["list-reverse", prefix] => list(prefix, true).await,
        ["put", key, value] => {
            storage::put(key.to_string(), value.as_bytes().to_vec()).await?;
            ok()
        }
        ["put-many", ..] => {
            storage::put_many(entries(&words[1..])).await?;
            ok()
        }
        ["put-unconfirmed", key, value] => {
            storage::put_unconfirmed(vec![entry(key, value)]).await?;
            ok()
        }
        ["put-many-unconfirmed", ..] => {
            storage::put_unconfirmed(entries(&words[1..])).await?;
            ok()
        }
        ["delete", key] => Ok(storage::delete(key.to_string()).await?.to_string()),
        ["delete-unconfirmed", ..] => Ok(storage::delete_unconfirmed(owned(&words[1..])).await?.to_string()),
        ["delete-all"] => {
            storage::delete_all().await?;
            ok()
        }
        ["sync"] => {
            storage::sync().await;
            ok()
        }
        ["set-alarm", time] => {
            alarms::set(String::new(), time.parse().unwrap_or(0)).await?;
            ok()
        }
        ["put-large", key, bytes] => {
            storage::put(key.to_string(), large(bytes)).await?;
            ok()
        }
        ["put-large-unconfirmed", key, bytes] => {
            storage::put_unconfirmed(vec![Entry { key: key.to_string(), value: large(bytes) }]).await?;
            ok()
        }
        ["increment", key] => increment(key, false).await,
        ["slow-increment", key] => increment(key, true).await,
        _ => Err(Failure::of_probe(format!("no such step: {}", words.join(" ")))),
    }
}

async fn increment(key: &str, is_slow: bool) -> Line {
    let old = storage::get(key.to_string()).await?.map_or("0".to_string(), text);
    if is_slow {
        storage::sync().await;
    }
    let new = old.parse().unwrap_or(0_u64) + 1;
    storage::put(key.to_string(), new.to_string().into_bytes()).await?;
    Ok(new.to_string())
}

async fn list(prefix: &str, reverse: bool) -> Line {
    let prefix = Some(prefix.to_string()).filter(|prefix| !prefix.is_empty());
    let options = ListOptions { start: None, start_after: None, end: None, prefix, reverse, limit: None };
    Ok(of_entries(storage::list(options).await?))
}

pub fn ok() -> Line {
    Ok("ok".to_string())
}

fn text(value: Vec<u8>) -> String {
    String::from_utf8_lossy(&value).into_owned()
}

fn large(bytes: &str) -> Vec<u8> {
    vec![b'x'; bytes.parse().unwrap_or(0)]
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| word.to_string()).collect()
}

fn entry(key: &str, value: &str) -> Entry {
    Entry { key: key.to_string(), value: value.as_bytes().to_vec() }
}

fn entries(words: &[&str]) -> Vec<Entry> {
    words.iter().map(|word| word.split_once('=').map_or_else(|| entry(word, ""), |(k, v)| entry(k, v))).collect()
}

fn of_entries(entries: Vec<Entry>) -> String {
    if entries.is_empty() {
        return "nothing".to_string();
    }
    let words: Vec<String> = entries.into_iter().map(|Entry { key, value }| format!("{key}={}", text(value))).collect();
    words.join(" ")
}
