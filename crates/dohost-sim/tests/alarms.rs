//! Alarms where time is virtual: what takes minutes, and what a clock does that is set.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use dohost_engine::Request;
use dohost_object::{ClassOptions, Environment, HostHere, HostLimits, HostOptions, Target};
use dohost_sim::guests;
use dohost_sim::machine::{START_MS, SimulatedMachine};
use dohost_sim::network::NoNetwork;
use dohost_sim::random::Random;
use dohost_storage::faulty::FaultyDisk;
use dohost_storage::{Committing, Store, StoreOptions};
use tokio::time::{Instant, sleep};

/// A machine whose clock can be set.
struct SetClock {
    machine: SimulatedMachine,
    offset_ms: AtomicI64,
}

impl Environment for SetClock {
    fn now_ms(&self) -> u64 {
        self.machine.now_ms().saturating_add_signed(self.offset_ms.load(Ordering::Relaxed))
    }

    fn random_bytes(&self) -> [u8; 16] {
        self.machine.random_bytes()
    }

    fn run_blocking(&self, job: Box<dyn FnOnce() + Send>) {
        self.machine.run_blocking(job);
    }
}

/// A host with one object of the class `alarms`.
struct World {
    here: HostHere,
    disk: FaultyDisk,
    clock: Arc<SetClock>,
}

impl World {
    /// Does something with a host of virtual time, in which commits take a few milliseconds.
    fn run<F: Future<Output = ()>>(act: impl FnOnce(Rc<World>) -> F) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let world = runtime.block_on(async {
            let disk = FaultyDisk::new();
            let options = StoreOptions {
                namespace_key: Some([7; 32]),
                created_ms: Some(0),
                committing: Committing::ByHand,
                ..StoreOptions::default()
            };
            let store = Store::open_disk(disk.clone(), options).unwrap();
            let machine = SimulatedMachine::new(Random::new(1), 1, START_MS);
            let clock = Arc::new(SetClock { machine, offset_ms: AtomicI64::new(0) });
            let component = guests::component("alarms").expect("the guests are built");
            let options = HostOptions {
                executors: 1,
                limits: HostLimits::default(),
                outgoing: Arc::new(NoNetwork),
                environment: clock.clone(),
            };
            let here = HostHere::start(store.clone(), vec![ClassOptions::new("alarms", component)], options).unwrap();
            tokio::spawn(async move {
                loop {
                    sleep(Duration::from_millis(5)).await;
                    if store.gather() {
                        store.commit_gathered();
                    }
                }
            });
            let world = Rc::new(World { here, disk, clock });
            act(world.clone()).await;
            world
        });
        drop(runtime);
        drop(world);
    }

    async fn try_get(&self, path: &str, query: &str) -> Option<String> {
        let text = str::to_string;
        let request = Request {
            method: text("GET"),
            scheme: text("http"),
            authority: text("test"),
            path: text(path),
            query: Some(text(query)),
            headers: Vec::new(),
            body: Vec::new(),
        };
        let host = self.here.host();
        let reply = host.fetch(&host.class("alarms").unwrap(), Target::Name("A"), request).await.unwrap();
        reply.ok().map(|response| String::from_utf8(response.body).unwrap())
    }

    async fn get(&self, path: &str, query: &str) -> String {
        self.try_get(path, query).await.expect("the object answers")
    }

    /// Sets an alarm whose handler does these steps.
    async fn set(&self, handler: &str, in_ms: u64) {
        self.get("/handler", &format!("name=a&do={handler}")).await;
        let at_ms = self.clock.now_ms() + in_ms;
        assert_eq!(self.get("/do", &format!("at=a,{at_ms}")).await, "ok\n");
    }

    /// The retry counts of the calls so far, and whether they were retries.
    async fn calls(&self) -> Vec<(u32, bool)> {
        let log = self.try_get("/log", "").await.unwrap_or_default();
        let call = |line: &str| {
            let parts: Vec<&str> = line.split(' ').collect();
            (parts[2].parse().unwrap(), parts[3].parse().unwrap())
        };
        log.lines().map(call).collect()
    }

    /// Waits until there are so many calls, and tells after how many seconds.
    async fn wait_for(&self, count: usize, seconds_max: u64) -> f64 {
        let since = Instant::now();
        while self.calls().await.len() < count {
            assert!(since.elapsed() < Duration::from_secs(seconds_max), "only {:?}", self.calls().await);
            sleep(Duration::from_millis(50)).await;
        }
        since.elapsed().as_secs_f64()
    }
}

#[test]
fn a_handler_that_keeps_failing_is_called_seven_times_in_two_minutes_and_then_given_up() {
    World::run(async |world| {
        world.set("throw%3Dalways", 1_000).await;
        assert!((0.9..1.2).contains(&world.wait_for(1, 10).await));
        for (retry, seconds) in [2.0, 4.0, 8.0, 16.0, 32.0, 64.0].into_iter().enumerate() {
            let took = world.wait_for(retry + 2, 100).await;
            assert!((seconds - 0.1..seconds * 1.25 + 0.3).contains(&took), "retry {retry} came after {took} s");
        }
        let expected: Vec<(u32, bool)> = (0..=6).map(|retry| (retry, retry > 0)).collect();
        assert_eq!(world.calls().await, expected);
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!((world.calls().await, world.get("/do", "list").await.as_str()), (expected, "\n"));
    });
}

#[test]
fn a_schedule_goes_on_after_a_tick_that_was_given_up() {
    World::run(async |world| {
        world.get("/handler", "name=c&do=throw%3Dalways").await;
        let first = world.get("/do", "cron=c,fire-once,,0 * * * *").await;
        let first: u64 = first.trim().parse().unwrap();
        sleep(Duration::from_millis(first - world.clock.now_ms() + 400_000)).await;
        assert_eq!(world.calls().await.len(), 7);
        assert_eq!(world.get("/do", "get=c").await.trim(), (first + 3_600_000).to_string());
        world.get("/handler", "name=c&do=").await;
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(world.calls().await[7..], [(0, false)]);
        assert_eq!(world.get("/do", "get=c").await.trim(), (first + 7_200_000).to_string());
    });
}

#[test]
fn a_full_disk_is_no_failure_of_the_handler_and_is_tried_again_for_as_long_as_it_takes() {
    World::run(async |world| {
        world.set("", 1_000).await;
        world.disk.set_full(true);
        sleep(Duration::from_secs(2_000)).await;
        world.disk.set_full(false);
        let since = Instant::now();
        while world.try_get("/log", "").await.is_none_or(|log| log.is_empty()) {
            assert!(since.elapsed() < Duration::from_secs(1_500));
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(world.calls().await.iter().map(|call| call.0).collect::<Vec<_>>(), [0], "it counts for nothing");
        sleep(Duration::from_secs(3_600)).await;
        assert_eq!(world.calls().await.len(), 1);
    });
}

#[test]
fn a_clock_that_is_set_back_delays_an_alarm_and_one_that_is_set_forward_brings_it() {
    World::run(async |world| {
        world.set("", 60_000).await;
        sleep(Duration::from_secs(50)).await;
        world.clock.offset_ms.store(-100_000, Ordering::Relaxed);
        sleep(Duration::from_secs(105)).await;
        assert_eq!(world.calls().await, [], "its time has not come");
        assert!(world.wait_for(1, 20).await < 17.0);
        world.set("", 3_600_000).await;
        sleep(Duration::from_secs(1)).await;
        world.clock.offset_ms.store(3_600_000, Ordering::Relaxed);
        assert!(world.wait_for(2, 20).await < 11.0, "the clock is looked at every ten seconds");
    });
}

#[test]
fn a_handler_may_take_a_quarter_of_an_hour() {
    World::run(async |world| {
        world.set("sync%26sleep%3D3600000", 1).await;
        let first = world.wait_for(1, 10).await;
        let second = world.wait_for(2, 1_000).await;
        assert!((900.0..910.0).contains(&(first + second)), "{first} s and {second} s");
        assert_eq!(world.calls().await, [(0, false), (1, true)]);
    });
}
