//! Replies in plain text.

use crate::dohost::object::types::Header;
use crate::exports::dohost::object::handler::{Exception, Response};

pub fn bytes(status: u16, body: Vec<u8>) -> Response {
    let content_type = Header { name: "content-type".to_string(), value: b"text/plain".to_vec() };
    Response { status, headers: vec![content_type], body }
}

pub fn text(status: u16, body: impl ToString) -> Response {
    bytes(status, body.to_string().into_bytes())
}

/// One fact per line, each line with its end.
pub fn lines(facts: impl IntoIterator<Item = String>) -> Response {
    text(200, facts.into_iter().map(|fact| fact + "\n").collect::<String>())
}

/// Why a deed was not done.
pub enum Failure {
    /// The host refused: the case of its error, and the text. Also, as case `probe`, what the probe does not
    /// understand.
    Refused { case: &'static str, text: String },
    /// The request asked for an exception.
    Thrown(Exception),
}

impl Failure {
    /// The request to the probe makes no sense.
    pub fn of_probe(text: impl Into<String>) -> Self {
        Self::Refused { case: "probe", text: text.into() }
    }

    pub fn into_reply(self) -> Result<Response, Exception> {
        match self {
            Self::Refused { case, text: refusal } => Ok(text(400, format!("{case}: {refusal}"))),
            Self::Thrown(exception) => Err(exception),
        }
    }
}
