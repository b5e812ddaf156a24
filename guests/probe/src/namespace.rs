//! `/namespace/…`: ids, stubs and calls to other objects.
//!
//! | function | parameters | reply |
//! | --- | --- | --- |
//! | `id-from-name` | `class`, `name` | the id |
//! | `id-from-string` | `class`, `id` | the id |
//! | `new-unique-id` | `class` | the id |
//! | `stub` | `class`, and `name` or `id` | lines `id …` and, if the stub has one, `name …` |
//! | `call` | `class`, `name` or `id`, `path` | the object's reply, or 502 and the call error in lines |
//! | `call-then-increment` | those of `call` and of `/storage/increment` | the new number |
//! | `in-order` | `class`, `name`, `steps`, `spin` | how many calls it made, see [`in_order`] |
//!
//! `call` sends the method and the body of the request to the probe, and `path` may hold a query. With more than one
//! `path` it makes that many calls through one stub, one after the other, or with `at-once=true` all at once; the reply
//! is then a line `<status> <body>` per call. `header-len` adds a header with a value of that length.

use std::future::ready;
use std::hint::black_box;
use std::pin::Pin;

use futures_util::future::{join_all, poll_immediate};

use crate::dohost::object::namespace::{self, CallError, Error, Stub};
use crate::dohost::object::{storage, types::Header};
use crate::exports::dohost::object::handler::{Request, Response};
use crate::query::Query;
use crate::reply::{Failure, lines, text};

pub async fn call(function: &str, request: &Request, query: &Query) -> Result<Response, Failure> {
    let class = query.text("class")?;
    match function {
        "id-from-name" => Ok(text(200, namespace::id_from_name(&class, &query.text("name")?)?)),
        "id-from-string" => Ok(text(200, namespace::id_from_string(&class, &query.text("id")?)?)),
        "new-unique-id" => Ok(text(200, namespace::new_unique_id(&class)?)),
        "stub" => {
            let stub = stub(&class, query)?;
            let name = stub.name().map(|name| format!("name {name}"));
            Ok(lines([format!("id {}", stub.id())].into_iter().chain(name)))
        }
        "call-then-increment" => {
            let reply = calls(&stub(&class, query)?, request, query).await?;
            if reply.status == 200 { crate::storage::increment(query).await } else { Ok(reply) }
        }
        "in-order" => in_order(&class, request, query).await,
        "call" => calls(&stub(&class, query)?, request, query).await,
        _ => Err(Failure::of_probe(format!("no such function: {function}"))),
    }
}

fn stub(class: &str, query: &Query) -> Result<Stub, Failure> {
    Ok(match query.get("name") {
        Some(name) => namespace::get_by_name(class, &name)?,
        None => namespace::get(class, &query.text("id")?)?,
    })
}

async fn calls(stub: &Stub, request: &Request, query: &Query) -> Result<Response, Failure> {
    let header_len = query.get("header-len").map(|_| query.number::<usize>("header-len")).transpose()?;
    // Made when it is sent, so that no more than one of them is in memory here.
    let fetch = async |path: String| {
        let mut request = to(&path, request);
        request.headers.extend(header_len.map(|len| Header { name: "x-long".to_string(), value: vec![b'x'; len] }));
        stub.fetch(request).await
    };
    let mut paths = query.all("path").collect::<Vec<_>>();
    if paths.len() <= 1 {
        let path = paths.pop().ok_or_else(|| Failure::of_probe("parameter path is missing"))?;
        return Ok(fetch(path).await.unwrap_or_else(failure));
    }
    let replies = if query.says("at-once") {
        join_all(paths.into_iter().map(fetch)).await
    } else {
        let mut replies = Vec::new();
        for path in paths {
            replies.push(fetch(path).await);
        }
        replies
    };
    Ok(lines(replies.into_iter().map(|reply| {
        let reply = reply.unwrap_or_else(failure);
        let body = String::from_utf8_lossy(&reply.body).trim_end().replace('\n', ", ");
        format!("{} {body}", reply.status)
    })))
}

type Call<'a> = Pin<Box<dyn Future<Output = Result<Response, CallError>> + 'a>>;

/// Makes calls through one stub at moments that a script picks; the n-th appends `n,` to the key `log` of the object. A
/// letter is a step:
///
/// - `c` begins the next call and does not wait for it
/// - `p` writes
/// - `s` computes for as many rounds as `spin` says
/// - `o` begins a call to another object, which no later write holds back
/// - `w` waits for the last `o`
/// - `r` waits for the replies to all calls so far
async fn in_order(class: &str, request: &Request, query: &Query) -> Result<Response, Failure> {
    let name = query.text("name")?;
    let (stub, other) =
        (namespace::get_by_name(class, &name)?, namespace::get_by_name(class, &format!("{name}-other"))?);
    let spin: u64 = query.number("spin")?;
    let (mut calls, mut made) = (Vec::new(), 0);
    let mut other_call: Option<Call<'_>> = None;
    for step in query.text("steps")?.chars() {
        match step {
            'c' => {
                made += 1;
                let path = format!("/storage/append?key=log&value={made},");
                calls.push(begin(Box::pin(stub.fetch(to(&path, request)))).await);
            }
            'p' => storage::put("step".to_string(), made.to_string().into_bytes()).await?,
            's' => (0..spin).for_each(|_| black_box(())),
            'o' => other_call = Some(begin(Box::pin(other.fetch(to("/memory", request)))).await),
            'r' => all_replied(&mut calls).await?,
            'w' => drop(other_call.take().ok_or_else(|| Failure::of_probe("w without o"))?.await),
            _ => return Err(Failure::of_probe(format!("no such step: {step}"))),
        }
    }
    all_replied(&mut calls).await?;
    Ok(text(200, made))
}

async fn all_replied(calls: &mut Vec<Call<'_>>) -> Result<(), Failure> {
    match join_all(calls.drain(..)).await.into_iter().find(|reply| !matches!(reply, Ok(Response { status: 200, .. }))) {
        Some(reply) => Err(Failure::of_probe(format!("a call was refused: {reply:?}"))),
        None => Ok(()),
    }
}

async fn begin(mut call: Call<'_>) -> Call<'_> {
    match poll_immediate(&mut call).await {
        Some(reply) => Box::pin(ready(reply)),
        None => call,
    }
}

/// The same request to another path.
fn to(target: &str, request: &Request) -> Request {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_string())),
        None => (target, None),
    };
    Request { path: path.to_string(), query, headers: Vec::new(), ..request.clone() }
}

fn failure(error: CallError) -> Response {
    let facts = [
        format!("message {}", error.message),
        format!("remote {}", error.remote),
        format!("retryable {}", error.retryable),
        format!("overloaded {}", error.overloaded),
    ];
    Response { status: 502, ..lines(facts) }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (case, text) = match error {
            Error::UnknownClass(text) => ("unknown-class", text),
            Error::InvalidId(text) => ("invalid-id", text),
            Error::TooLarge(text) => ("too-large", text),
        };
        Self::Refused { case, text }
    }
}
