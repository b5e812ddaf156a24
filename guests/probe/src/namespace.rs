//! `/namespace/…`: ids, stubs and calls to other objects.
//!
//! | function | parameters | reply |
//! | --- | --- | --- |
//! | `id-from-name` | `class`, `name` | the id |
//! | `id-from-string` | `class`, `id` | the id |
//! | `new-unique-id` | `class` | the id |
//! | `stub` | `class`, and `name` or `id` | lines `id …` and, if the stub has one, `name …` |
//! | `call` | `class`, `name` or `id`, `path` | the object's reply, or 502 and the call error in lines |
//!
//! `call` sends the method and the body of the request to the probe, and `path` may hold a query. With more than one
//! `path` it makes that many calls through one stub, one after the other, or with `at-once=true` all at once; the reply
//! is then a line `<status> <body>` per call.

use futures_util::future::join_all;

use crate::dohost::object::namespace::{self, CallError, Error, Stub};
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
    let mut requests = query.all("path").map(|path| to(&path, request)).collect::<Vec<_>>();
    if requests.len() <= 1 {
        let request = requests.pop().ok_or_else(|| Failure::of_probe("parameter path is missing"))?;
        return Ok(stub.fetch(request).await.unwrap_or_else(failure));
    }
    let replies = if query.says("at-once") {
        join_all(requests.into_iter().map(|request| stub.fetch(request))).await
    } else {
        let mut replies = Vec::new();
        for request in requests {
            replies.push(stub.fetch(request).await);
        }
        replies
    };
    Ok(lines(replies.into_iter().map(|reply| {
        let reply = reply.unwrap_or_else(failure);
        let body = String::from_utf8_lossy(&reply.body).trim_end().replace('\n', ", ");
        format!("{} {body}", reply.status)
    })))
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
