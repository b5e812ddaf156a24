//! Steps that wait, and steps that begin something now to wait for it later.
//!
//! | step | what it waits for |
//! | --- | --- |
//! | `fetch K` | the answer of the server that `outside` names to `GET /K` |
//! | `call CLASS/NAME PATH` | the reply of another object: `<status> <body>`, or `failed: …` |
//! | `method CLASS/NAME METHOD ARGUMENTS` | what a method of another object gives, in JSON, or `failed: …` |
//! | `sleep MS` | a timer |
//! | `begin-fetch K`, `begin-call K CLASS/NAME PATH`, `begin-sleep K MS`, `begin-sync K` | nothing |
//! | `await K` | what was begun under that name |
//! | `is-done K` | nothing: says whether that has come back to the guest |
//! | `give-up K` | nothing: drops it |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;

use futures_util::future::poll_immediate;

use crate::dohost::object::{namespace, outgoing, storage};
use crate::exports::dohost::object::handler::{Request, Response};
use crate::reply::Failure;
use crate::steps::ok;
use crate::wasi::clocks::monotonic_clock;

type Line = Result<String, Failure>;
type Work = Pin<Box<dyn Future<Output = Line>>>;

/// What was begun under a name and not taken yet.
enum Begun {
    Waits(Work),
    Done(Line),
}

/// What one event has begun.
pub struct Pending {
    outside: Option<String>,
    begun: RefCell<BTreeMap<String, Begun>>,
}

impl Pending {
    pub fn new(outside: Option<String>) -> Self {
        Self { outside, begun: RefCell::default() }
    }

    /// None if it is no step of these.
    pub async fn step(&self, words: &[&str]) -> Option<Line> {
        Some(match *words {
            ["await", name] => self.wait(name).await,
            ["is-done", name] => self.is_done(name).await,
            ["give-up", name] => self.take(name).and_then(|_| ok()),
            ["fetch", ..] | ["call", ..] | ["method", ..] | ["sleep", ..] => match self.work(words) {
                Ok(work) => work.await,
                Err(failure) => Err(failure),
            },
            ["begin-fetch", name] => self.begin(name, &["fetch", name]).await,
            ["begin-sync", name] => self.begin(name, &["sync"]).await,
            ["begin-call", name, object, path] => self.begin(name, &["call", object, path]).await,
            ["begin-sleep", name, ms] => self.begin(name, &["sleep", ms]).await,
            _ => return None,
        })
    }

    fn work(&self, words: &[&str]) -> Result<Work, Failure> {
        match *words {
            ["fetch", key] => {
                let authority =
                    self.outside.clone().ok_or_else(|| Failure::of_probe("parameter outside is missing"))?;
                let request = request(&authority, &format!("/{key}"));
                Ok(Box::pin(async move { Ok(body(&outgoing::fetch(request).await?)) }))
            }
            ["call", object, path] => {
                let (class, name) = object.split_once('/').ok_or_else(|| Failure::of_probe("no CLASS/NAME"))?;
                let (stub, request) = (namespace::get_by_name(class, name)?, request("probe", path));
                Ok(Box::pin(async move {
                    Ok(match stub.fetch(request).await {
                        Ok(reply) => format!("{} {}", reply.status, body(&reply)),
                        Err(error) => failed(&error),
                    })
                }))
            }
            ["method", object, method, arguments] => {
                let (class, name) = object.split_once('/').ok_or_else(|| Failure::of_probe("no CLASS/NAME"))?;
                let stub = namespace::get_by_name(class, name)?;
                let (method, arguments) = (method.to_string(), arguments.to_string());
                Ok(Box::pin(
                    async move { Ok(stub.call(method, arguments).await.unwrap_or_else(|error| failed(&error))) },
                ))
            }
            ["sleep", ms] => {
                let ms: u64 = ms.parse().map_err(|_| Failure::of_probe("sleep takes milliseconds"))?;
                Ok(Box::pin(async move {
                    monotonic_clock::wait_for(ms * 1_000_000).await;
                    Ok("slept".to_string())
                }))
            }
            ["sync"] => Ok(Box::pin(async {
                storage::sync().await;
                ok()
            })),
            _ => Err(Failure::of_probe(format!("nothing to begin: {}", words.join(" ")))),
        }
    }

    /// Polls it once, so that it is under way.
    async fn begin(&self, name: &str, words: &[&str]) -> Line {
        let mut work = self.work(words)?;
        let begun = match poll_immediate(&mut work).await {
            Some(line) => Begun::Done(line),
            None => Begun::Waits(work),
        };
        self.begun.borrow_mut().insert(name.to_string(), begun);
        Ok("begun".to_string())
    }

    async fn is_done(&self, name: &str) -> Line {
        let begun = match self.take(name)? {
            Begun::Waits(mut work) => match poll_immediate(&mut work).await {
                Some(line) => Begun::Done(line),
                None => Begun::Waits(work),
            },
            done => done,
        };
        let is_done = matches!(begun, Begun::Done(_));
        self.begun.borrow_mut().insert(name.to_string(), begun);
        Ok(is_done.to_string())
    }

    async fn wait(&self, name: &str) -> Line {
        match self.take(name)? {
            Begun::Waits(work) => work.await,
            Begun::Done(line) => line,
        }
    }

    fn take(&self, name: &str) -> Result<Begun, Failure> {
        let begun = self.begun.borrow_mut().remove(name);
        begun.ok_or_else(|| Failure::of_probe(format!("{name} was not begun")))
    }
}

fn request(authority: &str, target: &str) -> Request {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_string())),
        None => (target, None),
    };
    Request {
        method: "GET".to_string(),
        scheme: "http".to_string(),
        authority: authority.to_string(),
        path: path.to_string(),
        query,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// In one line.
fn body(reply: &Response) -> String {
    String::from_utf8_lossy(&reply.body).trim_end().replace('\n', ", ")
}

fn failed(error: &namespace::CallError) -> String {
    let namespace::CallError { message, remote, retryable, overloaded } = error;
    format!("failed: {message}; remote {remote}, retryable {retryable}, overloaded {overloaded}")
}
