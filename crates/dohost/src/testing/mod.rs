//! `dohost test`: runs scripts of requests against an application, each on a host and data of its own.

pub mod host;
pub mod script;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::args::Test;
use crate::failure::{Failure, Failures};
use crate::http_client::{self, SendError};
use crate::{objects, output};
use host::{Host, Setup};
use script::{Action, Exchange, Expected, Step};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two requests of a step that asks again.
const PAUSE: Duration = Duration::from_millis(50);
/// So much of an answer is shown.
const SHOWN_CHARS_MAX: usize = 500;

/// Runs the scripts that these arguments name, or those that are there.
pub fn run(args: &Test) -> anyhow::Result<()> {
    let paths = match args.scripts().0 {
        none if none.is_empty() => host::scripts_beside(args.config.as_deref())?,
        scripts => scripts,
    };
    let scripts: Vec<Vec<Step>> = all_of(paths.iter().map(|path| script::read(path)))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut passed, mut failed) = (0, 0);
    for (path, steps) in paths.iter().zip(&scripts) {
        let started = Instant::now();
        let directory = tempfile::Builder::new().prefix("dohost-test-").tempdir()?;
        let setup = Setup { served: args.served(), directory };
        let outcome = run_script(&runtime, &setup, steps)?;
        let ms = started.elapsed().as_millis() as u64;
        match &outcome {
            None => passed += 1,
            Some(_) => failed += 1,
        }
        say(path, steps.len(), outcome.as_ref(), ms, args.json)?;
        if outcome.is_some() && !args.json {
            for line in setup.logged().lines() {
                output::say(format_args!("    log: {line}"))?;
            }
        }
    }
    if !args.json {
        output::say(format_args!("{passed} passed, {failed} failed"))?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(format!("{failed} of {} scripts failed", passed + failed), None).into()),
    }
}

fn all_of<T>(results: impl Iterator<Item = Result<T, Failures>>) -> Result<Vec<T>, Failures> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => good.push(value),
            Err(Failures(failures)) => bad.extend(failures),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(Failures(bad)) }
}

/// What went otherwise than the script says.
pub struct Mismatch<'a> {
    pub step: &'a Step,
    pub texts: Vec<String>,
}

fn say(path: &Path, steps: usize, outcome: Option<&Mismatch<'_>>, ms: u64, json: bool) -> anyhow::Result<()> {
    let script = path.display();
    if json {
        let failure = outcome.map(|found| json!({ "place": found.step.place.to_string(), "texts": found.texts }));
        let line = json!({ "script": path, "passed": outcome.is_none(), "steps": steps, "ms": ms, "failure": failure });
        return Ok(output::say(line)?);
    }
    let Some(Mismatch { step, texts }) = outcome else {
        return Ok(output::say(format_args!("ok     {script} ({steps} steps, {ms} ms)"))?);
    };
    output::say(format_args!("FAILED {script}\n  {}: {}", step.place, step.action))?;
    for text in texts {
        output::say(format_args!("    {text}"))?;
    }
    Ok(())
}

/// Runs a script; what went otherwise than it says.
pub fn run_script<'a>(runtime: &Runtime, setup: &Setup, steps: &'a [Step]) -> anyhow::Result<Option<Mismatch<'a>>> {
    let mut host = setup.start()?;
    for step in steps {
        let texts = match &step.action {
            Action::Request(exchange) => runtime.block_on(look_until_it_fits(&host, exchange))?,
            Action::Evict { object } => {
                evict(runtime, setup, object).err().map(|error| format!("{error:#}")).into_iter().collect()
            }
            Action::Restart => {
                host.stop()?;
                host = setup.start()?;
                Vec::new()
            }
            Action::Crash => {
                host.kill()?;
                host = setup.start()?;
                Vec::new()
            }
        };
        if !texts.is_empty() {
            return Ok(Some(Mismatch { step, texts }));
        }
    }
    host.stop()?;
    Ok(None)
}

/// Sends a request, again and again if the step says so, and says what was not as expected the last time.
async fn look_until_it_fits(host: &Host, exchange: &Exchange) -> anyhow::Result<Vec<String>> {
    let deadline = Instant::now() + exchange.within;
    loop {
        let found = look(host, exchange).await?;
        if found.is_empty() || Instant::now() >= deadline {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends a request and says what is not as expected.
async fn look(host: &Host, exchange: &Exchange) -> anyhow::Result<Vec<String>> {
    let mut request = Request::builder()
        .method(exchange.method.clone())
        .uri(format!("http://{}{}", host.address, exchange.target))
        .body(Full::new(Bytes::from(exchange.body.clone())))?;
    request.headers_mut().extend(exchange.headers.iter().cloned());
    match tokio::time::timeout(PATIENCE, http_client::send(request)).await {
        Err(_) => Ok(vec![format!("no answer within {PATIENCE:?}")]),
        Ok(Err(SendError::Unreachable(error))) => Ok(vec![format!("the host cannot be reached: {error}")]),
        Ok(Err(SendError::Broken(error))) => Ok(vec![format!("no whole answer: {error}")]),
        Ok(Ok(response)) => Ok(differences(&exchange.expected, &response)),
    }
}

fn differences(expected: &Expected, response: &Response<Bytes>) -> Vec<String> {
    let mut found = Vec::new();
    let body = String::from_utf8_lossy(response.body());
    if response.status() != expected.status {
        found.push(format!("status: expected {}, got {}", expected.status, response.status()));
    }
    for (name, value) in &expected.headers {
        let got: Vec<_> =
            response.headers().get_all(name).iter().map(|got| String::from_utf8_lossy(got.as_bytes())).collect();
        if !got.iter().any(|got| got == value) {
            found.push(format!(
                "{name}: expected {value:?}, got {}",
                if got.is_empty() { "none".into() } else { got.join(", ") }
            ));
        }
    }
    if let Some(text) = &expected.text
        && body != text.as_str()
    {
        found.push(format!("text: expected {text:?}, got {:?}", shortened(&body)));
    }
    if let Some(text) = &expected.contains
        && !body.contains(text.as_str())
    {
        found.push(format!("text: expected one with {text:?}, got {:?}", shortened(&body)));
    }
    if let Some(json) = &expected.json {
        match serde_json::from_slice::<Value>(response.body()) {
            Ok(got) if got == *json => {}
            Ok(got) => found.push(format!("json: expected {json}, got {}", shortened(&got.to_string()))),
            Err(error) => found.push(format!("json: expected {json}, got {:?}: {error}", shortened(&body))),
        }
    }
    // Whoever expects a status only wants to know what came instead.
    if found.len() == 1 && response.status() != expected.status {
        found.push(format!("text: {:?}", shortened(&body)));
    }
    found
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn evict(runtime: &Runtime, setup: &Setup, object: &str) -> anyhow::Result<()> {
    let client = objects::connect(runtime, &setup.data_dir())?.context("the host has no management socket")?;
    let (class, name) = object.split_once('/').expect("the script was checked");
    let target = objects::named_path(class, name) + "/evict";
    objects::send(runtime, &client, Method::POST, &target, Bytes::new())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        let status = http::StatusCode::OK;
        Expected { status, headers: Vec::new(), text: None, contains: None, json: None }
    }

    fn response(status: u16, body: &'static str) -> Response<Bytes> {
        let response = Response::builder().status(status).header("a", "1").header("a", "2");
        response.body(Bytes::from_static(body.as_bytes())).expect("a response")
    }

    #[test]
    fn only_what_is_expected_is_looked_at() {
        assert_eq!(differences(&expected(), &response(200, "x")), Vec::<String>::new());
        assert_eq!(
            differences(&expected(), &response(500, "x")),
            ["status: expected 200 OK, got 500 Internal Server Error", "text: \"x\""]
        );
    }

    #[test]
    fn headers_text_and_json_are_compared() {
        let a = || http::HeaderName::from_static("a");
        let good = Expected {
            headers: vec![(a(), "2".into())],
            text: Some("{\"b\": 1}".into()),
            contains: Some("b".into()),
            json: Some(json!({ "b": 1 })),
            ..expected()
        };
        assert_eq!(differences(&good, &response(200, "{\"b\": 1}")), Vec::<String>::new());
        assert_eq!(differences(&good, &response(200, "{}")).len(), 3);
        let bad = Expected { headers: vec![(a(), "3".into())], ..expected() };
        assert_eq!(differences(&bad, &response(200, "")), ["a: expected \"3\", got 1, 2"]);
    }
}
