//! An object that takes all that it can get, to see that its neighbours notice nothing.
//!
//! | path | deed |
//! | --- | --- |
//! | `/hello` | none |
//! | `/memory` | takes memory for good until it gets no more; how many MiB it got |
//! | `/memory-then-trap` | the same, and then panics, so that it can be done again |
//! | `/spin` | computes for ever |
//! | `/yield`, `/yield?blocking=true` | gives way for ever, and waits for nothing |
//! | `/recurse` | calls itself until the stack is full |
//! | `/wait?ms=` | waits |
//! | `/keys?from=&count=` | puts so many keys in one turn |
//! | `/list?limit=` | lists everything, or so much; how many entries |
//! | `/delete-all` | deletes everything |
//! | `/stubs?count=` | makes so many stubs and keeps them |
//! | `/calls?objects=&calls=` | so many calls to so many others, all at once; lines `<outcome> <how many>` |
//! | `/outgoing?count=&authority=` | so many requests to the network, all at once; the same |
//! | `/header?bytes=` | replies with a header of that length |
//! | `/body?bytes=` | replies with a body of that length |
//! | `/print?mib=` | prints so much |
//! | `/environment` | its environment variables, lines `<name>=<value>` |

mod calls;
mod output;
mod store;

use std::borrow::Cow;
use std::hint::black_box;
use std::str::FromStr;

use dohost::object::namespace;
use dohost::object::state;
use dohost::object::types::Header;
use exports::dohost::object::handler::{Exception, Guest, Request, Response};
use wasi::cli0_2_0::environment;
use wasi::clocks::monotonic_clock;

wit_bindgen::generate!({ world: "dohost:hostile/hostile", path: ["../../wit", "wit"], generate_all });

struct Hostile;

export!(Hostile);

impl Guest for Hostile {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        let query = Query::of(&request);
        match request.path.as_str() {
            "/hello" => Ok(text("hello")),
            "/memory" => Ok(text(take_memory())),
            "/memory-then-trap" => {
                take_memory();
                panic!("it has enough")
            }
            "/spin" => loop {
                black_box(());
            },
            "/yield" if query.get("blocking").is_some() => loop {
                wit_bindgen::yield_blocking();
            },
            "/yield" => loop {
                wit_bindgen::yield_async().await;
            },
            "/recurse" => Ok(text(recurse(1))),
            "/wait" => {
                monotonic_clock::wait_for(query.number::<u64>("ms")? * 1_000_000).await;
                Ok(text("waited"))
            }
            "/keys" => store::put_keys(query.number("from")?, query.number("count")?).await.map(text),
            "/list" => store::list(query.get("limit").and_then(|limit| limit.parse().ok())).await.map(text),
            "/delete-all" => store::delete_all().await.map(text),
            "/stubs" => Ok(text(keep_stubs(query.number("count")?))),
            "/calls" => Ok(text(calls::to_objects(query.number("objects")?, query.number("calls")?).await)),
            "/outgoing" => {
                let authority = query.get("authority").ok_or("authority is missing")?;
                Ok(text(calls::to_network(query.number("count")?, &authority).await))
            }
            "/header" => {
                let value = vec![b'x'; query.number("bytes")?];
                Ok(Response { headers: vec![Header { name: "x-long".to_string(), value }], ..text("") })
            }
            "/body" => Ok(Response { body: vec![b'x'; query.number("bytes")?], ..text("") }),
            "/environment" => {
                let lines = environment::get_environment().into_iter().map(|(name, value)| format!("{name}={value}\n"));
                Ok(text(lines.collect::<String>()))
            }
            "/print" => Ok(text(output::print(query.number("mib")?))),
            _ => Ok(Response { status: 404, ..text("Not found") }),
        }
    }
}

fn text(body: impl ToString) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// Every page of it is touched: memory that is only asked for costs the host nothing.
fn take_memory() -> usize {
    let mut mib = 0;
    loop {
        let mut block = Vec::<u8>::new();
        if block.try_reserve_exact(1 << 20).is_err() {
            return mib;
        }
        block.resize(1 << 20, 1);
        block.leak();
        mib += 1;
    }
}

/// Deeper with each call, and never done. What comes after the call keeps the compiler from making a loop of it.
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if frame[0] == 0 { 0 } else { recurse(depth + 1) + frame[63] }
}

fn keep_stubs(count: u32) -> u32 {
    let class = state::class();
    for number in 0..count {
        std::mem::forget(namespace::get_by_name(&class, &format!("kept-{number}")));
    }
    count
}

/// The parameters of a deed.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request) -> Self {
        let encoded = request.query.as_deref().unwrap_or_default();
        let own = |(name, value): (Cow<str>, Cow<str>)| (name.into_owned(), value.into_owned());
        Self(form_urlencoded::parse(encoded.as_bytes()).map(own).collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn number<N: FromStr>(&self, name: &str) -> Result<N, Exception> {
        self.get(name).and_then(|text| text.parse().ok()).ok_or_else(|| format!("{name} is missing or no number"))
    }
}
