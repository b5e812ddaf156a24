//! An object on the synchronous ABI that calls others, for tests of the host. The path is a list of things to do; the
//! first is done here, and the rest is somebody else's or comes after it.
//!
//! | path | deed |
//! | --- | --- |
//! | `/hop/CLASS/NAME` and a path | calls that object with that path; replies what it said, or `failed: …` |
//! | `/wait/KEY` and a path | asks the server that the query names for `/KEY`, and then does what the path says |
//! | `/put/KEY` and a path | writes that key, and then does what the path says |
//! | `/get/KEY` | the value, or `none` |
//! | `/end` | replies with its own name |
//!
//! A failed call is in a line: `failed: <message>; remote …, retryable …, overloaded …`.

use dohost::object::types::{Header, Request, Response};
use dohost::object::{namespace, outgoing, state, storage};
use exports::dohost::object::handler::{Exception, Guest};

wit_bindgen::generate!({ world: "object", path: "../../wit", async: false });

struct Relay;

export!(Relay);

impl Guest for Relay {
    fn fetch(request: Request) -> Result<Response, Exception> {
        let outside = request.query.unwrap_or_default();
        let body = deed(&request.path, &outside)?;
        let content_type = Header { name: "content-type".to_string(), value: b"text/plain".to_vec() };
        Ok(Response { status: 200, headers: vec![content_type], body: body.into_bytes() })
    }
}

fn deed(path: &str, outside: &str) -> Result<String, Exception> {
    let mut parts = path.splitn(4, '/').skip(1);
    let (verb, word) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let rest = format!("/{}", parts.next().unwrap_or_default());
    match verb {
        "hop" => {
            let (name, path) = rest[1..].split_once('/').ok_or("hop needs CLASS/NAME and a path")?;
            let stub = namespace::get_by_name(word, name).map_err(|error| error.to_string())?;
            Ok(match stub.fetch(&request("object", &format!("/{path}"), Some(outside))) {
                Ok(reply) => String::from_utf8_lossy(&reply.body).into_owned(),
                Err(error) => format!(
                    "failed: {}; remote {}, retryable {}, overloaded {}",
                    error.message, error.remote, error.retryable, error.overloaded
                ),
            })
        }
        "wait" => {
            let sent = request(outside, &format!("/{word}"), None);
            outgoing::fetch(&sent).map_err(|error| error.to_string())?;
            deed(&rest, outside)
        }
        "put" => {
            storage::put(word, b"1").map_err(|error| error.to_string())?;
            deed(&rest, outside)
        }
        "get" => {
            let value = storage::get(word).map_err(|error| error.to_string())?;
            Ok(value.map_or("none".to_string(), |value| String::from_utf8_lossy(&value).into_owned()))
        }
        "end" => Ok(state::name().unwrap_or_default()),
        _ => Err(format!("no such deed: {path}")),
    }
}

fn request(authority: &str, path: &str, query: Option<&str>) -> Request {
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
