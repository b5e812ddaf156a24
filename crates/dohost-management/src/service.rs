//! A request to its answer.
//!
//! ```text
//! GET    /v1/classes                                      classes with the number of their objects
//! GET    /v1/classes/{class}/objects?cursor&limit&prefix  objects that have stored something, by id
//! GET    /v1/classes/{class}/objects/{object}             one object
//! DELETE /v1/classes/{class}/objects/{object}             reset it and delete all it stored
//! POST   /v1/classes/{class}/objects/{object}/evict       let it finish what it does, and take it out of memory
//! POST   /v1/classes/{class}/objects/{object}/reset       take it out of memory at once
//! GET    /v1/classes/{class}/objects/{object}/alarms?runs  its alarms, and its last runs
//! GET    /v1/classes/{class}/objects/{object}/keys?prefix&after&limit
//! GET    /v1/classes/{class}/objects/{object}/keys/{key}  the value, as bytes
//! PUT    /v1/classes/{class}/objects/{object}/keys/{key}
//! DELETE /v1/classes/{class}/objects/{object}/keys/{key}
//! GET    /v1/stats
//! GET    /v1/migrations                                   those that were applied
//! POST   /v1/migrations/plan                              what a list of them would do
//! POST   /v1/deploy?force                                 new code, if the host can
//! ```
//!
//! `{object}` is an id or `name:` with a name. Parts of a path are percent-encoded.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dohost_object::Management;
use dohost_object::host::Target;
use dohost_object::manage::Migration;
use http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answer::{self, Refusal, bytes_response, json_response};
use crate::declared::Declared;
use crate::limits::{ALARM_RUNS_DEFAULT, ALARM_RUNS_MAX, KEYS_MAX, OBJECTS_DEFAULT, OBJECTS_RANGE};

/// What marks a name where an id could stand, too.
pub const NAME_MARK: &str = "name:";

/// What the running application can be told.
pub trait Application: Send + Sync + 'static {
    /// Loads its components anew, also if those who call methods would have to change, if that is said. Gives what it did,
    /// for the operator. May wait; called inside of a tokio runtime, on a thread that may.
    fn deploy(self: Arc<Self>, may_break_callers: bool) -> Result<String, Failed>;
}

/// Why everything is as it was.
pub struct Failed {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    management: Management,
    application: Option<Arc<dyn Application>>,
    /// None if no host runs.
    started: Option<Instant>,
    version: &'static str,
}

type Answer = Result<Response<Bytes>, Refusal>;

impl Service {
    /// Looks after a host.
    pub fn of_host(
        management: Management,
        application: Option<Arc<dyn Application>>,
        version: &'static str,
    ) -> Service {
        Service { management, application, started: Some(Instant::now()), version }
    }

    /// Looks after a data directory that no host runs on.
    pub fn of_store(management: Management, version: &'static str) -> Service {
        Service { management, application: None, started: None, version }
    }

    /// Does what is asked. Waits for the disk and for objects.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let response = self.route(request).unwrap_or_else(Refusal::into_response);
        let (method, path, status) = (request.method(), request.uri().path(), response.status().as_u16());
        if method == Method::GET {
            tracing::debug!(target: "management", %method, path, status, "answered");
        } else {
            tracing::info!(target: "management", %method, path, status, "answered");
        }
        response
    }

    fn route(&self, request: &Request<Bytes>) -> Answer {
        let path = request.uri().path();
        let parts: Vec<Cow<'_, str>> = path.split('/').skip(1).map(decoded).collect::<Result<_, _>>()?;
        let parts: Vec<&str> = parts.iter().map(|part| &**part).collect();
        let query = query(request.uri().query().unwrap_or_default())?;
        let nothing: &[&str] = &[];
        let (method, allowed) = (request.method().as_str(), |names| require_query(&query, names));
        match (method, parts.as_slice()) {
            ("GET", ["v1", "classes"]) => allowed(nothing).and_then(|()| self.classes()),
            ("GET", ["v1", "stats"]) => allowed(nothing).and_then(|()| self.stats()),
            ("GET", ["v1", "migrations"]) => allowed(nothing).and_then(|()| self.migrations()),
            ("POST", ["v1", "migrations", "plan"]) => allowed(nothing).and_then(|()| self.plan(request.body())),
            ("POST", ["v1", "deploy"]) if self.application.is_some() => {
                allowed(&["force"])?;
                self.deploy(query.iter().any(|(name, value)| name == "force" && value == "true"))
            }
            ("GET", ["v1", "classes", class, "objects"]) => {
                allowed(&["cursor", "limit", "prefix"]).and_then(|()| self.objects(class, &query))
            }
            (_, ["v1", "classes", class, "objects", object, rest @ ..]) => {
                let names: &[&str] = match rest {
                    ["keys"] => &["prefix", "after", "limit"],
                    ["alarms"] => &["runs"],
                    _ => &[],
                };
                allowed(names)?;
                self.object(method, class, target(object), rest, &query, request.body())
            }
            _ => Err(no_route(request)),
        }?
        .map_or_else(|| Err(no_route(request)), Ok)
    }

    fn object(
        &self,
        method: &str,
        class: &str,
        target: Target<'_>,
        rest: &[&str],
        query: &[(String, String)],
        body: &Bytes,
    ) -> Result<Option<Response<Bytes>>, Refusal> {
        let management = &self.management;
        let response = match (method, rest) {
            ("GET", []) => {
                let known = management.object(class, target)?;
                let mut object = answer::object(&known, management.now_ms());
                object["alarms"] = answer::pending(&management.alarms(class, target, 0)?);
                let websockets = management.websockets(class, target)?;
                if websockets > 0 {
                    object["websockets"] = websockets.into();
                }
                ok(&object)
            }
            ("DELETE", []) => {
                management.delete(class, target)?;
                ok(&json!({ "deleted": true }))
            }
            ("POST", ["evict"]) => ok(&json!({ "wasResident": management.evict(class, target)? })),
            ("POST", ["reset"]) => ok(&json!({ "wasResident": management.reset(class, target)? })),
            ("GET", ["alarms"]) => {
                let limit = number(query, "runs", 0, ALARM_RUNS_MAX)?.unwrap_or(ALARM_RUNS_DEFAULT);
                ok(&answer::alarms(&management.alarms(class, target, limit as usize)?))
            }
            ("GET", ["keys"]) => self.keys(class, target, query)?,
            ("GET", ["keys", key]) => {
                let missing = || {
                    let message = format!("the object has no key {key:?}");
                    Refusal::new(StatusCode::NOT_FOUND, message, "`dohost objects keys CLASS/NAME` lists its keys")
                };
                bytes_response(management.get(class, target, key)?.ok_or_else(missing)?)
            }
            ("PUT", ["keys", key]) => {
                let replaced = management.put(class, target, key, Some(body.clone()))?;
                ok(&json!({ "replaced": replaced, "bytes": body.len() }))
            }
            ("DELETE", ["keys", key]) => ok(&json!({ "deleted": management.put(class, target, key, None)? })),
            _ => return Ok(None),
        };
        Ok(Some(response))
    }

    fn classes(&self) -> Result<Option<Response<Bytes>>, Refusal> {
        let class = |(stored, objects): (dohost_object::manage::StoredClass, u64)| {
            let served = self.started.map(|_| self.management.is_served(&stored.name));
            json!({ "name": stored.name, "objects": objects, "served": served })
        };
        let classes: Value = self.management.classes()?.into_iter().map(class).collect();
        Ok(Some(ok(&json!({ "classes": classes }))))
    }

    fn objects(&self, class: &str, query: &[(String, String)]) -> Result<Option<Response<Bytes>>, Refusal> {
        let (min, max) = OBJECTS_RANGE;
        let limit = number(query, "limit", min as u64, max as u64)?.map_or(OBJECTS_DEFAULT, |limit| limit as usize);
        let known = self.management.objects(class, value(query, "cursor"), limit, value(query, "prefix"))?;
        let cursor = if known.len() < limit { None } else { known.last().map(|known| known.id.to_string()) };
        let now_ms = self.management.now_ms();
        let objects: Value = known.iter().map(|known| answer::object(known, now_ms)).collect();
        Ok(Some(ok(&json!({ "objects": objects, "cursor": cursor }))))
    }

    fn keys(&self, class: &str, target: Target<'_>, query: &[(String, String)]) -> Result<Response<Bytes>, Refusal> {
        let limit = number(query, "limit", 1, KEYS_MAX)?.unwrap_or(KEYS_MAX);
        let page = self.management.keys(class, target, value(query, "prefix"), value(query, "after"), limit)?;
        let key = |(key, value): &(Arc<str>, Bytes)| json!({ "key": &**key, "bytes": value.len() });
        let after = page.more.then(|| page.entries.last().map(|(key, _)| key.to_string())).flatten();
        let keys: Value = page.entries.iter().map(key).collect();
        Ok(ok(&json!({ "keys": keys, "after": after })))
    }

    fn stats(&self) -> Result<Option<Response<Bytes>>, Refusal> {
        let figures = self.management.figures()?;
        Ok(Some(ok(&json!({
            "version": self.version,
            "uptimeSeconds": self.started.map(|started| started.elapsed().as_secs()),
            "residentObjects": figures.residents,
            "events": figures.events,
            "storedObjects": figures.stored.objects,
            "storedBytes": figures.stored.bytes,
            "commits": figures.store.transactions,
            "writeSets": figures.store.write_sets,
            "pendingBytes": figures.pending_bytes,
            "websockets": figures.websockets,
            "alarmsPending": figures.alarms_pending,
            "alarmsUnderWay": figures.alarms.map(|alarms| alarms.under_way),
            "alarmsSucceeded": figures.alarms.map(|alarms| alarms.succeeded),
            "alarmsFailed": figures.alarms.map(|alarms| alarms.failed),
        }))))
    }

    fn migrations(&self) -> Result<Option<Response<Bytes>>, Refusal> {
        let migrations: Value = self.management.migrations()?.iter().map(answer::migration).collect();
        Ok(Some(ok(&json!({ "migrations": migrations }))))
    }

    fn plan(&self, body: &Bytes) -> Result<Option<Response<Bytes>>, Refusal> {
        let help = "give a list of migrations, each with tag and steps, as GET /v1/migrations shows them";
        let declared: Vec<Declared> = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(format!("the body is no list of migrations: {error}"), help))?;
        let migrations: Vec<Migration> = declared.into_iter().map(Into::into).collect();
        let plan = self.management.plan(&migrations);
        let plan = plan.map_err(|error| Refusal::new(StatusCode::CONFLICT, error.to_string(), error.help()))?;
        let text = plan.to_string();
        let lines: Vec<&str> = text.lines().collect();
        Ok(Some(ok(&json!({ "changes": lines, "destroys": plan.destroys() }))))
    }

    fn deploy(&self, may_break_callers: bool) -> Result<Option<Response<Bytes>>, Refusal> {
        let Some(application) = &self.application else { return Ok(None) };
        match application.clone().deploy(may_break_callers) {
            Ok(message) => Ok(Some(ok(&json!({ "message": message })))),
            Err(Failed { message, help }) => {
                let help = help.unwrap_or_else(|| "everything is as it was".into());
                Err(Refusal::new(StatusCode::CONFLICT, message, help))
            }
        }
    }
}

fn ok(value: &Value) -> Response<Bytes> {
    json_response(StatusCode::OK, value)
}

fn no_route(request: &Request<Bytes>) -> Refusal {
    let message = format!("there is nothing at {} {}", request.method(), request.uri().path());
    Refusal::new(StatusCode::NOT_FOUND, message, "docs/MANAGEMENT.md lists what there is")
}

fn target(object: &str) -> Target<'_> {
    object.strip_prefix(NAME_MARK).map_or(Target::Id(object), Target::Name)
}

fn decoded(text: &str) -> Result<Cow<'_, str>, Refusal> {
    let bad =
        |_| Refusal::bad_request("the path is not UTF-8", "encode names and keys as UTF-8, then with percent signs");
    percent_decode_str(text).decode_utf8().map_err(bad)
}

fn query(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((decoded(name)?.into_owned(), decoded(value)?.into_owned()))
    });
    pairs.collect()
}

fn require_query(query: &[(String, String)], names: &[&str]) -> Result<(), Refusal> {
    match query.iter().find(|(name, _)| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some((name, _)) if names.is_empty() => {
            Err(Refusal::bad_request(format!("{name:?} is no parameter of this"), "it has none"))
        }
        Some((name, _)) => Err(Refusal::bad_request(
            format!("{name:?} is no parameter of this"),
            format!("it has {}", names.join(", ")),
        )),
    }
}

fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

fn number(query: &[(String, String)], name: &str, min: u64, max: u64) -> Result<Option<u64>, Refusal> {
    let Some(text) = value(query, name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(Refusal::bad_request(format!("{name} is {text:?}"), format!("give a number from {min} to {max}"))),
    }
}
