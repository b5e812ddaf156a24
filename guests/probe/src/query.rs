//! The parameters of a deed.

use std::borrow::Cow;
use std::str::FromStr;

use crate::exports::dohost::object::handler::Request;
use crate::reply::Failure;

/// The decoded query of a request.
pub struct Query(Vec<(String, String)>);

impl Query {
    pub fn of(request: &Request) -> Self {
        Self::parse(request.query.as_deref().unwrap_or_default())
    }

    /// As it comes after the `?` of a path.
    pub fn parse(encoded: &str) -> Self {
        let own = |(name, value): (Cow<str>, Cow<str>)| (name.into_owned(), value.into_owned());
        Self(form_urlencoded::parse(encoded.as_bytes()).map(own).collect())
    }

    /// The first value of a parameter.
    pub fn get(&self, name: &str) -> Option<String> {
        self.all(name).next()
    }

    /// Every value of a parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = String> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// A parameter that must be there.
    pub fn text(&self, name: &str) -> Result<String, Failure> {
        self.get(name).ok_or_else(|| Failure::of_probe(format!("parameter {name} is missing")))
    }

    /// A parameter that must be there and a number.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<N, Failure> {
        let text = self.text(name)?;
        text.parse().map_err(|_| Failure::of_probe(format!("{name} is no number: {text}")))
    }

    /// A parameter that says `true`.
    pub fn says(&self, name: &str) -> bool {
        self.get(name).as_deref() == Some("true")
    }
}
