//! Objects with alarms, and what alarms promise.
//!
//! Clients set alarms, each of which has a name that was never used before, and delete some. In the handler an object keeps a
//! line for each call, in its store. There are several kinds, which differ in what the handler does after that:
//!
//! | kind | the handler | so there is |
//! | --- | --- | --- |
//! | `once` | returns | one line: it is in the commit that deletes the alarm |
//! | `slow` | waits and then returns | a line or more: the host may go down while it waits |
//! | `late` | throws the first two times | one line of the third time or later, and lines of those before |
//! | `trap` | traps the first time, before the line is durable | one line of the second time or later |
//!
//! What is checked: an alarm whose setting was answered has its lines in the end, unless its deletion was answered with `true`,
//! which leaves none; one that was refused has none; and no line is ever seen before the time of its alarm has come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dohost_engine::Request;
use dohost_object::{EventError, Host, Reply, Target};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::machine::START_MS;
use crate::random::Random;
use crate::world::World;

/// No operation may take longer, whatever happens to the disk meanwhile.
const PATIENCE: Duration = Duration::from_secs(120);

/// A host that went down comes back after up to so long.
const DOWN_MS_MAX: u64 = 5_000;

/// How often the last look is repeated, a second apart: an alarm that failed again and again waits for a quarter of an hour.
const LOOKS_MAX: usize = 3_000;

/// Alarms are set for up to so long from now.
const AHEAD_MS_MAX: u64 = 4_000;

/// What a handler does; see the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Once,
    Slow,
    Late,
    Trap,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Done,
    Never,
}

#[derive(Clone, Debug)]
struct Alarm {
    object: usize,
    kind: Kind,
    set: Fate,
    /// What became of its deletion, if it was deleted, and whether it was there.
    deleted: Option<(Fate, bool)>,
    /// Retry counts of its lines.
    lines: Vec<u32>,
}

/// All alarms of a world, and the date.
#[derive(Debug)]
pub struct Alarms {
    /// How many may be under way at once.
    pub under_way_max: usize,
    objects: Vec<Mutex<Client>>,
    alarms: Mutex<BTreeMap<String, Alarm>>,
    date: Mutex<Date>,
    broken: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Client {
    random: Random,
    /// Operations that are left.
    left: u64,
    /// Its object knows what the handlers do.
    is_prepared: bool,
}

/// The date goes on while hosts come and go.
#[derive(Debug)]
struct Date {
    /// When the host was started, or is going to be.
    started_ms: u64,
    since: Option<Instant>,
    random: Random,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Once, Kind::Slow, Kind::Late, Kind::Trap];

    fn name(self) -> &'static str {
        match self {
            Kind::Once => "once",
            Kind::Slow => "slow",
            Kind::Late => "late",
            Kind::Trap => "trap",
        }
    }

    /// The steps of its handler.
    fn script(self) -> &'static str {
        match self {
            Kind::Once => "",
            Kind::Slow => "sleep%3D40",
            Kind::Late => "throw-before%3D2",
            Kind::Trap => "trap-before%3D1",
        }
    }

    /// Whether these lines, by their retry counts, are what there may be in the end.
    fn explains(self, lines: &[u32]) -> bool {
        // Another handler that traps takes all that run with it, and that counts.
        let from = |least: u32| lines.iter().filter(|count| **count >= least).count();
        match self {
            Kind::Once => lines.len() == 1,
            Kind::Slow => !lines.is_empty(),
            Kind::Late => from(2) == 1,
            Kind::Trap => from(1) == 1 && lines.len() == 1,
        }
    }
}

impl Alarms {
    /// Draws objects with alarms. From a stream of its own.
    pub fn draw(seed: u64) -> Alarms {
        let mut random = Random::new(!seed);
        let (objects, left) = (random.below(3), random.pick(&[5, 15, 40]));
        let client = |random: &mut Random| Mutex::new(Client { random: random.fork(), left, is_prepared: false });
        Alarms {
            under_way_max: random.pick(&[1, 2, 256]),
            objects: (0..objects).map(|_| client(&mut random)).collect(),
            alarms: Mutex::default(),
            date: Mutex::new(Date { started_ms: START_MS, since: None, random: random.fork() }),
            broken: Mutex::default(),
        }
    }

    /// How many objects there are.
    pub fn objects(&self) -> usize {
        self.objects.len()
    }

    /// A host starts now; the date.
    pub fn host_starts(&self) -> u64 {
        let mut date = self.date.lock();
        date.since = Some(Instant::now());
        date.started_ms
    }

    /// The host ends now. The next one comes after a while.
    pub fn host_ends(&self) {
        let mut date = self.date.lock();
        let Some(since) = date.since.take() else { return };
        date.started_ms += since.elapsed().as_millis() as u64 + date.random.below(DOWN_MS_MAX);
    }

    fn now_ms(&self) -> u64 {
        let date = self.date.lock();
        date.started_ms + date.since.map_or(0, |since| since.elapsed().as_millis() as u64)
    }

    /// Takes the log of an object as it was seen now.
    fn saw(&self, object: usize, log: &str) {
        let now_ms = self.now_ms();
        let mut alarms = self.alarms.lock();
        for (_, alarm) in alarms.iter_mut().filter(|(_, alarm)| alarm.object == object) {
            alarm.lines.clear();
        }
        for line in log.lines() {
            let mut parts = line.split(' ');
            let name = parts.next().unwrap_or_default();
            let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).unwrap_or(u64::MAX);
            let (scheduled_ms, retry_count) = (number(), number());
            match alarms.get_mut(name) {
                Some(alarm) => alarm.lines.push(retry_count as u32),
                None => self.broke(format!("an alarm fired that nobody set: {line}")),
            }
            if scheduled_ms > now_ms {
                self.broke(format!("an alarm fired before its time, which is not yet at {now_ms}: {line}"));
            }
        }
    }

    fn broke(&self, text: String) {
        let mut broken = self.broken.lock();
        if !broken.contains(&text) {
            broken.push(text);
        }
    }

    /// Whether all alarms of an object have come to what they must.
    fn is_settled(&self, object: usize) -> bool {
        self.alarms.lock().values().filter(|alarm| alarm.object == object).all(|alarm| alarm.problem().is_none())
    }

    /// In what way promises were broken, once all is over.
    pub fn broken_promises(&self) -> Vec<String> {
        let mut broken = self.broken.lock().clone();
        for (name, alarm) in &*self.alarms.lock() {
            if let Some(problem) = alarm.problem() {
                broken.push(format!("the alarm {name} {problem}: {alarm:?}"));
            }
        }
        broken
    }
}

impl Alarm {
    fn problem(&self) -> Option<&'static str> {
        let (is_explained, is_empty) = (self.kind.explains(&self.lines), self.lines.is_empty());
        let is_deleted = matches!(self.deleted, Some((Fate::Done, true)));
        let may_be_deleted = matches!(self.deleted, Some((Fate::Open, _)));
        match self.set {
            Fate::Never if !is_empty => Some("fired although it was not set"),
            Fate::Never => None,
            // One that has failed and waits for its retry is there to be deleted, too.
            Fate::Done | Fate::Open if is_deleted => match self.kind {
                Kind::Once if !is_empty => Some("fired although it was deleted"),
                _ => None,
            },
            Fate::Done if may_be_deleted && self.kind != Kind::Once => None,
            Fate::Done if may_be_deleted && is_empty => None,
            Fate::Done if is_empty => Some("was lost"),
            Fate::Open if is_empty => None,
            Fate::Open if may_be_deleted && self.kind != Kind::Once => None,
            Fate::Done | Fate::Open if !is_explained => Some("did not fire as it should"),
            Fate::Done | Fate::Open => None,
        }
    }
}

/// The work of the client of an object for as long as the host lives and takes requests.
pub async fn work(world: Arc<World>, host: Host, object: usize, is_stopping: Arc<AtomicBool>) {
    let alarms = &world.alarms;
    loop {
        let (pause, deed, at_ms) = {
            let mut client = alarms.objects[object].lock();
            let ahead_ms = client.random.below(AHEAD_MS_MAX);
            let pause = Duration::from_millis(client.random.between(0, world.plan.think_ms_max));
            (pause, client.random.number(), alarms.now_ms() + ahead_ms)
        };
        sleep(pause).await;
        if is_stopping.load(Ordering::Relaxed) {
            return;
        }
        if !prepare(&world, &host, object).await {
            continue;
        }
        {
            let mut client = alarms.objects[object].lock();
            let Some(left) = client.left.checked_sub(1) else { return };
            client.left = left;
        }
        match deed % 6 {
            0 => look(&world, &host, object).await,
            1 => delete(&world, &host, object, deed).await,
            _ => set(&world, &host, object, Kind::ALL[(deed >> 8) as usize % 4], at_ms, world.new_value()).await,
        }
    }
}

/// Looks at all objects until everything has come to what it must, or for a long time.
pub async fn look_until_all_fired(world: &World, host: &Host) {
    for object in 0..world.alarms.objects() {
        for _ in 0..LOOKS_MAX {
            look(world, host, object).await;
            if world.alarms.is_settled(object) {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Tells the object what its handlers do, if it was not told.
async fn prepare(world: &World, host: &Host, object: usize) -> bool {
    if world.alarms.objects[object].lock().is_prepared {
        return true;
    }
    for kind in Kind::ALL {
        let query = format!("name={}&do={}", kind.name(), kind.script());
        if !matches!(ask(world, host, object, "/handler", &query).await, Ok(Some(_))) {
            return false;
        }
    }
    world.alarms.objects[object].lock().is_prepared = true;
    true
}

async fn set(world: &World, host: &Host, object: usize, kind: Kind, at_ms: u64, number: u64) {
    let name = format!("{}-{number}", kind.name());
    let alarm = Alarm { object, kind, set: Fate::Open, deleted: None, lines: Vec::new() };
    world.alarms.alarms.lock().insert(name.clone(), alarm);
    let reply = ask(world, host, object, "/do", &format!("at={name},{at_ms}")).await;
    let fate = match reply.as_ref().map(|text| text.as_deref()) {
        Ok(Some("ok\n")) => Fate::Done,
        Ok(Some(other)) => return world.journal.violation(format!("an alarm was not set: {other}")),
        Ok(None) => Fate::Open,
        Err(()) => Fate::Never,
    };
    world.alarms.alarms.lock().get_mut(&name).expect("it was put there above").set = fate;
}

async fn delete(world: &World, host: &Host, object: usize, chance: u64) {
    let name = {
        let mut alarms = world.alarms.alarms.lock();
        let mine = alarms.iter_mut().filter(|(_, alarm)| alarm.object == object && alarm.deleted.is_none());
        let mut mine: Vec<_> = mine.collect();
        let count = mine.len();
        let Some((name, alarm)) = mine.get_mut((chance >> 8) as usize % count.max(1)) else { return };
        alarm.deleted = Some((Fate::Open, false));
        (*name).clone()
    };
    let reply = ask(world, host, object, "/do", &format!("delete={name}")).await;
    let deleted = match reply.as_ref().map(|text| text.as_deref()) {
        Ok(Some("true\n")) => Some((Fate::Done, true)),
        Ok(Some("false\n")) => Some((Fate::Done, false)),
        Ok(Some(other)) => return world.journal.violation(format!("an alarm was not deleted: {other}")),
        Ok(None) => Some((Fate::Open, false)),
        Err(()) => None,
    };
    let mut alarms = world.alarms.alarms.lock();
    let alarm = alarms.get_mut(&name).expect("alarms are never forgotten");
    // One that is not there while its handler runs is deleted all the same, and not tried again.
    let ran = deleted == Some((Fate::Done, false)) && alarm.kind != Kind::Once;
    alarm.deleted = if ran { Some((Fate::Open, false)) } else { deleted };
}

async fn look(world: &World, host: &Host, object: usize) {
    if let Ok(Some(log)) = ask(world, host, object, "/log", "").await {
        world.alarms.saw(object, &log);
    }
}

/// What the object says; none if nobody knows what came of it. An error if it has no effect.
async fn ask(world: &World, host: &Host, object: usize, path: &str, query: &str) -> Result<Option<String>, ()> {
    let text = str::to_string;
    let request = Request {
        method: text("GET"),
        scheme: text("http"),
        authority: text("simulation"),
        path: text(path),
        query: Some(text(query)),
        headers: Vec::new(),
        body: Vec::new(),
    };
    world.journal.note(format_args!("alarms-{object}: {path}?{query}"));
    let class = host.class("alarms").expect("the host has the classes of the world");
    let name = format!("alarms-{object}");
    let sent = timeout(PATIENCE, host.fetch(&class, Target::Name(&name), request)).await;
    let Ok(reply) = sent else {
        world.journal.violation(format!("alarms-{object}{path}?{query} got no reply"));
        return Ok(None);
    };
    let reply: Reply = reply.expect("a name is a target");
    world.journal.note(format_args!("alarms-{object}: {path}?{query} gave {:?}", reply.as_ref().map(|_| "a reply")));
    match reply {
        Ok(response) if response.status == 200 => Ok(Some(String::from_utf8_lossy(&response.body).into_owned())),
        Err(EventError::NotStarted(_) | EventError::Overloaded(_) | EventError::StartFailed(_)) => Err(()),
        Err(
            EventError::Reset(_) | EventError::TimedOut(_) | EventError::CommitFailed(_) | EventError::ShuttingDown,
        ) => Ok(None),
        other => {
            world.journal.violation(format!("alarms-{object}{path}?{query} was answered with {other:?}"));
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(kind: Kind, set: Fate, deleted: Option<(Fate, bool)>, lines: &[u32]) -> Alarm {
        Alarm { object: 0, kind, set, deleted, lines: lines.to_vec() }
    }

    #[test]
    fn what_was_set_must_fire_and_not_again() {
        let problem = |kind, lines: &[u32]| alarm(kind, Fate::Done, None, lines).problem();
        assert_eq!(problem(Kind::Once, &[0]), None);
        assert_eq!(problem(Kind::Once, &[]), Some("was lost"));
        assert!(problem(Kind::Once, &[0, 0]).is_some(), "twice after a durable success");
        assert_eq!(problem(Kind::Slow, &[0, 0]), None);
        assert_eq!(problem(Kind::Late, &[0, 0, 1, 2]), None);
        assert!(problem(Kind::Late, &[0, 1]).is_some(), "it gave up too early");
        assert!(problem(Kind::Late, &[0, 1, 2, 2]).is_some());
        assert_eq!(problem(Kind::Trap, &[1]), None);
        assert_eq!(problem(Kind::Trap, &[3]), None);
        assert!(problem(Kind::Trap, &[0]).is_some());
    }

    #[test]
    fn what_was_deleted_or_refused_must_not_fire() {
        let deleted = Some((Fate::Done, true));
        assert_eq!(alarm(Kind::Once, Fate::Done, deleted, &[]).problem(), None);
        assert!(alarm(Kind::Once, Fate::Done, deleted, &[0]).problem().is_some());
        assert!(alarm(Kind::Once, Fate::Done, Some((Fate::Done, false)), &[]).problem().is_some(), "it was gone");
        assert_eq!(alarm(Kind::Once, Fate::Done, Some((Fate::Open, false)), &[]).problem(), None);
        assert!(alarm(Kind::Once, Fate::Never, None, &[0]).problem().is_some());
        assert_eq!(alarm(Kind::Once, Fate::Open, None, &[]).problem(), None);
        assert_eq!(alarm(Kind::Once, Fate::Open, None, &[0]).problem(), None);
    }
}
