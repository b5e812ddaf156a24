//! Floods of calls.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::dohost::object::outgoing::{self, Error};
use crate::dohost::object::{namespace, state};
use crate::exports::dohost::object::handler::Request;

/// Calls objects of this class, each through a stub of its own, all at once.
pub async fn to_objects(objects: u32, calls: u32) -> String {
    let class = state::class();
    let calls = (0..calls).map(|number| {
        let stub = namespace::get_by_name(&class, &format!("callee-{}", number % objects.max(1)));
        async move {
            match stub.expect("a class and a name make a stub").fetch(get("callee", "/hello")).await {
                Ok(reply) => reply.status.to_string(),
                Err(error) if error.overloaded => "overloaded".to_string(),
                Err(error) => error.message,
            }
        }
    });
    outcomes(join_all(calls).await)
}

/// Sends requests to one server, all at once.
pub async fn to_network(count: u32, authority: &str) -> String {
    let requests = (0..count).map(|_| async {
        match outgoing::fetch(get(authority, "/")).await {
            Ok(reply) => reply.status.to_string(),
            Err(Error::Denied(_)) => "denied".to_string(),
            Err(Error::Invalid(_)) => "invalid".to_string(),
            Err(Error::TooLarge(_)) => "too-large".to_string(),
            Err(Error::Failed(_)) => "failed".to_string(),
        }
    });
    outcomes(join_all(requests).await)
}

fn get(authority: &str, path: &str) -> Request {
    Request {
        method: "GET".to_string(),
        scheme: "http".to_string(),
        authority: authority.to_string(),
        path: path.to_string(),
        query: None,
        headers: Vec::new(),
        body: Vec::new(),
    }
}

/// How often each outcome came, a line each.
fn outcomes(all: Vec<String>) -> String {
    let mut counts = BTreeMap::new();
    for outcome in all {
        *counts.entry(outcome).or_insert(0) += 1;
    }
    counts.into_iter().map(|(outcome, count)| format!("{outcome} {count}\n")).collect()
}
