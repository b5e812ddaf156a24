//! Scripts: what is asked of an application, what it is to answer, and what happens to it in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Deserialize;

use crate::config::at::At;
use crate::failure::{Failure, Failures};
use crate::place::{Place, Source};

/// A script as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    steps: Vec<At<StepTable>>,
}

/// A step as it is written. One of `request`, `evict`, `restart` and `crash`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepTable {
    request: Option<At<String>>,
    #[serde(default)]
    headers: BTreeMap<At<String>, At<String>>,
    text: Option<String>,
    json: Option<serde_json::Value>,
    within: Option<At<String>>,
    expect: Option<At<ExpectTable>>,
    evict: Option<At<String>>,
    #[serde(default)]
    restart: bool,
    #[serde(default)]
    crash: bool,
}

/// What is expected as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectTable {
    status: Option<At<u16>>,
    #[serde(default)]
    headers: BTreeMap<At<String>, String>,
    text: Option<String>,
    contains: Option<String>,
    json: Option<serde_json::Value>,
}

/// One step, and where it is.
#[derive(Debug)]
pub struct Step {
    pub action: Action,
    pub place: Place,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Sends a request and looks at the answer.
    Request(Box<Exchange>),
    /// Lets an object go to sleep: `CLASS/NAME`.
    Evict { object: String },
    /// Stops the host in good order and starts it again.
    Restart,
    /// Kills the host and starts it again.
    Crash,
}

/// A request with what is to come of it.
#[derive(Debug)]
pub struct Exchange {
    pub method: Method,
    pub target: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Vec<u8>,
    /// For how long it is asked again, until the answer is as expected.
    pub within: Duration,
    pub expected: Expected,
}

/// What an answer is to be like.
#[derive(Debug)]
pub struct Expected {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, String)>,
    pub text: Option<String>,
    pub contains: Option<String>,
    pub json: Option<serde_json::Value>,
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Action::Request(exchange) => write!(f, "{} {}", exchange.method, exchange.target),
            Action::Evict { object } => write!(f, "evict {object}"),
            Action::Restart => f.write_str("restart"),
            Action::Crash => f.write_str("crash"),
        }
    }
}

/// Reads a script. Everything that is wrong with it is said at once.
pub fn read(path: &Path) -> Result<Vec<Step>, Failures> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display()), None))?;
    parse(Arc::new(Source { path: path.to_owned(), text }))
}

fn parse(source: Arc<Source>) -> Result<Vec<Step>, Failures> {
    let file: File = toml::from_str(&source.text).map_err(|error| {
        let place = error.span().map(|span| Place::new(source.clone(), span));
        Failure::new(error.message(), Some("docs/TESTING.md says what a script may hold".into())).at(place)
    })?;
    let mut failures = Vec::new();
    if file.steps.is_empty() {
        failures.push(Failure::new(format!("{} has no steps", source.path.display()), Some("add [[steps]]".into())));
    }
    let mut reader = Reader { source, failures };
    let steps = file.steps.into_iter().filter_map(|table| reader.step(table)).collect();
    match reader.failures.is_empty() {
        true => Ok(steps),
        false => Err(Failures(reader.failures)),
    }
}

struct Reader {
    source: Arc<Source>,
    failures: Vec<Failure>,
}

impl Reader {
    fn step(&mut self, table: At<StepTable>) -> Option<Step> {
        let At { value: step, span } = table;
        let place = Place::new(self.source.clone(), span);
        let asks = step.request.is_some();
        let actions = [asks, step.evict.is_some(), step.restart, step.crash];
        if actions.iter().filter(|is_there| **is_there).count() != 1 {
            self.wrong("a step is one of `request`, `evict`, `restart` and `crash`", place);
            return None;
        }
        let has_body = step.text.is_some() || step.json.is_some();
        let has_more = step.expect.is_some() || has_body || step.within.is_some() || !step.headers.is_empty();
        if !asks && has_more {
            self.wrong("only a `request` has headers, a body, `within` and an `expect`", place);
            return None;
        }
        let action = match (step.evict, step.restart) {
            (Some(object), _) if !object.value.contains('/') => {
                self.wrong_at("an object is given as CLASS/NAME", &object);
                return None;
            }
            (Some(object), _) => Action::Evict { object: object.value },
            (None, true) => Action::Restart,
            (None, false) if step.crash => Action::Crash,
            (None, false) => {
                let request = step.request?;
                let (method, target) = self.request_line(&request)?;
                let body = self.body(step.text, step.json.as_ref(), &place)?;
                let mut headers = self.headers(step.headers);
                let is_json = step.json.is_some() && !headers.iter().any(|(name, _)| name == "content-type");
                headers.extend(
                    is_json.then(|| (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))),
                );
                let within = self.within(step.within)?;
                let expected = self.expected(step.expect)?;
                Action::Request(Box::new(Exchange { method, target, headers, body, within, expected }))
            }
        };
        Some(Step { action, place })
    }

    /// `GET /path`.
    fn request_line(&mut self, line: &At<String>) -> Option<(Method, String)> {
        let parts = line.value.split_once(' ').map(|(method, target)| (method.parse::<Method>(), target.trim()));
        match parts {
            Some((Ok(method), target)) if target.starts_with('/') && target.parse::<http::Uri>().is_ok() => {
                Some((method, target.to_owned()))
            }
            _ => {
                self.wrong_at("a request is a method and a path, such as \"GET /counter/a/value\"", line);
                None
            }
        }
    }

    fn body(&mut self, text: Option<String>, json: Option<&serde_json::Value>, place: &Place) -> Option<Vec<u8>> {
        match (text, json) {
            (Some(_), Some(_)) => {
                self.wrong("a body is `text` or `json`", place.clone());
                None
            }
            (Some(text), None) => Some(text.into_bytes()),
            (None, Some(json)) => Some(json.to_string().into_bytes()),
            (None, None) => Some(Vec::new()),
        }
    }

    fn headers(&mut self, headers: BTreeMap<At<String>, At<String>>) -> Vec<(HeaderName, HeaderValue)> {
        let mut valid = Vec::new();
        for (name, value) in headers {
            match (name.value.parse(), value.value.parse()) {
                (Ok(name), Ok(value)) => valid.push((name, value)),
                (Err(_), _) => self.wrong_at("this is no name of a header", &name),
                (_, Err(_)) => self.wrong_at("this cannot be the value of a header", &value),
            }
        }
        valid
    }

    fn within(&mut self, text: Option<At<String>>) -> Option<Duration> {
        let Some(text) = text else { return Some(Duration::ZERO) };
        let within = humantime::parse_duration(&text.value);
        within.map_err(|_| self.wrong_at("within is a time such as 500ms or 10s", &text)).ok()
    }

    fn expected(&mut self, table: Option<At<ExpectTable>>) -> Option<Expected> {
        let Some(table) = table else {
            return Some(Expected {
                status: StatusCode::OK,
                headers: Vec::new(),
                text: None,
                contains: None,
                json: None,
            });
        };
        let expect = table.value;
        let status = match expect.status.map(|status| (StatusCode::from_u16(status.value), status)) {
            None => StatusCode::OK,
            Some((Ok(status), _)) => status,
            Some((Err(_), at)) => {
                self.wrong_at("this is no status of HTTP", &at);
                return None;
            }
        };
        let mut headers = Vec::new();
        for (name, value) in expect.headers {
            match name.value.parse() {
                Ok(name) => headers.push((name, value)),
                Err(_) => self.wrong_at("this is no name of a header", &name),
            }
        }
        Some(Expected { status, headers, text: expect.text, contains: expect.contains, json: expect.json })
    }

    fn wrong_at<T>(&mut self, text: &str, at: &At<T>) {
        self.wrong(text, Place::new(self.source.clone(), at.span.clone()));
    }

    fn wrong(&mut self, text: &str, place: Place) {
        self.failures.push(Failure::new(text, None).at(Some(place)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Step>, String> {
        parse(Arc::new(Source { path: "t.toml".into(), text: text.into() })).map_err(|failures| failures.to_string())
    }

    #[test]
    fn a_script_is_steps_in_order() {
        let steps = parsed(
            r#"
            [[steps]]
            request = "POST /counter/a/rpc/increment"
            json = { by = 2 }
            expect = { json = 2 }

            [[steps]]
            evict = "counter/a"

            [[steps]]
            restart = true

            [[steps]]
            crash = true

            [[steps]]
            request = "GET /counter/a/value"
            headers = { accept = "text/plain" }
            expect = { status = 404, text = "2", headers = { content-type = "text/plain" } }
            "#,
        )
        .expect("a script");
        let shown: Vec<String> = steps.iter().map(|step| step.action.to_string()).collect();
        assert_eq!(
            shown,
            ["POST /counter/a/rpc/increment", "evict counter/a", "restart", "crash", "GET /counter/a/value"]
        );
        let (Action::Request(first), Action::Request(last)) = (&steps[0].action, &steps[4].action) else {
            panic!("{steps:?}");
        };
        assert_eq!((first.body.as_slice(), first.expected.status), (&br#"{"by":2}"#[..], StatusCode::OK));
        assert_eq!(first.headers, [(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        assert_eq!((last.expected.status, last.expected.text.as_deref()), (StatusCode::NOT_FOUND, Some("2")));
    }

    #[test]
    fn what_makes_no_sense_is_said_with_its_place() {
        for (text, said) in [
            ("", "has no steps"),
            ("[[steps]]\nrequest = \"GET\"", "t.toml:2:11: a request is a method and a path"),
            ("[[steps]]\nrequest = \"GET http://a/b\"", "t.toml:2:11: a request is a method and a path"),
            ("[[steps]]\nrestart = true\ncrash = true", "a step is one of"),
            ("[[steps]]\nrestart = true\ntext = \"a\"", "only a `request`"),
            ("[[steps]]\nevict = \"a\"", "t.toml:2:9: an object is given as CLASS/NAME"),
            ("[[steps]]\nrequest = \"GET /\"\nwithin = \"soon\"", "t.toml:3:10: within is a time such as"),
            ("[[steps]]\ncrash = true\nwithin = \"1s\"", "only a `request`"),
            ("[[steps]]\nrequest = \"GET /\"\nexpect = { status = 7 }", "no status"),
            ("[[steps]]\nrequest = \"GET /\"\nheaders = { \"a b\" = \"c\" }", "no name of a header"),
            ("[[steps]]\nrequest = \"GET /\"\njson = 1\ntext = \"\"", "a body is"),
            ("[[steps]]\nrequst = \"GET /\"", "t.toml:2:1: unknown field `requst`"),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
