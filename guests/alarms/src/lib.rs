//! An object that sets alarms and does in their handler what it was told, for tests of the host.
//!
//! | path | reply |
//! | --- | --- |
//! | `/do?STEP&STEP…` | an answer per step that has one, in lines |
//! | `/handler?name=NAME&do=STEPS` | what the handler of the alarms `NAME` and `NAME-…` does from now on, steps as in a query |
//! | `/log` | a line for each call of the handler that kept it: `name scheduled retry-count is-retry cron now get id name` |
//! | `/overlap` | how many handlers ran at once on this instance, at most |
//!
//! Steps, with what they are about behind a `=`, parts of it apart by `,`:
//!
//! | step | does | answer |
//! | --- | --- | --- |
//! | `set=NAME,MS` | sets the alarm so many milliseconds from now | `ok` |
//! | `at=NAME,MS` | the same for a time since 1970 | `ok` |
//! | `soft=NAME,MS` | the same as `set`, unconfirmed | `ok` |
//! | `cron=NAME,MISSED,ZONE,EXPRESSION` | sets the alarm by a schedule; no zone is empty | the first tick |
//! | `get=NAME` | | the time, or `none` |
//! | `list` | | `name@time` for each, apart by blanks |
//! | `delete=NAME`, `delete-soft=NAME` | | whether it was there |
//! | `delete-all` | deletes everything | `ok` |
//! | `put=KEY,VALUE`, `read=KEY` | | `ok`; the value or `none` |
//! | `append=KEY,VALUE` | adds a line to a value | `ok` |
//! | `begin`, `commit`, `rollback` | a transaction | `ok` |
//! | `sync` | waits until all is durable | |
//! | `sleep=MS` | | |
//! | `now` | | milliseconds since 1970 |
//! | `throw=TEXT`, `trap`, `spin` | fails in its own words, or not | |
//! | `throw-before=N`, `trap-before=N` | fails while the retry count is below N | |
//! | `abort`, `abort-without-retry` | | |
//!
//! What the host refuses is answered with its case and text.

use std::cell::Cell;

use dohost::object::types::{Header, Request, Response};
use dohost::object::{alarms, state, storage, transactions};
use exports::dohost::object::alarm_handler::{AlarmInfo, Guest as AlarmHandler};
use exports::dohost::object::handler::{Exception, Guest};
use wasi::clocks::{monotonic_clock, system_clock};

wit_bindgen::generate!({
    inline: "
        package dohost:alarms;

        /// An object with alarms, which knows the time too.
        world alarms {
            include dohost:object/object@0.1.0;
            import wasi:clocks/monotonic-clock@0.3.0;
            import wasi:clocks/system-clock@0.3.0;
            export dohost:object/alarm-handler@0.1.0;
        }
    ",
    path: "../../wit",
    world: "dohost:alarms/alarms",
    generate_all,
});

struct Alarms;

export!(Alarms);

/// Where the log is kept.
const LOG: &str = "log";

thread_local! {
    static RUNNING: Cell<u32> = const { Cell::new(0) };
    static MOST_RUNNING: Cell<u32> = const { Cell::new(0) };
}

impl Guest for Alarms {
    async fn fetch(request: Request) -> Result<Response, Exception> {
        let query = request.query.unwrap_or_default();
        let body = match request.path.as_str() {
            "/do" => steps(&query, 0).await?,
            "/handler" => {
                let parameter = |name: &str| {
                    let found = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name);
                    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
                };
                put(&format!("handler {}", parameter("name")), &parameter("do")).await?;
                "ok\n".to_string()
            }
            "/log" => read(LOG).await?.unwrap_or_default(),
            "/overlap" => MOST_RUNNING.get().to_string(),
            _ => return Ok(text(404, "Not found")),
        };
        Ok(text(200, &body))
    }
}

impl AlarmHandler for Alarms {
    async fn alarm(info: AlarmInfo) -> Result<(), Exception> {
        RUNNING.set(RUNNING.get() + 1);
        MOST_RUNNING.set(MOST_RUNNING.get().max(RUNNING.get()));
        let done = handle(&info).await;
        RUNNING.set(RUNNING.get() - 1);
        done
    }
}

async fn handle(info: &AlarmInfo) -> Result<(), Exception> {
    let AlarmInfo { name, scheduled_time, retry_count, is_retry, cron } = info;
    let next = alarms::get(name.clone()).await.map_err(refusal)?.map_or("none".to_string(), |time| time.to_string());
    let cron = cron.as_deref().unwrap_or("none").replace(' ', "_");
    let own = state::name().unwrap_or("none".to_string());
    let line = format!("{name} {scheduled_time} {retry_count} {is_retry} {cron} {} {next} {own}", now());
    append(LOG, &line).await?;
    let kind = name.split('-').next().unwrap_or_default();
    if let Some(script) = read(&format!("handler {kind}")).await? {
        steps(&script, *retry_count).await?;
    }
    Ok(())
}

/// Does steps; their answers, in lines.
async fn steps(query: &str, retry_count: u32) -> Result<String, Exception> {
    let mut answers = String::new();
    let mut open = Vec::new();
    for (step, argument) in form_urlencoded::parse(query.as_bytes()) {
        let parts: Vec<&str> = argument.splitn(if step == "cron" { 4 } else { 2 }, ',').collect();
        let part = |number: usize| parts.get(number).copied().unwrap_or_default().to_string();
        let number = |number: usize| part(number).parse::<i64>().map_err(|error| format!("{step}: {error}"));
        let answer = match &*step {
            "set" => ok(alarms::set(part(0), now() + number(1)?).await),
            "at" => ok(alarms::set(part(0), number(1)?).await),
            "soft" => ok(alarms::set_unconfirmed(part(0), now() + number(1)?).await),
            "cron" => {
                let missed = match part(1).as_str() {
                    "fire-once" => alarms::MissedTicks::FireOnce,
                    "skip" => alarms::MissedTicks::Skip,
                    "catch-up" => alarms::MissedTicks::CatchUp,
                    other => return Err(format!("no policy {other}")),
                };
                let time_zone = Some(part(2)).filter(|zone| !zone.is_empty());
                told(alarms::set_cron(part(0), alarms::Cron { expression: part(3), time_zone, missed }).await)
            }
            "get" => match alarms::get(part(0)).await {
                Ok(None) => "none".to_string(),
                Ok(Some(time)) => time.to_string(),
                Err(error) => refusal(error),
            },
            "list" => {
                let all = alarms::list().await.map_err(refusal)?;
                let all = all.iter().map(|alarm| format!("{}@{}", alarm.name, alarm.scheduled_time));
                all.collect::<Vec<_>>().join(" ")
            }
            "delete" => told(alarms::delete(part(0)).await),
            "delete-soft" => told(alarms::delete_unconfirmed(part(0)).await),
            "delete-all" => ok(storage::delete_all().await),
            "put" => {
                put(&part(0), &part(1)).await?;
                "ok".to_string()
            }
            "append" => {
                append(&part(0), &part(1)).await?;
                "ok".to_string()
            }
            "read" => read(&argument).await?.unwrap_or("none".to_string()),
            "begin" => {
                open.push(transactions::begin().await.map_err(refusal)?);
                "ok".to_string()
            }
            "commit" => ok(open.pop().ok_or("nothing was begun")?.commit()),
            "rollback" => ok(open.pop().ok_or("nothing was begun")?.rollback()),
            "sync" => {
                storage::sync().await;
                continue;
            }
            "sleep" => {
                monotonic_clock::wait_for(number(0)? as u64 * 1_000_000).await;
                continue;
            }
            "now" => now().to_string(),
            "throw" => return Err(argument.into_owned()),
            "throw-before" if i64::from(retry_count) < number(0)? => return Err("not yet".to_string()),
            "trap-before" if i64::from(retry_count) < number(0)? => panic!("not yet"),
            "throw-before" | "trap-before" => continue,
            "trap" => panic!("asked to"),
            "spin" => loop {
                std::hint::spin_loop();
            },
            "abort" => {
                state::abort(Some("asked to"));
                continue;
            }
            "abort-without-retry" => {
                state::abort_with(Some("asked to"), false);
                continue;
            }
            other => return Err(format!("no step {other}")),
        };
        answers += &answer;
        answers.push('\n');
    }
    Ok(answers)
}

fn now() -> i64 {
    let now = system_clock::now();
    now.seconds * 1_000 + i64::from(now.nanoseconds / 1_000_000)
}

async fn put(key: &str, value: &str) -> Result<(), Exception> {
    storage::put(key.to_string(), value.as_bytes().to_vec()).await.map_err(refusal)
}

async fn read(key: &str) -> Result<Option<String>, Exception> {
    let value = storage::get(key.to_string()).await.map_err(refusal)?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}

async fn append(key: &str, line: &str) -> Result<(), Exception> {
    let before = read(key).await?.unwrap_or_default();
    put(key, &format!("{before}{line}\n")).await
}

fn ok(result: Result<(), storage::Error>) -> String {
    told(result.map(|()| "ok"))
}

fn told<T: ToString>(result: Result<T, storage::Error>) -> String {
    result.map_or_else(refusal, |answer| answer.to_string())
}

fn refusal(error: storage::Error) -> String {
    match error {
        storage::Error::Invalid(text) => format!("invalid: {text}"),
        storage::Error::TooLarge(text) => format!("too-large: {text}"),
        storage::Error::NotAllowed(text) => format!("not-allowed: {text}"),
    }
}

fn text(status: u16, body: &str) -> Response {
    let content_type = Header { name: "content-type".to_string(), value: b"text/plain".to_vec() };
    Response { status, headers: vec![content_type], body: body.as_bytes().to_vec() }
}
