//! `/steps`: one event that writes its reply bit by bit and does other things in between.
//!
//! `before` is a step that is done before the head of the response is returned, `do` one that is done after it, in the
//! order in which they come; `send`, if it is there, is a URL that the request goes to in between. `beside` is a step of a second lane after the head, which writes no chunks. `outside` is the
//! authority that `ask` asks.
//!
//! | step | what it does |
//! | --- | --- |
//! | `chunk X` | writes the line X |
//! | `fill BYTES` | writes so many bytes |
//! | `read` | writes the next chunk of the request's body as a line; `end` at its end |
//! | `put K V`, `put-large K BYTES` | writes to the store |
//! | `get K` | writes the value of K as a line |
//! | `increment K TIMES` | so often: reads, counts one up, writes; two reads each |
//! | `sleep MS`, `ask K` | waits; `ask` for the server outside |
//! | `begin`, `end` | a critical section |
//! | `note X`, `notes` | remembers X in this instance; writes all of them as a line |
//! | `end-well-with NAME VALUE`, `fail`, `trap`, `abort` | ends the body, or everything |

use std::cell::RefCell;

use crate::dohost::object::{concurrency, outgoing, state, storage, types};
use crate::http::{Body, Incoming, Query, response};
use crate::relay;
use crate::wasi::clocks::monotonic_clock;
use crate::wasi::http::types::{ErrorCode, Fields, Request, Response};
use crate::wit_future;

thread_local! {
    static NOTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Lane {
    incoming: Option<Incoming>,
    body: Option<Body>,
    section: Option<concurrency::CriticalSection>,
    outside: String,
}

pub async fn run(request: Request, query: &Query) -> Result<Response, ErrorCode> {
    let outside = query.get("outside").unwrap_or_default().to_string();
    let (response, body) = response(200, Fields::new());
    let incoming = Some(Incoming::of_request(request));
    let mut lane = Lane { incoming, body: None, section: None, outside: outside.clone() };
    for step in query.all("before") {
        lane.step(&step).await;
    }
    if query.get("send").is_some() {
        let request = Request::new(Fields::new(), None, wit_future::new(|| Ok(None)).1, None).0;
        return relay::send(request, &Query::of("url", query.get("send").unwrap_or_default())).await;
    }
    lane.body = Some(body);
    let (steps, beside) = (query.all("do"), query.all("beside"));
    wit_bindgen::spawn_local(async move {
        for step in steps {
            lane.step(&step).await;
        }
    });
    if !beside.is_empty() {
        wit_bindgen::spawn_local(async move {
            let mut lane = Lane { incoming: None, body: None, section: None, outside };
            for step in beside {
                lane.step(&step).await;
            }
        });
    }
    Ok(response)
}

impl Lane {
    async fn step(&mut self, step: &str) {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            ["chunk", text] => self.line(text).await,
            ["fill", bytes] => self.write(vec![b'x'; number(bytes)]).await,
            ["read"] => {
                let incoming = self.incoming.as_mut().expect("a body to read");
                let bytes = incoming.read().await;
                self.line(&bytes.map_or("end".to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned())).await;
            }
            ["put", key, value] => put(key, value.as_bytes().to_vec()).await,
            ["put-large", key, bytes] => put(key, vec![b'x'; number(bytes)]).await,
            ["get", key] => self.line(&get(key).await.unwrap_or("none".to_string())).await,
            ["increment", key, times] => {
                for _ in 0..number(times) {
                    let value: usize = get(key).await.map_or(0, |value| number(&value));
                    // Reads that wait for the disk, so that others could get in.
                    storage::get(format!("{key}-unknown-{value}")).await.expect("a read");
                    put(key, (value + 1).to_string().into_bytes()).await;
                    monotonic_clock::wait_for(1_000).await;
                }
            }
            ["sleep", millis] => monotonic_clock::wait_for(number(millis) as u64 * 1_000_000).await,
            ["ask", key] => drop(outgoing::fetch(asking(&self.outside, key)).await),
            ["begin"] => self.section = concurrency::block_concurrency().await.ok(),
            ["end"] => self.section.take().expect("a section").end(),
            ["note", text] => NOTES.with_borrow_mut(|notes| notes.push(text.to_string())),
            ["notes"] => self.line(&NOTES.with_borrow(|notes| notes.join(","))).await,
            ["end-well-with", name, value] => self.body.take().expect("a body").end_with(name, value).await,
            ["fail"] => self.body.take().expect("a body").fail(ErrorCode::InternalError(None)).await,
            ["trap"] => std::process::abort(),
            ["abort"] => state::abort(None),
            _ => panic!("no step: {step}"),
        }
    }

    async fn line(&mut self, text: &str) {
        self.write(format!("{text}\n").into_bytes()).await;
    }

    async fn write(&mut self, bytes: Vec<u8>) {
        if let Some(body) = &mut self.body
            && !body.write(bytes).await
        {
            self.body = None;
            NOTES.with_borrow_mut(|notes| notes.push("closed".to_string()));
        }
    }
}

async fn put(key: &str, value: Vec<u8>) {
    storage::put(key.to_string(), value).await.expect("a write");
}

async fn get(key: &str) -> Option<String> {
    let value = storage::get(key.to_string()).await.expect("a read");
    value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

fn asking(authority: &str, key: &str) -> types::Request {
    types::Request {
        method: "GET".to_string(),
        scheme: "http".to_string(),
        authority: authority.to_string(),
        path: format!("/{key}"),
        query: None,
        headers: Vec::new(),
        body: Vec::new(),
    }
}
