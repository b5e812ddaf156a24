//! What else the crate can do, for tests: a path for each thing.

use std::cell::Cell;
use std::time::Duration;

use dohost_guest::*;
use serde::{Deserialize, Serialize};

#[durable_object(alarm)]
pub struct Trial {
    state: State,
    env: Env,
    events: Cell<u32>,
}

/// A value of many kinds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    tags: Vec<String>,
    level: Option<f64>,
    kind: Kind,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Guest,
    Member { since: u64 },
}

impl DurableObject for Trial {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, events: Cell::new(0) }
    }

    async fn fetch(&self, request: Request) -> Result<Response> {
        self.events.set(self.events.get() + 1);
        let argument = request.query_value("a").unwrap_or_default();
        Response::ok(match request.path() {
            "/echo" => {
                let type_ = request.headers().get("content-type").unwrap_or("none");
                format!("{} {} {type_} {}", request.method(), request.url(), request.text()?)
            }
            "/values" => self.values().await?,
            "/bytes" => self.bytes().await?,
            "/lists" => self.lists().await?,
            "/misfit" => self.misfit().await?,
            "/transaction" => self.transaction(&argument).await?,
            "/get" => self.state.storage().get::<String>(&argument).await?.unwrap_or_default(),
            "/later" => {
                let storage = self.state.storage();
                self.state.wait_until(async move {
                    sleep(Duration::from_millis(50)).await;
                    storage.put("later", "done").await.expect("a short key");
                });
                "soon".to_owned()
            }
            "/section" => {
                let before = self.events.get();
                let work = async || {
                    sleep(Duration::from_millis(300)).await;
                    Ok(self.events.get() - before)
                };
                self.state.block_concurrency_while(work).await?.to_string()
            }
            "/failed-section" => {
                self.state.block_concurrency_while(async || Err::<(), _>("not like this".into())).await?;
                "not reached".to_owned()
            }
            "/events" => self.events.get().to_string(),
            "/sleep" => {
                let begin = Date::now();
                sleep(Duration::from_millis(100)).await;
                (Date::now().as_millis() - begin.as_millis()).to_string()
            }
            "/var" => self.env.var(&argument)?.to_string(),
            "/secret" => format!("{:?}", self.env.secret(&argument)?),
            "/random" => (random_bytes(32) != random_bytes(32)).to_string(),
            "/log" => {
                console_log!("said {argument}");
                console_error!("warned of {argument}");
                "logged".to_owned()
            }
            "/panic" => panic!("asked to {argument}"),
            "/abort" => self.state.abort(Some("asked to")),
            "/fetch" => fetch(Request::get(&argument)?).await?.text()?.to_owned(),
            "/id" => {
                let id = self.state.id();
                let trials = self.env.durable_object("TRIAL")?;
                let same = trials.id_from_name(id.name().unwrap_or_default())? == trials.id_from_name("A")?;
                let text = trials.id_from_string(&id.to_string())?.to_string();
                format!("{} {same} {} {}", id.name().unwrap_or("none"), text == id.to_string(), self.state.class())
            }
            "/other" => {
                let other = self.env.durable_object("TRIAL")?.id_from_name(&argument)?.get_stub()?;
                let first = other.fetch(Request::post("http://other/echo", "hello")?).await?.text()?.to_owned();
                let second = other.fetch_with_str("http://other/id").await?.text()?.to_owned();
                format!("{first}; {second}")
            }
            "/stock-by-name" => {
                let stock = self.env.durable_object("STOCK")?.get_by_name(&argument)?;
                let filled: u32 = stock.try_call("fill", &(3,)).await?;
                let left: u32 = stock.call("left", &()).await?;
                let refused = stock.try_call::<u32>("take", &(9,)).await;
                format!("{filled} {left} {refused:?}")
            }
            "/alarms" => self.alarms().await?,
            "/alarm-in" => {
                let delay = Duration::from_millis(argument.parse()?);
                self.state.storage().set_alarm(delay).await?;
                "set".to_owned()
            }
            "/fired" => self.state.storage().get::<String>("fired").await?.unwrap_or_default(),
            "/no-class" => match self.env.durable_object("NOBODY") {
                Ok(_) => "there is one".to_owned(),
                Err(error) => error.to_string(),
            },
            _ => return Response::error("Not found", 404),
        })
    }

    async fn alarm(&self, alarm: AlarmInfo) -> Result<()> {
        let storage = self.state.storage();
        let AlarmInfo { name, scheduled_time, retry_count, is_retry, cron } = alarm;
        let is_due = scheduled_time <= Date::now();
        let line = format!("{name:?} {is_due} {retry_count} {is_retry} {cron:?}\n");
        let before = storage.get::<String>("fired").await?.unwrap_or_default();
        storage.put("fired", &(before + &line)).await?;
        if name.is_empty() && retry_count == 0 {
            return Err("not the first time".into());
        }
        Ok(())
    }
}

impl Trial {
    async fn alarms(&self) -> Result<String> {
        let (storage, alarms) = (self.state.storage(), self.state.storage().alarms());
        let later = Date::now() + Duration::from_secs(3_600);
        storage.set_alarm(later).await?;
        alarms.set("b", later).await?;
        let schedule = Cron::new("30 7 * * MON-FRI").time_zone("Europe/Berlin").missed(MissedTicks::Skip);
        let first = alarms.set_cron("a", schedule.clone()).await?;
        let listed = alarms.list().await?;
        let names: Vec<&str> = listed.iter().map(|alarm| alarm.name.as_str()).collect();
        let is_same = listed[1].schedule == Some(schedule) && listed[1].scheduled_time == first && first > Date::now();
        let were_there = [storage.get_alarm().await? == Some(later), alarms.get("c").await?.is_none()];
        let deleted = [storage.delete_alarm().await?, alarms.delete("a").await?, alarms.delete_unconfirmed("a").await?];
        alarms.set_unconfirmed("b", Date::now()).await?;
        let refused = alarms.set_cron("x", Cron::new("never")).await.is_err();
        Ok(format!("{names:?} {is_same} {were_there:?} {deleted:?} {refused}"))
    }

    async fn values(&self) -> Result<String> {
        let storage = self.state.storage();
        let profile = Profile {
            name: "Ada".into(),
            tags: vec!["a".into(), "ä\0".into()],
            level: Some(0.1),
            kind: Kind::Member { since: u64::MAX },
        };
        storage.put("profile", &profile).await?;
        let found: Option<Profile> = storage.get("profile").await?;
        storage.put_multiple([("one", 1), ("two", 2)]).await?;
        let both = storage.get_multiple::<i32>(&["two", "one", "three"]).await?;
        let was_there = storage.delete("one").await?;
        let were_there = storage.delete_multiple(&["one", "two"]).await?;
        storage.put_unconfirmed([("three", Kind::Guest)]).await?;
        storage.sync().await;
        let kind: Option<Kind> = storage.get("three").await?;
        Ok(format!("{} {both:?} {was_there} {were_there} {kind:?}", found.as_ref() == Some(&profile)))
    }

    async fn bytes(&self) -> Result<String> {
        let storage = self.state.storage();
        storage.put_bytes("raw", [0, 255, 1]).await?;
        let raw = storage.get_bytes("raw").await?;
        let listed = storage.list_bytes(ListOptions::new().prefix("ra")).await?;
        storage.delete_all().await?;
        Ok(format!("{raw:?} {listed:?} {:?}", storage.get_bytes("raw").await?))
    }

    async fn lists(&self) -> Result<String> {
        let storage = self.state.storage();
        storage.put_multiple(["a:1", "a:2", "a:3", "b:1"].map(|key| (key, key.len()))).await?;
        let keys = async |options: ListOptions| {
            let entries = storage.list_with_options::<usize>(options).await?;
            Ok::<_, Error>(entries.into_iter().map(|(key, _)| key).collect::<Vec<_>>().join(","))
        };
        Ok(format!(
            "{} {} {} {} {}",
            storage.list::<usize>().await?.len(),
            keys(ListOptions::new().prefix("a:").reverse(true).limit(2)).await?,
            keys(ListOptions::new().start("a:2").end("b:1")).await?,
            keys(ListOptions::new().start_after("a:2")).await?,
            keys(ListOptions::new().limit(0)).await.unwrap_err(),
        ))
    }

    async fn misfit(&self) -> Result<String> {
        let storage = self.state.storage();
        storage.put("text", "five").await?;
        Ok(storage.get::<u32>("text").await.unwrap_err().to_string())
    }

    async fn transaction(&self, end: &str) -> Result<String> {
        let storage = self.state.storage();
        let done = storage
            .transaction(async |storage| {
                storage.put("in-transaction", end).await?;
                sleep(Duration::from_millis(10)).await;
                if end == "fails" { Err("so it goes".into()) } else { Ok(7) }
            })
            .await;
        Ok(format!("{done:?} {:?}", storage.get::<String>("in-transaction").await?))
    }
}
