//! Errors as the user sees them: what is wrong, where, and what to do about it.

use std::fmt;

use crate::place::Place;

/// An error with advice.
#[derive(Debug)]
pub struct Failure {
    text: String,
    help: Option<String>,
    place: Option<Place>,
    needs_restart: bool,
}

impl Failure {
    /// An error that advice is known for.
    pub fn new(error: impl fmt::Display, help: Option<String>) -> Failure {
        Failure { text: error.to_string(), help, place: None, needs_restart: false }
    }

    /// A running host cannot do what a start of it could.
    pub fn needs_restart(error: impl fmt::Display, help: &str) -> Failure {
        Failure { needs_restart: true, ..Failure::new(error, Some(help.into())) }
    }

    /// Whether a restart of the host may do it.
    pub fn is_for_a_restart(&self) -> bool {
        self.needs_restart
    }

    /// Where the file that it is about says what is wrong.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// What to do about it, if that is known.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The same, of something that a file says, if it is one that says it.
    pub fn at(self, place: Option<Place>) -> Failure {
        Failure { place, ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

impl std::error::Error for Failure {}

/// Several errors, one at least.
#[derive(Debug)]
pub struct Failures(pub Vec<Failure>);

impl fmt::Display for Failures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.0.iter().map(Failure::to_string).collect();
        f.write_str(&texts.join("; "))
    }
}

impl std::error::Error for Failures {}

impl From<Failure> for Failures {
    fn from(failure: Failure) -> Failures {
        Failures(vec![failure])
    }
}

/// Says it on stderr.
pub fn print(error: &anyhow::Error) {
    if let Some(Failures(failures)) = error.downcast_ref() {
        failures.iter().for_each(print_one);
    } else if let Some(failure) = error.downcast_ref() {
        print_one(failure);
    } else {
        eprintln!("error: {error:#}");
    }
}

fn print_one(failure: &Failure) {
    eprintln!("error: {failure}");
    if let Some(place) = &failure.place {
        eprintln!("{}", place.snippet());
    }
    if let Some(help) = &failure.help {
        eprintln!("  help: {help}");
    }
}

/// The advice of an error that has some.
pub fn help(error: &anyhow::Error) -> Option<&str> {
    error.downcast_ref::<Failure>().and_then(|failure| failure.help.as_deref())
}

/// The same in one line.
pub fn text(error: &anyhow::Error) -> String {
    let with_help = |failure: &Failure| match &failure.help {
        Some(help) => format!("{failure} (help: {help})"),
        None => failure.to_string(),
    };
    if let Some(Failures(failures)) = error.downcast_ref() {
        failures.iter().map(with_help).collect::<Vec<_>>().join("; ")
    } else if let Some(failure) = error.downcast_ref() {
        with_help(failure)
    } else {
        format!("{error:#}")
    }
}
