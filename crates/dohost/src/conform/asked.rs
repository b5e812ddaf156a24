//! What is asked, and how answers are compared.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::Full;

use super::component::Subject;
use crate::http_client::{self, SendError};
use crate::testing::script::{Action, Step};

/// How long an answer may take: longer than any limit of the host.
const PATIENCE: Duration = Duration::from_secs(60);
/// The object that is asked if nobody says which.
const NAME: &str = "conform";
/// Headers that say when or by whom an answer was made, and nothing about what is in it.
const INCIDENTAL: [HeaderName; 2] = [header::DATE, HeaderName::from_static("x-request-id")];
/// What the host says in the place of an exception, which is the object's own answer.
const EXCEPTION: &[u8] = b"the object threw an exception\n";
/// So much of a body is shown.
const SHOWN_CHARS_MAX: usize = 200;

/// A request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    /// Nobody said that it can be asked this: it is a method, maybe of another class of the component.
    pub is_guessed: bool,
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

/// The requests of a script; without one, what any component can be asked.
pub fn requests(steps: Option<&[Step]>, subject: &Subject) -> anyhow::Result<Vec<Asked>> {
    // Twice, as what is remembered shows the second time.
    let Some(steps) = steps else {
        let once = plain_requests(subject);
        return Ok([once.clone(), once].concat());
    };
    let asked = steps.iter().filter_map(|step| match &step.action {
        Action::Request(exchange) => Some(Asked {
            method: exchange.method.clone(),
            target: exchange.target.clone(),
            headers: exchange.headers.clone(),
            body: exchange.body.clone().into(),
            is_guessed: false,
        }),
        _ => None,
    });
    let asked: Vec<Asked> = asked.collect();
    (!asked.is_empty()).then_some(asked).context("the script has no request")
}

fn plain_requests(subject: &Subject) -> Vec<Asked> {
    let plain = |method: Method, target: String| {
        let json = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let headers = if method == Method::POST { vec![json] } else { Vec::new() };
        Asked { is_guessed: method == Method::POST, method, target, headers, body: Bytes::new() }
    };
    if subject.has_worker {
        return vec![plain(Method::GET, "/".into())];
    }
    let mut asked = Vec::new();
    for class in subject.classes.iter().filter(|class| class.is_this) {
        if class.has_handler {
            asked.push(plain(Method::GET, format!("/{}/{NAME}/", class.name)));
        }
        let methods = class.methods.iter();
        asked.extend(methods.map(|method| plain(Method::POST, format!("/{}/{NAME}/rpc/{method}", class.name))));
    }
    asked
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// An answer, without what is incidental.
    Answered {
        status: u16,
        /// The host answered in the place of the object: it trapped, was reset, is overloaded…
        is_of_host: bool,
        /// Values by name, in their order.
        headers: BTreeMap<String, Vec<Vec<u8>>>,
        body: Bytes,
    },
    /// The connection broke, or there was nobody.
    Nothing(String),
}

impl Answer {
    /// Sends a request and waits for what comes of it.
    pub async fn to(asked: &Asked, address: &str) -> Answer {
        let request = Request::builder().method(asked.method.clone()).uri(format!("http://{address}{}", asked.target));
        let mut request = match request.body(Full::new(asked.body.clone())) {
            Ok(request) => request,
            Err(error) => return Answer::Nothing(error.to_string()),
        };
        request.headers_mut().extend(asked.headers.iter().cloned());
        match tokio::time::timeout(PATIENCE, http_client::send(request)).await {
            Err(_) => Answer::Nothing(format!("no answer within {PATIENCE:?}")),
            Ok(Err(SendError::Unreachable(error))) => Answer::Nothing(error.to_string()),
            Ok(Err(SendError::Broken(error))) => Answer::Nothing(error.to_string()),
            Ok(Ok(response)) => Answer::of(&response),
        }
    }

    fn of(response: &Response<Bytes>) -> Answer {
        let says_id = response.status().is_server_error() && response.headers().contains_key(&INCIDENTAL[1]);
        let is_exception = says_id && response.body().starts_with(EXCEPTION);
        let is_of_host = says_id && !is_exception;
        let mut headers: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        for (name, value) in response.headers().iter().filter(|(name, _)| !INCIDENTAL.contains(name)) {
            // How long the text of the host is depends on its request id.
            if !(says_id && *name == header::CONTENT_LENGTH) {
                headers.entry(name.to_string()).or_default().push(value.as_bytes().to_vec());
            }
        }
        let body = match (is_exception, is_of_host) {
            (true, _) => Bytes::from_static(EXCEPTION.trim_ascii_end()),
            (false, true) => Bytes::new(),
            (false, false) => response.body().clone(),
        };
        Answer::Answered { status: response.status().as_u16(), is_of_host, headers, body }
    }

    /// Whether the host answered in the place of the object.
    pub fn is_of_host(&self) -> bool {
        matches!(self, Answer::Answered { is_of_host: true, .. })
    }

    pub fn is_nothing(&self) -> bool {
        matches!(self, Answer::Nothing(_))
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Answer::Answered { status, .. } => Some(*status),
            Answer::Nothing(_) => None,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Nothing(error) => write!(f, "no answer ({error})"),
            Answer::Answered { status, is_of_host: true, .. } => write!(f, "{status} of the host"),
            Answer::Answered { status, body, .. } => {
                let text = String::from_utf8_lossy(body);
                let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
                let more = if shown.len() < text.len() { "…" } else { "" };
                write!(f, "{status} {shown:?}{more}")
            }
        }
    }
}

/// The answers of a run without disturbance, and which of them come again if it is repeated.
pub struct Expected {
    pub answers: Vec<Answer>,
    /// The whole answer of these is the same every time; of the others only the status.
    pub is_steady: Vec<bool>,
}

impl Expected {
    pub fn of(answers: Vec<Answer>, again: &[Answer]) -> Expected {
        let is_steady = answers.iter().zip(again).map(|(one, other)| one == other).collect();
        Expected { answers, is_steady }
    }

    /// Answers of which only the status can be compared.
    pub fn unsteady(&self) -> usize {
        self.is_steady.iter().filter(|is_steady| !**is_steady).count()
    }

    /// Whether an answer is as it would be without disturbance.
    pub fn allows(&self, at: usize, answer: &Answer) -> bool {
        match self.is_steady[at] {
            true => self.answers[at] == *answer,
            false => self.answers[at].status() == answer.status(),
        }
    }

    /// The first of these answers, to the requests from a place on, that is not as it would be without disturbance.
    pub fn first_difference(&self, from: usize, answers: &[Answer]) -> Option<usize> {
        answers.iter().enumerate().map(|(index, answer)| (from + index, answer)).find_map(|(at, answer)| {
            let differs = !self.allows(at, answer);
            differs.then_some(at)
        })
    }

    /// Both answers, for people.
    pub fn difference(&self, at: usize, asked: &Asked, answer: &Answer) -> String {
        format!("request {}: {asked}\n  undisturbed: {}\n  here:        {answer}", at + 1, self.answers[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Answer::of(&response.body(Bytes::from_static(body.as_bytes())).expect("a response"))
    }

    #[test]
    fn answers_are_the_same_but_for_what_is_incidental() {
        let same =
            [answer(200, &[("date", "today"), ("a", "1")], "x"), answer(200, &[("a", "1"), ("date", "tomorrow")], "x")];
        assert_eq!(same[0], same[1]);
        let failed = |id: &str| answer(500, &[("x-request-id", id)], "the object was reset");
        assert_eq!(failed("1"), failed("2"));
        assert!(failed("1").is_of_host());
        let thrown = |id: &str| {
            let mut response = Response::builder().status(500).header("x-request-id", id);
            response = response.header("content-length", id.len());
            let text = format!("the object threw an exception\nrequest id: {id}\n");
            Answer::of(&response.body(Bytes::from(text)).expect("a response"))
        };
        assert_eq!(thrown("1"), thrown("12"));
        assert!(!thrown("1").is_of_host(), "an exception is what the object says");
        for other in [answer(201, &[("a", "1")], "x"), answer(200, &[("a", "2")], "x"), answer(200, &[("a", "1")], "y")]
        {
            assert_ne!(same[0], other);
        }
    }

    #[test]
    fn of_an_answer_that_is_never_the_same_only_the_status_counts() {
        let (one, other) = (answer(200, &[], "1"), answer(200, &[], "2"));
        let expected = Expected::of(vec![one.clone(), one.clone()], &[one.clone(), other.clone()]);
        assert_eq!(expected.unsteady(), 1);
        assert_eq!(expected.first_difference(0, &[one.clone(), answer(200, &[], "3")]), None);
        assert_eq!(expected.first_difference(0, &[one.clone(), answer(404, &[], "1")]), Some(1));
        assert_eq!(expected.first_difference(0, &[other.clone(), one.clone()]), Some(0));
        assert_eq!(expected.first_difference(1, &[other]), None);
    }
}
