//! `/script`: many calls of the store in one event, at moments that the request picks.
//!
//! The body has a step per line, and the reply a line per step that has an answer. An answer with several lines has them
//! side by side, a missing key is `none`, and what the host refuses is its text.
//!
//! | step | does | answer |
//! | --- | --- | --- |
//! | `get?key=a` and every other function of [`storage`](crate::storage) | calls it and waits | what it says |
//! | `begin get?key=a` | calls it and goes on | |
//! | `end` | waits for the oldest one that was begun | what that one says |
//! | `drop get?key=a` | calls it and gives it up | |
//! | `call` | begins a call to another object, which is held back by no later write | |
//! | `called` | waits for the oldest such call, which ends the turn, but not the commit of what it wrote | |

use std::collections::VecDeque;
use std::future::ready;
use std::pin::Pin;

use futures_util::future::poll_immediate;

use crate::dohost::object::namespace::{self, Stub};
use crate::dohost::object::state;
use crate::exports::dohost::object::handler::{Request, Response};
use crate::query::Query;
use crate::reply::{Failure, lines};

/// A part of the script that goes on while others are made; its answer.
type Task<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

pub async fn run(request: &Request) -> Result<Response, Failure> {
    let script = str::from_utf8(&request.body).map_err(|_| Failure::of_probe("the script is not UTF-8"))?;
    let other = namespace::get_by_name(&state::class(), "called by scripts")?;
    let (mut begun, mut called, mut answers) = (VecDeque::new(), VecDeque::new(), Vec::new());
    for step in script.lines() {
        match step.split_once(' ').unwrap_or((step, "")) {
            ("begin", function) => begun.push_back(begin(Box::pin(answer(function, request))).await),
            ("end", "") => answers.push(oldest(&mut begun)?.await?),
            ("drop", function) => drop(begin(Box::pin(answer(function, request))).await),
            ("call", "") => called.push_back(begin(Box::pin(call(&other, request))).await),
            ("called", "") => oldest(&mut called)?.await,
            _ => answers.push(answer(step, request).await?),
        }
    }
    Ok(lines(answers))
}

/// Calls a function of the store; what it says, in one line.
async fn answer(function: &str, request: &Request) -> Result<String, Failure> {
    let (name, query) = function.split_once('?').unwrap_or((function, ""));
    let reply = match crate::storage::call(name, request, &Query::parse(query)).await {
        Ok(reply) => reply,
        Err(Failure::Refused { case, text }) if case != "probe" => return Ok(format!("{case}: {text}")),
        Err(failure) => return Err(failure),
    };
    let text = String::from_utf8_lossy(&reply.body);
    Ok(if reply.status == 404 { "none".to_string() } else { text.trim_end().replace('\n', " ") })
}

async fn call(stub: &Stub, request: &Request) {
    let request = Request { path: "/memory".to_string(), query: None, body: Vec::new(), ..request.clone() };
    // Only that it comes back matters, not with what.
    let _ = stub.fetch(request).await;
}

/// Starts a task: it is on its way when this returns, or done.
async fn begin<'a, T: 'a>(mut task: Task<'a, T>) -> Task<'a, T> {
    match poll_immediate(&mut task).await {
        Some(answer) => Box::pin(ready(answer)),
        None => task,
    }
}

fn oldest<T>(tasks: &mut VecDeque<T>) -> Result<T, Failure> {
    tasks.pop_front().ok_or_else(|| Failure::of_probe("nothing was begun"))
}
