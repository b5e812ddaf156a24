//! Answers: JSON, bytes, and errors that say what to do.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use dohost_object::ManageError;
use dohost_object::manage::{
    AlarmOutcome, AlarmRow, AppliedMigration, CommitError, Known, KnownAlarms, MissedTicks, PastRun, StoreError,
};
use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::declared::Declared;

/// A request that cannot be done.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: StatusCode,
    pub message: String,
    pub help: Option<String>,
}

impl Refusal {
    pub fn new(status: StatusCode, message: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into(), help: Some(help.into()) }
    }

    pub fn bad_request(message: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message, help)
    }

    pub fn into_response(self) -> Response<Bytes> {
        let Refusal { status, message, help } = self;
        json_response(status, &json!({ "error": { "message": message, "help": help } }))
    }
}

impl From<ManageError> for Refusal {
    fn from(error: ManageError) -> Refusal {
        let (status, help) = match &error {
            ManageError::NoClass { classes, .. } if classes.is_empty() => {
                (StatusCode::NOT_FOUND, "nothing was ever served from this data directory".into())
            }
            ManageError::NoClass { classes, .. } => {
                (StatusCode::NOT_FOUND, format!("the classes are {}", classes.join(", ")))
            }
            ManageError::InvalidId(_) => {
                (StatusCode::BAD_REQUEST, "ids are listed by `dohost objects list CLASS`".into())
            }
            ManageError::NoObject { .. } => (
                StatusCode::NOT_FOUND,
                "an object is known once it has stored something; names are case-sensitive".into(),
            ),
            ManageError::TooLong(_) => (StatusCode::BAD_REQUEST, "give a shorter one".into()),
            ManageError::TooLarge { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "delete something first, or start the host with --limit storage=…".into(),
            ),
            ManageError::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "try again, or reset the object, which ends what it does".into())
            }
            ManageError::NoAnswer => (StatusCode::SERVICE_UNAVAILABLE, "try again in a moment".into()),
            ManageError::Store(StoreError::NoSpace) | ManageError::Commit(CommitError::NoSpace { .. }) => {
                (StatusCode::INSUFFICIENT_STORAGE, "make room on the disk and try again".into())
            }
            ManageError::Store(_) | ManageError::Commit(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "look at the log of the host and at its disk".into())
            }
        };
        Refusal::new(status, error.to_string(), help)
    }
}

pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response<Bytes> {
    respond(status, "application/json", format!("{value:#}\n").into())
}

/// The value of a key.
pub(crate) fn bytes_response(value: Bytes) -> Response<Bytes> {
    respond(StatusCode::OK, "application/octet-stream", value)
}

fn respond(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let builder = Response::builder().status(status).header(header::CONTENT_TYPE, content_type);
    // What is stored must not be taken for a page, wherever it is shown.
    let builder = builder.header(header::X_CONTENT_TYPE_OPTIONS, "nosniff").header(header::CACHE_CONTROL, "no-store");
    builder.body(body).expect("these headers are headers")
}

/// Milliseconds since 1970 as a date, for people and machines.
pub(crate) fn date(ms: u64) -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms.min(253_402_300_799_999))).to_string()
}

/// An object.
pub(crate) fn object(known: &Known, now_ms: u64) -> Value {
    let resident = known.resident.as_ref();
    let stored = known.stored.as_ref();
    let name = stored.and_then(|stored| stored.record.name.as_deref());
    let name = name.or_else(|| resident.and_then(|resident| resident.name.as_deref()));
    let idle_ms = |resident: &dohost_object::Resident| resident.idle.map_or(0, |idle| idle.as_millis() as u64);
    let active_ms = match resident {
        Some(resident) => Some(now_ms.saturating_sub(idle_ms(resident))),
        None => stored.map(|stored| stored.record.active_ms),
    };
    json!({
        "id": known.id.to_string(),
        "name": name,
        "hasStoredData": stored.is_some(),
        "created": stored.map(|stored| date(stored.record.created_ms)),
        "lastActive": active_ms.map(date),
        "bytes": stored.map_or(0, |stored| stored.bytes),
        "keys": stored.map_or(Some(0), |stored| stored.keys),
        "resident": resident.is_some(),
        "events": resident.map_or(0, |resident| resident.running + resident.waiting),
    })
}

/// The alarms of an object, and its last runs.
pub(crate) fn alarms(known: &KnownAlarms) -> Value {
    let run = |run: &PastRun| {
        let (outcome, error, next_ms) = match &run.outcome {
            AlarmOutcome::Succeeded => ("succeeded", None, None),
            AlarmOutcome::Failed { error, next_ms } => ("failed", Some(error), Some(*next_ms)),
            AlarmOutcome::GivenUp { error } => ("given up", Some(error), None),
        };
        json!({
            "name": run.name,
            "scheduled": run.scheduled_ms.map(date),
            "started": date(run.started_ms),
            "tookMs": run.took_ms,
            "retryCount": run.retry_count,
            "outcome": outcome,
            "error": error,
            "nextTry": next_ms.map(date),
        })
    };
    let runs = known.runs.as_ref().map(|runs| runs.iter().map(run).collect::<Value>());
    json!({ "alarms": pending(known), "runs": runs })
}

/// The alarms of an object that are set.
pub(crate) fn pending(known: &KnownAlarms) -> Value {
    let alarm = |(name, row): &(Arc<str>, AlarmRow)| {
        let missed = |missed: MissedTicks| match missed {
            MissedTicks::FireOnce => "fire-once",
            MissedTicks::Skip => "skip",
            MissedTicks::CatchUp => "catch-up",
        };
        let schedule = row.alarm.schedule.as_ref();
        json!({
            "name": &**name,
            "scheduled": date(row.alarm.scheduled_ms),
            "due": date(row.due_ms),
            "retryCount": row.tries.counted,
            "cron": schedule.map(|schedule| &schedule.expression),
            "timeZone": schedule.and_then(|schedule| schedule.time_zone.as_ref()),
            "missed": schedule.map(|schedule| missed(schedule.missed)),
        })
    };
    known.pending.iter().map(alarm).collect()
}

/// A migration that was applied.
pub(crate) fn migration(applied: &AppliedMigration) -> Value {
    let mut value = json!(Declared::from(applied.migration.clone()));
    value["applied"] = json!(date(applied.applied_ms));
    value["sourcesAreCleared"] = json!(applied.sources_are_cleared);
    value
}
