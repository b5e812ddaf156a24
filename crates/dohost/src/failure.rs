//! Errors as the user sees them: what is wrong, and what to do about it.

use std::fmt;

/// An error with advice.
#[derive(Debug)]
pub struct Failure {
    text: String,
    help: Option<String>,
}

impl Failure {
    /// An error that advice is known for.
    pub fn new(error: impl fmt::Display, help: Option<String>) -> Failure {
        Failure { text: error.to_string(), help }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// Says it on stderr.
pub fn print(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
    if let Some(help) = help(error) {
        eprintln!("  help: {help}");
    }
}

/// The same in one line.
pub fn text(error: &anyhow::Error) -> String {
    match help(error) {
        Some(help) => format!("{error:#} (help: {help})"),
        None => format!("{error:#}"),
    }
}

fn help(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Failure>().and_then(|failure| failure.help.as_deref())
}
