//! `dohost objects` and `dohost stats`: requests to the management API, and their answers as text.
//!
//! Where no host runs the same API works on the data directory in this process, so the answers are the same.

pub mod args;
mod ask;
mod clone;
mod show;

use std::io::{IsTerminal, Read, Write};

use anyhow::Context;
use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::failure::Failure;
use crate::objects::ask::{Asked, encoded};
use args::{Action, Deploy, Meant, Objects, Put, Stats};
pub use ask::{connect, open_alone, send};

/// Runs `dohost objects`.
pub fn run(args: Objects) -> anyhow::Result<()> {
    let asked = Asked::connect(&args.place)?;
    let json = args.place.json;
    match args.action {
        Action::List { class: None, .. } => list_classes(&asked, json),
        Action::List { class: Some(class), prefix, limit } => {
            list(&asked, &class, prefix.as_deref(), limit.unwrap_or(usize::MAX), json)
        }
        Action::Show(object) => {
            let known = asked.json(Method::GET, &path(&object)?)?;
            let (class, _) = class_and_name(&object)?;
            print(json, &known, |known| show::object(class, known))
        }
        Action::Keys { object, prefix } => keys(&asked, &object, prefix.as_deref(), json),
        Action::Alarms { object, runs } => {
            let query = runs.map_or(String::new(), |runs| format!("?runs={runs}"));
            let answer = asked.json(Method::GET, &format!("{}/alarms{query}", path(&object)?))?;
            print(json, &answer, show::alarms)
        }
        Action::Get { object, key, raw } => get(&asked, &object, &key, raw, json),
        Action::Put(put) => write(&asked, &put, json),
        Action::Delete { object, key: Some(key), .. } => {
            let answer = asked.json(Method::DELETE, &format!("{}/keys/{}", path(&object)?, encoded(&key)))?;
            let text = if answer["deleted"] == Value::Bool(true) { "deleted" } else { "there was no such key" };
            print(json, &answer, |_| text.into())
        }
        Action::Delete { object, key: None, yes } => {
            if !yes {
                let text = format!("{} would lose all it stored", object.object);
                return Err(Failure::new(text, Some("if that is meant, add --yes".into())).into());
            }
            print(json, &asked.json(Method::DELETE, &path(&object)?)?, |_| "deleted".into())
        }
        Action::Evict(object) => end(&asked, &object, "evict", "evicted", json),
        Action::Reset(object) => end(&asked, &object, "reset", "reset", json),
    }
}

/// Runs `dohost stats`.
pub fn stats(args: Stats) -> anyhow::Result<()> {
    let answer = Asked::connect(&args.place)?.json(Method::GET, "/v1/stats")?;
    print(args.place.json, &answer, show::stats)
}

/// Runs `dohost deploy`.
pub fn deploy(args: &Deploy) -> anyhow::Result<()> {
    let asked = Asked::connect(&args.place)?;
    if asked.is_alone() {
        let help = "start one: it will have the new code";
        return Err(Failure::new("no host runs on the data directory", Some(help.into())).into());
    }
    let target = if args.force { "/v1/deploy?force=true" } else { "/v1/deploy" };
    let answer = asked.json(Method::POST, target)?;
    let text = |answer: &Value| format!("deployed: {}", answer["message"].as_str().unwrap_or_default());
    print(args.place.json, &answer, text)
}

fn list_classes(asked: &Asked, json: bool) -> anyhow::Result<()> {
    let answer = asked.json(Method::GET, "/v1/classes")?;
    print(json, &answer, show::classes)
}

fn list(asked: &Asked, class: &str, prefix: Option<&str>, limit: usize, json: bool) -> anyhow::Result<()> {
    let mut left = limit;
    let mut cursor: Option<String> = None;
    let mut out = std::io::stdout().lock();
    let mut is_first = true;
    while left > 0 {
        let mut target = format!("/v1/classes/{}/objects?limit={}", encoded(class), left.clamp(10, 1_000));
        for (name, value) in [("cursor", cursor.as_deref()), ("prefix", prefix)] {
            if let Some(value) = value {
                target += &format!("&{name}={}", encoded(value));
            }
        }
        let answer = asked.json(Method::GET, &target)?;
        if std::mem::take(&mut is_first) && !json {
            writeln!(out, "{}", show::OBJECTS_HEAD)?;
        }
        for object in answer["objects"].as_array().into_iter().flatten().take(left) {
            match json {
                true => writeln!(out, "{object}")?,
                false => writeln!(out, "{}", show::object_line(object))?,
            }
            left -= 1;
        }
        cursor = answer["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    Ok(())
}

fn keys(asked: &Asked, object: &Meant, prefix: Option<&str>, json: bool) -> anyhow::Result<()> {
    let mut after: Option<String> = None;
    let mut out = std::io::stdout().lock();
    loop {
        let mut target = format!("{}/keys?limit=1000", path(object)?);
        for (name, value) in [("after", after.as_deref()), ("prefix", prefix)] {
            if let Some(value) = value {
                target += &format!("&{name}={}", encoded(value));
            }
        }
        let answer = asked.json(Method::GET, &target)?;
        for key in answer["keys"].as_array().into_iter().flatten() {
            match json {
                true => writeln!(out, "{key}")?,
                false => writeln!(out, "{}", show::key_line(key))?,
            }
        }
        after = answer["after"].as_str().map(str::to_owned);
        if after.is_none() {
            return Ok(());
        }
    }
}

fn get(asked: &Asked, object: &Meant, key: &str, raw: bool, json: bool) -> anyhow::Result<()> {
    let value = asked.bytes(Method::GET, &format!("{}/keys/{}", path(object)?, encoded(key)), Bytes::new())?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", show::value_as_json(key, &value))?;
    } else if raw || !out.is_terminal() {
        out.write_all(&value)?;
    } else {
        writeln!(out, "{}", show::value(&value))?;
    }
    Ok(out.flush()?)
}

fn write(asked: &Asked, put: &Put, json: bool) -> anyhow::Result<()> {
    let value = value_of(put)?;
    let target = format!("{}/keys/{}", path(&put.object)?, encoded(&put.key));
    let answer = asked.bytes(Method::PUT, &target, value.into())?;
    let answer: Value = serde_json::from_slice(&answer).context("the host answered with something else than JSON")?;
    print(json, &answer, |answer| {
        let what = if answer["replaced"] == Value::Bool(true) { "replaced" } else { "new" };
        format!("written, {} bytes, {what}", answer["bytes"])
    })
}

fn value_of(put: &Put) -> anyhow::Result<Vec<u8>> {
    let bad = |what: &str, error: data_encoding::DecodeError| {
        Failure::new(format!("the value is not {what}: {error}"), Some("without --hex and --base64 it is text".into()))
    };
    let Some(file) = &put.file else {
        let text = put.value.as_deref().unwrap_or_default();
        return match (put.hex, put.base64) {
            (true, _) => data_encoding::HEXLOWER_PERMISSIVE
                .decode(text.as_bytes())
                .map_err(|error| bad("hexadecimal", error).into()),
            (_, true) => data_encoding::BASE64.decode(text.as_bytes()).map_err(|error| bad("base64", error).into()),
            _ => Ok(text.as_bytes().to_vec()),
        };
    };
    if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        // One byte more than is allowed is enough to be refused.
        let max = dohost_storage::VALUE_BYTES_MAX as u64 + 1;
        std::io::stdin().take(max).read_to_end(&mut bytes).context("cannot read standard input")?;
        return Ok(bytes);
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn end(asked: &Asked, object: &Meant, action: &str, done: &str, json: bool) -> anyhow::Result<()> {
    let answer = asked.json(Method::POST, &format!("{}/{action}", path(object)?))?;
    let was_resident = answer["wasResident"] == Value::Bool(true);
    print(json, &answer, |_| if was_resident { done.into() } else { "it was not in memory".into() })
}

fn print(json: bool, answer: &Value, text: impl Fn(&Value) -> String) -> anyhow::Result<()> {
    let text = if json { format!("{answer:#}") } else { text(answer) };
    Ok(writeln!(std::io::stdout(), "{text}")?)
}

fn class_and_name(object: &Meant) -> anyhow::Result<(&str, Option<&str>)> {
    let (class, name) = match object.object.split_once('/') {
        Some((class, name)) => (class, Some(name)),
        None => (object.object.as_str(), None),
    };
    let help = || Some("give CLASS/NAME, or CLASS with --id ID".to_owned());
    match (name, &object.id) {
        (Some(_), Some(_)) => Err(Failure::new("an object is named, and there is an id, too", help()).into()),
        (None, None) => Err(Failure::new(format!("which object of the class {class}?"), help()).into()),
        _ => Ok((class, name)),
    }
}

/// The path of an object in the API.
fn path(object: &Meant) -> anyhow::Result<String> {
    let (class, name) = class_and_name(object)?;
    let id = || encoded(object.id.as_deref().unwrap_or_default());
    Ok(name.map_or_else(|| format!("/v1/classes/{}/objects/{}", encoded(class), id()), |name| named_path(class, name)))
}

/// The path of an object with a name.
pub fn named_path(class: &str, name: &str) -> String {
    format!("/v1/classes/{}/objects/name:{}", encoded(class), encoded(name))
}
