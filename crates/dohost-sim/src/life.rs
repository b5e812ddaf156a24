//! One life of the host, from the opening of its disk to a crash, a restart, or the end of the work.
//!
//! Everything runs on the current thread, in a runtime whose time passes only when nobody has anything to do. The main
//! task is fate: it decides when a commit begins and ends, what goes wrong with the disk, and when the power goes. When it
//! does, no other task is polled any more.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dohost_engine::ObjectComponent;
use dohost_object::{ClassOptions, DeployError, HostHere, HostLimits, HostOptions};
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{Committing, Store, StoreOptions};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::alarms;
use crate::client::{look_at_everything, work};
use crate::guests::Classes;
use crate::machine::SimulatedMachine;
use crate::network::NoNetwork;
use crate::random::Random;
use crate::world::World;

/// A crash comes within so many operations on the disk of the commit that it is meant for.
const CRASH_OPERATIONS: u64 = 8;

/// A full disk stays full for up to so long.
const FULL_MS_MAX: u64 = 2_000;

/// A stalled commit takes up to so long.
const STALL_MS_MAX: u64 = 5_000;

/// After a failed fsync the host lives on for up to so long.
const LIMP_MS_MAX: u64 = 500;

/// A host is restarted after up to so long.
const LIFE_MS_MAX: u64 = 20_000;

/// Memory that the store may use to keep pages.
const CACHE_BYTES: usize = 1 << 20;

/// What a restart may take. Objects are given up after that, which none should need.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(60);

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The power went.
    Crashed,
    /// It was asked to stop and did.
    ShutDown,
    /// All clients are done.
    Finished,
}

/// How a life is meant to end, and what may go wrong in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Until the clients are done, with a good disk.
    Calm,
    /// Anything.
    Rough,
}

/// Lives one life on `disk` and gives the disk as it is found afterwards.
pub fn live(
    world: &Arc<World>,
    classes: &Classes,
    disk: &FaultyDisk,
    weather: Weather,
    random: &mut Random,
) -> (End, FaultyDisk) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without input and output needs nothing");
    let host = runtime.block_on(open(world, classes, disk, weather, random));
    let mut fate = Fate { world, disk, weather, random: random.fork(), full_until: None, dies_at: None };
    let end = runtime.block_on(async {
        let end = match &host {
            Some((here, store)) => fate.rule(here, store, classes).await,
            None => End::Crashed,
        };
        world.alarms.host_ends();
        world.journal.note(format_args!("fate: {end:?}"));
        world.journal.host_ends();
        end
    });
    if end == End::Crashed {
        // Nothing of what is still to be dropped may reach the disk.
        disk.crash_at(disk.operations());
    }
    drop(runtime);
    drop(host);
    let kept_one_in = random.pick(&[1, 2, 8, u64::MAX]);
    let mut kept = random.fork();
    (end, disk.after_crash(|| kept.one_in(kept_one_in)))
}

/// Starts a host; none if the power went while it started.
async fn open(
    world: &Arc<World>,
    classes: &Classes,
    disk: &FaultyDisk,
    weather: Weather,
    random: &mut Random,
) -> Option<(HostHere, Store)> {
    world.journal.host_starts();
    world.has_room_since(Some(Instant::now()));
    world.host_starts();
    if weather == Weather::Rough && random.one_in(8) {
        disk.crash_at(disk.operations() + random.below(CRASH_OPERATIONS));
    }
    let failed = |error: &dyn std::fmt::Display| {
        if !disk.has_crashed() {
            world.journal.violation(format!("the host does not start: {error}"));
        }
    };
    let options = StoreOptions {
        cache_bytes: CACHE_BYTES,
        namespace_key: Some([7; 32]),
        created_ms: Some(0),
        committing: Committing::ByHand,
        log_bytes_max: world.plan.log_bytes_max,
        ..StoreOptions::default()
    };
    let store = Store::open_disk(disk.clone(), options).map_err(|error| failed(&error)).ok()?;
    let machine = SimulatedMachine::new(random.fork(), world.plan.read_ms_max, world.alarms.host_starts());
    let options = HostOptions {
        executors: 1,
        limits: HostLimits { alarms_max: world.alarms.under_way_max, ..world.plan.host_limits.clone() },
        outgoing: Arc::new(NoNetwork),
        environment: Arc::new(machine),
    };
    let here =
        HostHere::start(store.clone(), versions(world, classes, 0), options).map_err(|error| failed(&error)).ok()?;
    Some((here, store))
}

/// The classes in a version of their own: the same components, and another limit that nobody hits.
fn versions(world: &World, classes: &Classes, version: usize) -> Vec<ClassOptions> {
    let class = |(name, component): &(String, ObjectComponent)| {
        let mut limits = world.plan.limits.clone();
        limits.guest.handles_max += version;
        let is_serial = name == "probe" && world.plan.is_serial;
        ClassOptions { limits, is_serial, ..ClassOptions::new(name.as_str(), component.clone()) }
    };
    classes.iter().map(class).collect()
}

/// Gives the host new code again and again.
async fn deploy(world: &World, here: &HostHere, classes: &Classes, mut random: Random) {
    if world.plan.deploy_ms_max == 0 {
        return pending().await;
    }
    for version in 1.. {
        sleep(Duration::from_millis(random.between(1, world.plan.deploy_ms_max))).await;
        match here.host().deploy(versions(world, classes, version)).await {
            Ok(deployed) => world.journal.note(format_args!("fate: {deployed:?}")),
            Err(error @ DeployError::Rejected { .. }) => world.journal.violation(error.to_string()),
            Err(error) => world.journal.note(format_args!("fate: not deployed: {error}")),
        }
    }
}

/// What happens to one host.
struct Fate<'a> {
    world: &'a Arc<World>,
    disk: &'a FaultyDisk,
    weather: Weather,
    random: Random,
    /// The disk is full until then.
    full_until: Option<Instant>,
    /// The power goes then.
    dies_at: Option<Instant>,
}

impl Fate<'_> {
    async fn rule(&mut self, here: &HostHere, store: &Store, classes: &Classes) -> End {
        let is_stopping = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..self.world.clients.len() {
            clients.spawn(work(self.world.clone(), here.host().clone(), number, is_stopping.clone()));
        }
        for object in 0..self.world.alarms.objects() {
            clients.spawn(alarms::work(self.world.clone(), here.host().clone(), object, is_stopping.clone()));
        }
        let (world, weather) = (self.world.clone(), self.weather);
        let clients = async {
            while let Some(ended) = clients.join_next().await {
                if let Err(error) = ended {
                    world.journal.violation(format!("a client broke: {error}"));
                }
            }
            if weather == Weather::Calm {
                look_at_everything(&world, here.host()).await;
                alarms::look_until_all_fired(&world, here.host()).await;
            }
        };
        let restart_after = Duration::from_millis(self.random.between(1, LIFE_MS_MAX));
        let restart = async {
            match weather {
                Weather::Calm => pending().await,
                Weather::Rough => sleep(restart_after).await,
            }
        };
        let deploys = deploy(&world, here, classes, self.random.fork());
        let mut deploys = std::pin::pin!(deploys);
        let mut commits = std::pin::pin!(self.commit(store));
        let mut clients = std::pin::pin!(clients);
        let end = tokio::select! {
            biased;
            () = &mut commits => return End::Crashed,
            () = &mut clients => End::Finished,
            () = &mut deploys => unreachable!("there is always another version"),
            () = restart => End::ShutDown,
        };
        world.journal.note(format_args!("fate: {end:?} begins"));
        is_stopping.store(true, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = &mut commits => return End::Crashed,
            all_ended = here.shut_down(SHUTDOWN_PATIENCE) => {
                if !all_ended {
                    world.journal.violation("objects did not end when the host was stopped".into());
                }
            }
        }
        end
    }

    /// Commits what comes, until the power goes.
    async fn commit(&mut self, store: &Store) {
        loop {
            self.sleep_between(1, self.world.plan.commit_ms_max).await;
            if self.full_until.is_some_and(|until| Instant::now() >= until) {
                self.full_until = None;
                self.disk.set_full(false);
                self.world.has_room_since(Some(Instant::now()));
                self.world.journal.note("fate: the disk has room again");
            }
            if self.dies_at.is_some_and(|at| Instant::now() >= at) {
                return;
            }
            if !store.gather() {
                if self.befalls(self.world.plan.crash_one_in.saturating_mul(20)) {
                    self.world.journal.note("fate: the power goes while nothing is committed");
                    return;
                }
                continue;
            }
            self.sleep_between(0, self.world.plan.commit_ms_max).await;
            if self.befalls(self.world.plan.stalls_one_in) {
                self.world.journal.note("fate: the disk stalls");
                self.world.goes_wrong();
                self.sleep_between(100, STALL_MS_MAX).await;
            }
            self.spoil_the_disk();
            let goes_now = self.befalls(self.world.plan.crash_one_in);
            let moment = self.random.below(4);
            match moment {
                _ if !goes_now => {}
                0 => {
                    self.world.journal.note("fate: the power goes before a commit");
                    return;
                }
                1 => {}
                _ => self.disk.crash_at(self.disk.operations() + self.random.below(CRASH_OPERATIONS)),
            }
            store.commit_gathered();
            let figures = (store.stats().transactions, self.disk.operations());
            self.world.journal.note(format_args!("fate: commit {}, {} operations", figures.0, figures.1));
            if self.disk.has_crashed() {
                self.world.journal.note("fate: the power went in the middle of a commit");
                return;
            }
            if goes_now && moment == 1 {
                self.world.journal.note("fate: the power goes before anybody hears of a commit");
                return;
            }
        }
    }

    fn spoil_the_disk(&mut self) {
        let journal = &self.world.journal;
        if self.befalls(self.world.plan.full_one_in) {
            self.world.goes_wrong();
            if self.random.one_in(2) {
                journal.note("fate: one write finds the disk full");
                self.disk.fill_once();
                self.world.has_room_since(Some(Instant::now()));
            } else {
                journal.note("fate: the disk is full");
                self.disk.set_full(true);
                self.world.has_room_since(None);
                self.full_until = Some(Instant::now() + Duration::from_millis(self.random.between(1, FULL_MS_MAX)));
            }
        }
        if self.dies_at.is_none() && self.befalls(self.world.plan.sync_fails_one_in) {
            journal.note("fate: an fsync fails");
            self.world.goes_wrong();
            self.disk.fail_next_sync(io::ErrorKind::Other);
            self.world.has_room_since(None);
            self.dies_at = Some(Instant::now() + Duration::from_millis(self.random.between(0, LIMP_MS_MAX)));
        }
    }

    /// Whether something happens that does once in so many times, which it only does in rough weather.
    fn befalls(&mut self, one_in: u64) -> bool {
        self.weather == Weather::Rough && self.random.one_in(one_in)
    }

    async fn sleep_between(&mut self, first_ms: u64, last_ms: u64) {
        sleep(Duration::from_millis(self.random.between(first_ms, last_ms))).await;
    }
}
