//! The task that fires alarms: it does what the agenda says.
//!
//! There is one for all objects of the host, on the first executor. It reads pages of the index and hears of changes of it as
//! they become durable; it knows nothing else of objects. Each alarm that it fires is a task of its own, until what came of it is
//! durable.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use dohost_alarms::agenda::{AGAIN_AFTER_MS, PAGE_LEN};
use dohost_alarms::{Agenda, Cron, Due, Failure, Next, PageRequest, after_failure, due, next_after};
use dohost_engine::Output;
use dohost_engine::imports::BoxFuture;
use dohost_storage::{Alarm, AlarmWrite, AlarmWrites, CommitError, PendingAlarm, WriteSet};
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::history::{AlarmOutcome, PastRun};
use super::run::{AlarmRun, GivenUp, new_stamp};
use crate::class::Class;
use crate::environment::ask_blocking;
use crate::event::{EventError, Reply};
use crate::executor::{current, with_residents};
use crate::host::HostInner;
use crate::id::ObjectId;
use crate::residents::ObjectKey;

/// The clock is looked at so often at least, as it may be set.
const SLEEP_MAX: Duration = Duration::from_secs(10);

/// How long to wait when the index could not be read, or when all of this failed.
const PAUSE: Duration = Duration::from_secs(1);

/// A page that is being read.
type Reading = (PageRequest, BoxFuture<Option<Vec<PendingAlarm>>>);

/// Fires alarms for as long as the host lives.
pub(crate) async fn run(host: Arc<HostInner>) {
    host.store.listen_to_alarms();
    while AssertUnwindSafe(fire_alarms(&host)).catch_unwind().await.is_err() {
        tracing::error!("the host panicked while it fired alarms");
        sleep(PAUSE).await;
    }
}

async fn fire_alarms(host: &Arc<HostInner>) {
    let mut agenda = Agenda::new(host.limits.alarms_max);
    let (over, mut ended) = mpsc::unbounded_channel();
    let mut all_ended = Vec::new();
    let (mut reading, mut read_not_before): (Option<Reading>, _) = (None, Instant::now());
    while !host.is_stopping() {
        for class in host.classes.load().values() {
            agenda.serve(class.0.number);
        }
        // What came of an alarm is heard before it ends: so those that ended are taken first, and told last.
        all_ended.extend(std::iter::from_fn(|| ended.try_recv().ok()));
        let news = host.store.alarm_news();
        if news.has_lost {
            reading = None;
            agenda.forget();
        }
        agenda.hear(news.changes);
        let now_ms = host.environment.now_ms();
        for Ended { alarm, again_at } in all_ended.drain(..) {
            agenda.ended(&alarm, now_ms, again_at);
        }
        if reading.is_none() && Instant::now() >= read_not_before {
            reading = agenda.wants_page().map(|request| read(host, request));
        }
        let wait_until = loop {
            match agenda.next(now_ms) {
                Next::Fire(alarm) => drop(tokio::spawn(fire(host.clone(), alarm, over.clone()))),
                Next::Wait(until) => break until,
            }
        };
        host.alarms.set_under_way(agenda.under_way());
        let wait = wait_until.map_or(SLEEP_MAX, |until| Duration::from_millis(until.saturating_sub(now_ms)));
        let mut wake_at = Instant::now() + wait.min(SLEEP_MAX);
        if read_not_before > Instant::now() {
            wake_at = wake_at.min(read_not_before);
        }
        tokio::select! {
            page = page_of(&mut reading) => match page {
                (request, Some(page)) => agenda.page(&request, page),
                (request, None) => {
                    agenda.no_page(&request);
                    read_not_before = Instant::now() + PAUSE;
                }
            },
            // There is a sender here, so this never ends.
            Some(one) = ended.recv() => all_ended.push(one),
            () = poll_fn(|cx| host.store.poll_alarm_news(cx)) => {}
            () = host.alarms_changed.notified() => {}
            () = sleep_until(wake_at) => {}
        }
    }
}

/// An alarm that was fired and is over.
struct Ended {
    alarm: PendingAlarm,
    /// When it fires again if it is still in the store, if that was said.
    again_at: Option<u64>,
}

fn read(host: &Arc<HostInner>, request: PageRequest) -> Reading {
    let (store, asked) = (host.store.clone(), request.clone());
    let page =
        ask_blocking(&host.environment, move || store.pending_alarms(asked.class, asked.after.as_ref(), PAGE_LEN));
    let page = page.map(|page| match page? {
        Ok(page) => Some(page),
        Err(error) => {
            tracing::error!("alarms cannot be read: failed to {error}");
            None
        }
    });
    (request, Box::pin(page))
}

/// The page that is being read, once it is there; for ever, if none is.
async fn page_of(reading: &mut Option<Reading>) -> (PageRequest, Option<Vec<PendingAlarm>>) {
    let page = match reading {
        Some((_, page)) => page.await,
        None => std::future::pending().await,
    };
    let (request, _) = reading.take().expect("it was there just now");
    (request, page)
}

/// Fires one alarm, and sees to what comes of it.
async fn fire(host: Arc<HostInner>, alarm: PendingAlarm, over: mpsc::UnboundedSender<Ended>) {
    let again_at = AssertUnwindSafe(run_once(&host, &alarm)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the host panicked while it fired an alarm");
        None
    });
    // The scheduler may have begun anew: then it reads that there is such an alarm.
    let _ = over.send(Ended { alarm, again_at });
}

/// Sends the event of an alarm and waits until what came of it is durable. When to fire it again if it is still there then,
/// if that is known.
async fn run_once(host: &Arc<HostInner>, alarm: &PendingAlarm) -> Option<u64> {
    let class = host.class_of(alarm.class)?;
    let run = Arc::new(AlarmRun::new(alarm.clone()));
    let started_ms = host.environment.now_ms();
    let reply = host.send_alarm(&class, run.clone()).await;
    let outcome = match failure_of(&run, &reply) {
        Came::Nothing => return None,
        Came::Success => AlarmOutcome::Succeeded,
        Came::Failure(failure, error) => {
            let tried = try_again(host, &class, alarm, failure, error).await;
            match tried {
                Ok(outcome) => outcome,
                Err(again_at) => return Some(again_at),
            }
        }
    };
    host.alarms.add(PastRun {
        class: alarm.class,
        id: ObjectId(alarm.id),
        name: alarm.name.to_string(),
        scheduled_ms: run.scheduled_ms(),
        started_ms,
        took_ms: host.environment.now_ms().saturating_sub(started_ms),
        retry_count: alarm.tries.counted.into(),
        outcome,
    });
    None
}

/// What came of the event of an alarm.
enum Came {
    Success,
    /// It was not to be, or did not come so far: if the alarm is still there it fires again after a moment.
    Nothing,
    Failure(Failure, String),
}

fn failure_of(run: &AlarmRun, reply: &Reply<Output>) -> Came {
    match reply {
        Ok(Output::Alarm { was_called: true }) => Came::Success,
        Ok(_) | Err(EventError::ShuttingDown | EventError::NotStarted(_)) => Came::Nothing,
        Err(EventError::Exception(text)) => Came::Failure(Failure::Handler, text.clone()),
        Err(error) => Came::Failure(run.failure(), error.to_string()),
    }
}

/// Notes in the store when an alarm that failed is tried again, or that it is given up. If that cannot be written, it is tried
/// again at the time in the error.
async fn try_again(
    host: &Arc<HostInner>,
    class: &Class,
    alarm: &PendingAlarm,
    failure: Failure,
    error: String,
) -> Result<AlarmOutcome, u64> {
    let (now_ms, chance) = (host.environment.now_ms(), new_stamp(&*host.environment));
    let (class_name, id, name) = (class.name(), ObjectId(alarm.id), &*alarm.name);
    let retry = after_failure(alarm.tries, failure, chance);
    let delay_ms = retry.map_or(AGAIN_AFTER_MS, |(delay_ms, _)| delay_ms);
    let (write, outcome, given_up) = match retry {
        Some((delay_ms, tries)) => {
            tracing::warn!(class = class_name, %id, alarm = name, delay_ms, "an alarm failed: {error}");
            let due_ms = now_ms + delay_ms;
            let outcome = AlarmOutcome::Failed { error, next_ms: due_ms };
            (AlarmWrite::Retry { stamp: alarm.stamp, due_ms, tries }, outcome, None)
        }
        None => {
            tracing::error!(class = class_name, %id, alarm = name, "an alarm failed and is given up: {error}");
            let next = next_of(host, class, alarm, now_ms).await.map_err(|()| now_ms + delay_ms)?;
            let given_up = GivenUp { name: alarm.name.clone(), stamp: alarm.stamp, next: next.clone() };
            (AlarmWrite::GiveUp { stamp: alarm.stamp, next }, AlarmOutcome::GivenUp { error }, Some(given_up))
        }
    };
    if let Err(error) = commit(host, alarm, write).await {
        tracing::warn!(class = class_name, %id, alarm = name, "the next try of an alarm is not noted: failed to {error}");
        return Err(now_ms + delay_ms);
    }
    if let Some(given_up) = given_up {
        let key = ObjectKey { class: alarm.class, id };
        let executors = &host.executors;
        executors
            .run_on(executors.of(&id), move || with_residents(|residents| residents.alarm_was_given_up(key, given_up)));
    }
    Ok(outcome)
}

async fn commit(host: &Arc<HostInner>, alarm: &PendingAlarm, write: AlarmWrite) -> Result<(), CommitError> {
    let life = host.store.new_life();
    let mut set = WriteSet::new(alarm.object, life);
    let writes = vec![(alarm.name.clone(), write)];
    set.alarms = Some(Box::new(AlarmWrites { class: alarm.class, id: alarm.id, writes }));
    let number = host.store.submit(set);
    let durable = host.executors.progress(current()).durable(number).await;
    host.store.end_life(life);
    durable
}

/// The next tick of an alarm that is given up, if it has a schedule. An error if the store cannot be read.
async fn next_of(host: &Arc<HostInner>, class: &Class, alarm: &PendingAlarm, now_ms: u64) -> Result<Option<Alarm>, ()> {
    let (store, object) = (host.store.clone(), alarm.object);
    let rows = ask_blocking(&host.environment, move || store.alarms(object)).await;
    let rows = rows.ok_or(())?.map_err(|error| tracing::error!("failed to {error}"))?;
    let row = rows.into_iter().find(|(name, row)| *name == alarm.name && row.alarm.stamp == alarm.stamp);
    let Some((_, row)) = row else { return Ok(None) };
    let Some(schedule) = &row.alarm.schedule else { return Ok(None) };
    let cron = Cron::parse(schedule).ok();
    let catch_up_max = class.code().limits.alarm_catch_up_max;
    let next_ms = match due(&row.alarm, cron.as_ref(), now_ms, catch_up_max) {
        Due::SkipTo(next_ms) => Some(next_ms),
        Due::Fire(tick_ms) => next_after(&row.alarm, cron.as_ref(), tick_ms, now_ms),
    };
    let stamp = new_stamp(&*host.environment);
    Ok(next_ms.map(|scheduled_ms| Alarm { scheduled_ms, stamp, schedule: row.alarm.schedule.clone() }))
}
